from __future__ import annotations

import csv
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
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == [
        "emotion-folders-calibration.png",
        "emotion-folders-mistakes.png",
        "emotion-folders.png",
    ]


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


def test_estimates_have_charts_of_their_own(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(f"path,label\n{astronaut},40\n")
    done = faceattr("eval", "age", data, "--save", tmp_path / "charts")
    assert done.status == 0
    assert "≤ std: share that is off by at most the standard deviation" in done.stdout
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == [
        "age-label-mistakes.png",
        "age-label-residuals.png",
        "age-label-scatter.png",
    ]


def test_folders_may_have_the_names_of_groups_or_be_mapped(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for label in ("smiling", "Sadness", "unclear"):
        (data / label).mkdir(parents=True)
        (data / label / "face.png").write_bytes(astronaut.read_bytes())
    groups = "smiling=happy,serious=neutral"
    refused = faceattr("eval", "emotion", data, "--labels", groups)
    assert (refused.status, refused.stdout) == (2, "")
    assert "unknown label 'Sadness' (and 'unclear'); did you mean 'sad'?" in refused.stderr
    assert "--map Sadness=sad" in refused.stderr
    done = faceattr(
        *("eval", "emotion", data, "--labels", groups, "--json"),
        *("--map", "sadness=sad, unclear="),
    )
    assert done.status == 0
    figures = json.loads(done.stdout)["ground_truth"]["folders"]
    assert (figures["rows"], figures["left_out"]) == (2, 1)
    assert figures["labels"]["smiling"]["recall"] == 1.0
    wrong = faceattr("eval", "emotion", data, "--map", "sadness")
    assert wrong.stderr == "faceattr: --map is 'sadness'; write it like sadness=sad,joy=happy\n"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_predictions_are_written(
    faceattr: Command, astronaut: Path, tmp_path: Path, suffix: str
) -> None:
    data = write_labelled(tmp_path / "data", astronaut)
    path = tmp_path / f"predictions{suffix}"
    assert faceattr("eval", "emotion", data, "--predictions", path).status == 0
    text = path.read_text(encoding="utf-8")
    if suffix == ".csv":
        rows: list[dict[str, object]] = [*csv.DictReader(text.splitlines())]
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["truth"], row["prediction"]) for row in rows] == [
        ("happy", "happy"),
        ("sad", "happy"),
    ]
    assert rows[0]["picture"] == str(data / "happy" / "face.png")
    assert "score_neutral" in rows[0]
    refused = faceattr("eval", "emotion", data, "--predictions", path)
    assert "exists already" in refused.stderr
    wrong = faceattr("eval", "emotion", data, "--predictions", tmp_path / "x.txt")
    assert "ends in .csv or .jsonl" in wrong.stderr


def test_figures_are_a_csv_table(faceattr: Command, astronaut: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text(f"path,label,site\n{astronaut},happy,a\n{astronaut},sad,b\n")
    done = faceattr("eval", "emotion", data, "--csv")
    whole, first, second = csv.DictReader(done.stdout.splitlines())
    assert (whole["accuracy"], whole["group"], whole["rows"]) == ("0.5", "", "2")
    assert (first["group_by"], first["group"], first["accuracy"]) == ("site", "a", "1.0")
    assert (second["group"], second["accuracy"]) == ("b", "0.0")
    both = faceattr("eval", "emotion", data, "--csv", "--json")
    assert "--json and --csv exclude each other" in both.stderr


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
