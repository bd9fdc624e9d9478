from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli.conftest import Command

from faceattr.results import ImageResult


def test_a_page_is_written_for_pictures(faceattr: Command, astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    to = tmp_path / "report.html"
    done = faceattr("report", astronaut, tmp_path / "broken.png", "--to", to)
    assert (done.status, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert "broken.png" in first
    assert re.fullmatch(rf"faceattr: 2 pictures, 1 face, 1 failed, [\d.]+ s; wrote {to}", second)
    page = to.read_text(encoding="utf-8")
    for words in ("1 face in 2 pictures", "Emotion, age and gender", "broken.png", "yunet"):
        assert words in page


def test_a_page_is_written_for_a_video(faceattr: Command, clip: Path, tmp_path: Path) -> None:
    to = tmp_path / "report.html"
    done = faceattr("report", clip, "--to", to, "--actions", "emotion")
    assert (done.status, done.stdout) == (0, "")
    assert re.fullmatch(rf"faceattr: 12 frames, 1 face, [\d.]+ s; wrote {to}\n", done.stderr)
    assert "Faces in <a" in to.read_text(encoding="utf-8")


def test_a_report_is_on_pictures_or_on_one_video(
    faceattr: Command, clip: Path, astronaut: Path, tmp_path: Path
) -> None:
    done = faceattr("report", astronaut, clip, "--to", tmp_path / "x.html")
    assert done.status == 2
    assert "clip.mp4: is a video, and a report is on pictures or on one video" in done.stderr


def test_neither_an_input_nor_another_file_is_replaced(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("mine")
    done = faceattr("report", astronaut, "--to", tmp_path / "report.html")
    assert done.status == 1
    assert "exists already" in done.stderr
    assert (tmp_path / "report.html").read_text() == "mine"


def test_ctrl_c_leaves_a_page_of_what_was_done(
    faceattr: Command, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> object:
        yield ImageResult(str(astronaut))
        raise KeyboardInterrupt

    monkeypatch.setattr("faceattr.pipeline.Pipeline.analyze_each", interrupted)
    to = tmp_path / "report.html"
    done = faceattr("report", astronaut, astronaut, "--to", to)
    assert done.status == 130
    assert "interrupted; 1 of 2 pictures are done" in done.stderr
    assert "the run was stopped after 1 of 2 pictures" in to.read_text(encoding="utf-8")
