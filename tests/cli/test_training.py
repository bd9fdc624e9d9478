from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Command
from disks import full_disk
from skimage import data as skimage_data
from training.conftest import write_masks

from faceattr.images import load_image
from faceattr.training import gathering


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops with and without a mask."""
    import cv2

    picture = load_image(Path(skimage_data.__path__[0]) / "astronaut.png")
    face = cv2.resize(picture[60:200, 155:295], (96, 96))
    folder = write_masks(tmp_path_factory.mktemp("cli") / "masks", face)
    (folder / "masked" / "0.png").replace(folder / "bare" / "wrong.png")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of these tests, so that pictures are looked at once."""
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path_factory.getbasetemp() / "home"))


def test_pictures_become_an_analyzer_that_every_command_knows(
    faceattr: Command, crops: Path, tmp_path: Path
) -> None:
    file, sheet = tmp_path / "mask.faceattr", tmp_path / "sheet.png"
    done = faceattr(
        *("train", crops, "--attribute", "mask", "--crops", "--to", file, "--sheet", sheet)
    )
    assert done.status == 0
    for words in ("mask from 24 pictures of masks", "head on", "always bare", "95 % interval"):
        assert words in done.stdout
    assert "wrong.png" in done.stdout
    assert f"--actions {file}" in done.stdout.replace("\n", "")
    assert "few pictures of bare (13), masked (11)" in done.stderr
    assert load_image(sheet).shape[:2] == (232, 172)

    astronaut = Path(skimage_data.__path__[0]) / "astronaut.png"
    done = faceattr("analyze", astronaut, "--actions", f"emotion,{file}", "--json")
    ((face,),) = [result["faces"] for result in json.loads(done.stdout)]
    assert face["attributes"]["mask"]["label"] == "bare"
    done = faceattr("info", file)
    assert "from 24 pictures" in " ".join(done.stdout.split())
    done = faceattr("eval", file, crops, "--crops", "--json")
    assert json.loads(done.stdout)["ground_truth"]["folders"]["accuracy"] > 0.9


def test_figures_come_as_json(faceattr: Command, crops: Path) -> None:
    done = faceattr("train", crops, "--attribute", "mask", "--crops", "--json")
    figures = json.loads(done.stdout)
    assert figures["counts"] == {"bare": 13, "masked": 11}
    assert [doubt["given"] for doubt in figures["doubts"]] == ["bare"]


def test_nothing_is_read_where_nothing_can_be_written(
    faceattr: Command, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "load_image", None)
    file = tmp_path / "mask.faceattr"
    file.write_bytes(b"mine")
    done = faceattr("train", crops, "--attribute", "mask", "--to", file)
    assert (done.status, done.stdout) == (1, "")
    assert "exists already" in done.stderr
    done = faceattr("train", crops, "--attribute", "mask", "--to", tmp_path / "mask.zip")
    assert "ends in .faceattr" in done.stderr


def test_a_full_disk_is_one_line(faceattr: Command, crops: Path, tmp_path: Path) -> None:
    file = tmp_path / "mask.faceattr"
    with full_disk(500):
        done = faceattr("train", crops, "--attribute", "mask", "--crops", "--to", file)
    assert done.status == 1
    assert "mask.faceattr: cannot be written: File too large" in done.stderr
    assert not list(tmp_path.iterdir())


def test_ctrl_c_keeps_what_was_seen(
    faceattr: Command, crops: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(gathering, "BATCH", 10)
    seen = 0

    def load(source: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        nonlocal seen
        if seen == 15:
            raise KeyboardInterrupt
        seen += 1
        return load_image(source)

    monkeypatch.setattr(gathering, "load_image", load)
    done = faceattr("train", crops, "--attribute", "mask", "--crops")
    assert done.status == 130
    assert "interrupted; what was seen and trained is remembered" in done.stderr
    monkeypatch.setattr(gathering, "load_image", load_image)
    assert faceattr("train", crops, "--attribute", "mask", "--crops").status == 0
