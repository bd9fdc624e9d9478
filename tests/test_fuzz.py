"""Damaged files, hundreds of each kind: never another answer, never an error that is not ours.

Each test runs in a process of its own, so that a crash is a failure and not the end of the run.
The damages are random, from a fixed seed; a failure names the number of the damage.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from onnx_files import write_classifier

from faceattr.engines import create_engine
from faceattr.errors import FaceattrError
from faceattr.networks.formats import npz
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.formats.keras_file import read_keras
from faceattr.networks.graph import Layer, Network, sequential
from faceattr.options import Precision
from faceattr.testing.stand_ins import random_weights, write_hdf5

pytestmark = pytest.mark.slow

NUM_CACHES = 500
NUM_FILES = 400  # of each format
SECONDS = 3600.0  # for one test

LAYERS = sequential(
    (8, 8, 3),
    Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "activation": "relu"}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 3, "activation": "softmax"}),
)
CROPS = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)

Rng = np.random.Generator


def damage(data: bytes, rng: Rng) -> bytes:
    """Return the content of a file with one to three random damages."""
    array = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, len(array))) if array else 0
        length = int(rng.integers(1, 64)) if rng.random() < 0.8 else int(rng.integers(1, 4096))
        match rng.integers(0, 7):
            case 0:
                array[at : at + 1] = bytes(
                    [array[at] ^ 1 << int(rng.integers(0, 8))] if array else []
                )
            case 1:
                array[at : at + length] = bytes(len(array[at : at + length]))
            case 2:
                array[at : at + length] = rng.bytes(len(array[at : at + length]))
            case 3:
                array[at : at + length] = b"\xff" * len(array[at : at + length])
            case 4:
                del array[at:]
            case 5:
                del array[at : at + length]
            case _:
                array[at:at] = array[at // 2 : at // 2 + length]
    return bytes(array)


def in_a_process(work: Callable[[Path], Counter[str]], folder: Path) -> Counter[str]:
    """Return how often the work in a new process met each outcome."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        outcomes = pool.apply_async(work, (folder,)).get(SECONDS)  # a crash ends in TimeoutError
    print(dict(outcomes))
    return outcomes


def outcomes_of(use: Callable[[Path], None], intact: bytes, path: Path) -> Counter[str]:
    """Use a file with many damages; count the answers, our errors and other errors."""
    outcomes: Counter[str] = Counter()
    for number in range(NUM_FILES):
        path.write_bytes(damage(intact, np.random.default_rng(number)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(path)
            outcomes["read"] += 1
        except FaceattrError:
            outcomes["refused"] += 1
        except Exception as error:
            outcomes[f"number {number}: {type(error).__name__}: {error}"[:200]] += 1
    return outcomes


def test_damaged_converted_networks_never_change_an_answer(tmp_path: Path) -> None:
    outcomes = in_a_process(damage_caches, tmp_path)
    assert outcomes == {"the same answer": NUM_CACHES}


def damage_caches(folder: Path) -> Counter[str]:
    os.environ["FACEATTR_HOME"] = str(folder)
    networks = [Network("toy", LAYERS, random_weights(LAYERS, seed), str(seed)) for seed in (1, 2)]

    def answers(precision: Precision) -> list[bytes]:
        engine = create_engine(precision=precision)
        return [engine.build(network, precision)(CROPS).tobytes() for network in networks]

    precisions: list[Precision] = ["auto", "f32"]
    expected = {precision: answers(precision) for precision in precisions}
    shutil.copytree(folder / "compiled", folder / "intact")
    names = sorted(path.name for path in (folder / "intact").glob("*.*") if path.stem != ".lock")
    outcomes: Counter[str] = Counter()
    for number in range(NUM_CACHES):
        rng = np.random.default_rng(number)
        for name in names:
            content = (folder / "intact" / name).read_bytes()
            (folder / "compiled" / name).write_bytes(content)
        for name in rng.choice(names, rng.integers(1, 4), replace=False):
            damaged = folder / "compiled" / name
            times = damaged.stat()
            match rng.integers(0, 8):
                case 0:  # another model's file of the same kind
                    others = [other for other in names if other[-4:] == name[-4:] != other]
                    damaged.write_bytes((folder / "intact" / rng.choice(others)).read_bytes())
                case 1:
                    damaged.unlink()
                    continue
                case _:
                    damaged.write_bytes(damage(damaged.read_bytes(), rng))
            os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
        try:
            right = all(answers(precision) == expected[precision] for precision in expected)
            outcomes["the same answer" if right else f"number {number}: another answer"] += 1
        except Exception as error:
            outcomes[f"number {number}: {type(error).__name__}: {error}"] += 1
    return outcomes


@pytest.mark.parametrize("kind", ["onnx", "hdf5", "keras", "npz"])
def test_damaged_files_raise_our_errors_only(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "keras":
        request.getfixturevalue("tensorflow")
    work = {"onnx": damage_onnx, "hdf5": damage_hdf5, "keras": damage_keras, "npz": damage_npz}
    outcomes = in_a_process(work[kind], tmp_path)
    assert outcomes.total() == NUM_FILES
    assert set(outcomes) <= {"read", "refused"}


def run(network: Network) -> None:
    create_engine(precision="f32").build(network, "f32")(CROPS)


def damage_onnx(folder: Path) -> Counter[str]:
    noise = np.random.default_rng(0)
    path = write_classifier(
        folder / "toy.onnx",
        noise.random((3, 5), np.float32),
        noise.random(5, np.float32),
    )

    def use(path: Path) -> None:
        create_engine(precision="f32").compile_onnx(path)(CROPS)

    return outcomes_of(use, path.read_bytes(), path)


def damage_hdf5(folder: Path) -> Counter[str]:
    path = folder / "toy.h5"
    write_hdf5(path, random_weights(LAYERS))

    def use(path: Path) -> None:
        run(Network("toy", LAYERS, Hdf5Weights(path, LAYERS)))

    return outcomes_of(use, path.read_bytes(), path)


def damage_keras(folder: Path) -> Counter[str]:
    os.environ["FACEATTR_HOME"] = str(folder)
    import keras

    path = folder / "toy.keras"
    layers = keras.layers
    keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    ).save(path)

    def use(path: Path) -> None:
        run(read_keras(path))

    return outcomes_of(use, path.read_bytes(), path)


def damage_npz(folder: Path) -> Counter[str]:
    content = BytesIO()
    npz.save(Network("toy", LAYERS, random_weights(LAYERS)), content)

    def use(path: Path) -> None:
        run(npz.load(path))

    return outcomes_of(use, content.getvalue(), folder / "toy.npz")
