"""The recipes of the built-in models, on small made-up data."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from faceattr.networks.formats import npz

ROOT = Path(__file__).parents[2]
NUM_PICTURES = 80
LONG_EPOCH = 400  # pictures: enough time to interrupt the training after the first of three


@pytest.fixture
def fer2013(tmp_path: Path) -> Path:
    """Pictures whose brightness tells their label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, NUM_PICTURES)
    noise = rng.integers(0, 20, (NUM_PICTURES, 48, 48))
    path = tmp_path / "fer2013.npz"
    np.savez(
        path,
        images=(labels[:, None, None] * 30 + noise).astype(np.uint8),
        label=labels,
        split=np.zeros(NUM_PICTURES, int),
        ferplus_votes=np.zeros((NUM_PICTURES, 10), int),
    )
    crops = rng.integers(0, 256, (NUM_PICTURES, 2, 48, 48, 1), np.uint8)
    np.savez(tmp_path / "rafdb.npz", crops=crops, label=labels)
    return path


def train(
    data: Path, run: Path, *, backend: str = "tensorflow", epoch_size: int = NUM_PICTURES
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "models.emotion.train", str(data), "--run", str(run)),
            *("--epochs", "3", "--batch-size", "16", "--policy", "float32"),
            *("--epoch-size", str(epoch_size), "--rafdb", str(data.with_name("rafdb.npz"))),
        ],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.DEVNULL,
    )


def epochs_in(run: Path) -> list[int]:
    if not (run / "log.csv").exists():
        return []
    with (run / "log.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_recipe_runs_on_every_backend(backend: str, fer2013: Path, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    with train(fer2013, tmp_path / "run", backend=backend) as process:
        assert process.wait() == 0
    assert epochs_in(tmp_path / "run") == [0, 1, 2]
    assert (tmp_path / "run" / "network.npz").stat().st_size > 4 * 1_800_000


@pytest.mark.slow
def test_an_interrupted_training_goes_on_from_its_last_epoch(fer2013: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with train(fer2013, run, epoch_size=LONG_EPOCH) as process:
        while not epochs_in(run):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    assert epochs_in(run) != [0, 1, 2]
    with train(fer2013, run, epoch_size=LONG_EPOCH) as process:
        assert process.wait() == 0
    assert epochs_in(run) == [0, 1, 2]


@pytest.mark.data
def test_yunet_is_the_published_network(shared: Path, tmp_path: Path) -> None:
    from models.detectors import convert

    network = convert.convert(shared / "detectors" / "face_detection_yunet_2023mar.onnx")
    with (tmp_path / "yunet.npz").open("wb") as file:
        npz.save(network, file, half=False)
    asset = resources.files("faceattr.assets").joinpath("yunet.npz")
    assert (tmp_path / "yunet.npz").read_bytes() == asset.read_bytes()
