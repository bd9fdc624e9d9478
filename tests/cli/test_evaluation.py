from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Command

from faceattr.images import load_image


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


def test_what_cannot_be_measured_is_one_line_and_status_2(
    faceattr: Command, tmp_path: Path
) -> None:
    done = faceattr("eval", "emotion", tmp_path / "x.csv")
    assert done.status == 2
    assert done.stderr == f"faceattr: {tmp_path / 'x.csv'}: no such file or folder\n"


def test_figures_are_for_labels_only_where_charts_are_asked_for(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(f"path,label\n{astronaut},40\n")
    done = faceattr("eval", "age", data, "--save", tmp_path / "charts")
    assert (done.status, done.stdout) == (2, "")
    assert "--save is for confusion matrices" in done.stderr
    assert not (tmp_path / "charts").exists()


def test_charts_replace_nothing_unless_told_to(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    data = write_labelled(tmp_path / "data", astronaut)
    chart = tmp_path / "emotion-folders.png"
    chart.write_text("mine")
    refused = faceattr("eval", "emotion", data, "--crops", "--save", tmp_path)
    assert (refused.status, refused.stdout, chart.read_text()) == (1, "", "mine")
    assert "exists already" in refused.stderr
    assert (
        faceattr("eval", "emotion", data, "--crops", "--save", tmp_path, "--overwrite").status == 0
    )
    assert load_image(chart).std() > 10


def test_an_interrupted_measurement_says_so(
    faceattr: Command, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("faceattr.evaluation.evaluate.evaluate", interrupt)
    data = write_labelled(tmp_path, astronaut)
    done = faceattr("eval", "emotion", data)
    assert done == (130, "", "faceattr: interrupted; nothing was measured\n")
