from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Command


def write_labelled(folder: Path, astronaut: Path) -> Path:
    for label in ("happy", "sad"):
        (folder / label).mkdir(parents=True)
        (folder / label / "face.png").write_bytes(astronaut.read_bytes())
    return folder


def test_an_analyzer_is_measured_on_labelled_pictures(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    data = write_labelled(tmp_path / "data", astronaut)
    done = faceattr("eval", "emotion", data, "--json", "--save", tmp_path / "charts")
    assert done.status == 0
    figures = json.loads(done.stdout)
    assert (figures["analyzer"], figures["pictures"], figures["found"]) == ("emotion", 2, 2)
    assert figures["ground_truth"]["folders"]["accuracy"] == 0.5
    assert [path.name for path in (tmp_path / "charts").iterdir()] == ["emotion-folders.png"]


def test_figures_are_shown_as_tables(faceattr: Command, astronaut: Path, tmp_path: Path) -> None:
    data = write_labelled(tmp_path, astronaut)
    done = faceattr("eval", "emotion", data, "--crops", "--labels", "good=happy,bad=sad+angry")
    assert done.status == 0
    for words in ("2 of 2 with a face", "accuracy", "macro F1", "precision", "good", "bad"):
        assert words in done.stdout


def test_what_cannot_be_measured_is_one_line_and_status_1(
    faceattr: Command, tmp_path: Path
) -> None:
    done = faceattr("eval", "emotion", tmp_path / "x.csv")
    assert done.status == 1
    assert done.stderr == f"faceattr: {tmp_path / 'x.csv'}: no such file or folder\n"
