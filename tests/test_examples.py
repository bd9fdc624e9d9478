from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

import faceattr
from faceattr.evaluation.metrics import ClassificationReport
from faceattr.images import load_image
from faceattr.streaming.sinks import VideoSink
from faceattr.types import Frame

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def video(astronaut: Path, tmp_path: Path) -> Path:
    """Two frames of a face."""
    path = tmp_path / "video.mp4"
    with VideoSink(path) as sink:
        for index in range(2):
            sink.write(Frame(load_image(astronaut), index, index / 25), [])
    return path


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str | Path) -> None:
    script = str(EXAMPLES / name)
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    runpy.run_path(script, run_name="__main__")


def test_the_picture_example_prints_emotions_and_saves_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "analyze_image.py")
    assert capsys.readouterr().out.startswith("happy ")
    assert load_image("annotated.jpg").shape == (512, 512, 3)


def test_the_video_example_writes_a_table_and_a_copy(
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, "video_to_csv.py", video, tmp_path / "a.csv", tmp_path / "a.mp4")
    assert capsys.readouterr().out.startswith("face 1: happy 100%\nwrote ")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
    assert (tmp_path / "a.mp4").stat().st_size > 1000


def test_the_camera_example_prints_changes_only(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "webcam.py", video)
    (line,) = capsys.readouterr().out.splitlines()
    assert "face 1 looks happy" in line


def test_the_moving_picture_of_the_readme_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "moving_picture.py", tmp_path / "moving.webp")
    with Image.open(tmp_path / "moving.webp") as moving:
        assert moving.size == (360, 270)
        assert getattr(moving, "n_frames", 1) == 36


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("analyze_image.py", ["no.jpg"], "no.jpg: no such file"),
        ("video_to_csv.py", [], "video_to_csv.py VIDEO"),
        ("video_to_csv.py", ["--help"], "video_to_csv.py VIDEO"),
        ("webcam.py", ["--help"], r"webcam.py \[SOURCE\]"),
        ("webcam.py", ["99"], r"camera 99 cannot be opened.*\nusage: python examples/webcam.py"),
        ("webcam.py", ["no.mp4"], "no.mp4: no such file"),
    ],
)
def test_examples_say_what_to_do_where_they_cannot_go_on(
    monkeypatch: pytest.MonkeyPatch, name: str, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, name, *arguments)


def test_the_pictures_of_the_training_example_can_be_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    run(monkeypatch, "train/make_pictures.py", "pictures", "12")
    training = faceattr.train("pictures", "mask", to="mask.faceattr")
    assert isinstance(training.report, ClassificationReport)
    assert training.report.accuracy > 0.9
    page = (EXAMPLES / "train" / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    capsys.readouterr()
    exec(snippet.replace("000", "011"), {})
    assert capsys.readouterr().out.startswith("masked ")
