from __future__ import annotations

from pathlib import Path

import pytest
from browser import Page
from conftest import Light
from reporting.conftest import Parsed
from scenes import BrightSquares, HeavyBrightness, frames, scene

import faceattr
from faceattr.errors import SinkError
from faceattr.reporting.video import VideoReport, _clock
from faceattr.streaming.analysis import LiveAnalysis, play
from faceattr.streaming.sources import Pictures
from faceattr.types import Face

IMAGES = [scene((2 * step, 10), (100, 60)) for step in range(30)]


def write(path: Path, images: list[faceattr.BGRImage]) -> Parsed:
    live = LiveAnalysis([Light(), HeavyBrightness()], detector=BrightSquares())
    video = path.parent / "par ty.mp4"
    video.touch()
    with_sink = VideoReport(path, video=video, settings={"detector": "squares"})
    for _ in play(live, Pictures(frames(images)), [with_sink]):
        pass
    return Parsed(path)


def test_each_track_has_shares_timelines_and_looks(tmp_path: Path) -> None:
    page = write(tmp_path / "video.html", IMAGES)
    assert "Faces in par ty.mp4" in page.text
    for words in ("Face #1", "Face #2", "0:00 to 0:03, 30 frames", "frames30", "faces2"):
        assert words in page.text
    said = page.values("svg", "aria-label")
    assert "face 1 from 0:00 to 0:03; face 2 from 0:00 to 0:03" in said
    assert "day 100%" in said
    assert any(one.startswith("heavy over time, median") for one in said)
    assert len(page.values("img", "src")) == 2
    assert all(one.startswith("par%20ty.mp4") for one in page.values("a", "href"))
    assert any("#t=" in one for one in page.values("a", "href"))


def test_nobody_is_said_in_words(tmp_path: Path) -> None:
    page = write(tmp_path / "video.html", [scene() for _ in range(5)])
    assert "No face was found in this video." in page.text
    assert "seen longest" not in page.text


def test_a_stream_that_is_stopped_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "video.html"
    live = LiveAnalysis([Light()], detector=BrightSquares())
    results = play(live, Pictures(frames(IMAGES)), [VideoReport(path)])
    for frame, _ in results:
        if frame.index == 9:
            break
    results.close()
    page = Parsed(path)
    assert "This report is incomplete: the run was stopped 0:01 into the video." in page.text
    assert "Faces in a video" in page.text


def test_a_stream_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    with VideoReport(tmp_path / "video.html"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_only_the_longest_tracks_are_shown(tmp_path: Path) -> None:
    (frame,) = frames([scene()])
    with VideoReport(tmp_path / "video.html", thumbnails=False) as report:
        for number in range(60):
            for _ in range(2 + number):
                report.write(frame, [Face((0, 0, 9, 9), 0.9, track_id=number + 1)])
        report.write(frame, [Face((0, 0, 9, 9), 0.9, track_id=99)])  # in one frame only
    page = Parsed(tmp_path / "video.html")
    assert "Left out: 11 faces seen only briefly." in page.text
    assert "Face #11" in page.text
    assert "Face #10," not in page.text
    assert page.values("img", "src") == []


def test_a_video_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="the name of a report ends in"):
        VideoReport(tmp_path / "video.mp4")


def test_times_are_clocks() -> None:
    assert [_clock(seconds) for seconds in (0, 7.4, 61, 3723)] == [
        "0:00",
        "0:07",
        "1:01",
        "1:02:03",
    ]


@pytest.mark.parametrize("width", [375, 1280])
def test_a_page_of_a_video_shows_without_errors(
    tmp_path: Path, browser_page: Page, width: int
) -> None:
    write(tmp_path / "video.html", IMAGES)
    browser_page.messages.clear()
    browser_page.set_up(width=width)
    browser_page.open(tmp_path / "video.html")
    try:
        assert browser_page.run("document.querySelectorAll('article').length") == 2
        assert browser_page.run("document.documentElement.scrollWidth") <= width
        assert browser_page.run("document.querySelector('svg.lanes').clientHeight") == 44
        assert browser_page.messages == []
    finally:
        browser_page.set_up()
