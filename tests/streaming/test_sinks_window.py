from __future__ import annotations

from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
from faces import FRAMES, KNOWN, write_all

from faceattr.api import stream
from faceattr.drawing import FramePainter
from faceattr.errors import SinkError
from faceattr.images import load_image
from faceattr.options import DrawOptions
from faceattr.outputs import Outputs
from faceattr.streaming import sources
from faceattr.streaming.sinks import VideoSink, WindowSink
from faceattr.streaming.sinks import window as window_module
from faceattr.streaming.sources import Source


class FakeScreen:
    """Stands in for OpenCV's windows; keys are pressed in turn, then the window is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: str = "") -> None:
        self.shown: list[np.ndarray] = []
        self._keys = iter(keys)
        self._is_open = True
        monkeypatch.setattr(window_module, "_require_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", self._press)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: float(self._is_open))
        monkeypatch.setattr(cv2, "destroyWindow", lambda _: None)

    def _press(self, _: int) -> int:
        key = next(self._keys, None)
        self._is_open = key is not None
        return -1 if key in (".", None) else ord(key)


def test_a_window_shows_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch, "..")
    write_all(WindowSink(status=lambda: "25 fps"), [KNOWN], count=2)
    assert len(screen.shown) == 2
    assert screen.shown[0][:20, :80].max() == 255  # the status
    assert not np.array_equal(screen.shown[0], FRAMES[0].image)


def test_a_window_shows_what_its_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch, "..")
    late = count(0.0, 10.0)  # the keys are not shown any more
    window = WindowSink(drawing=DrawOptions(labels=False), clock=lambda: next(late))
    write_all(window, [KNOWN], count=1)
    expected = FramePainter(DrawOptions(labels=False)).draw(FRAMES[0].image, [KNOWN])
    np.testing.assert_array_equal(screen.shown[0], expected)


@pytest.mark.parametrize("keys", ["..q", "..", "  .q", " q"])
def test_q_or_a_closed_window_ends_the_stream(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    FakeScreen(monkeypatch, keys)
    with WindowSink() as window:
        for frame in FRAMES[:3]:
            window.write(frame, [])
        assert window.done


def lines_shown(monkeypatch: pytest.MonkeyPatch, keys: str, seconds: float) -> list[str]:
    """Return the line on each picture, where time passes by so much whenever it is asked for."""
    lines: list[str] = []
    monkeypatch.setattr(window_module, "draw_status", lambda image, line: lines.append(line))
    FakeScreen(monkeypatch, keys)
    times = count(0.0, seconds)
    window = WindowSink(status=lambda: "status", clock=lambda: next(times))
    write_all(window, [], count=len(keys))
    return ["status" if line == "status" else "keys" for line in lines]


@pytest.mark.parametrize("paces", [True, False])
def test_a_window_of_stream_plays_a_file_at_its_own_speed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, paces: bool
) -> None:
    with VideoSink(tmp_path / "a.avi", fps=10) as video:
        for frame in FRAMES[:6]:
            video.write(frame, [])
    FakeScreen(monkeypatch, "." * 6)
    paced: list[Source] = []

    def pace(source: Source) -> Source:
        paced.append(source)
        return source

    monkeypatch.setattr(sources, "Paced", pace)
    results = stream(tmp_path / "a.avi", (), sinks=[WindowSink(paces=paces)], detector="whole")
    assert len(list(results)) == 6
    assert len(paced) == paces


def test_the_keys_are_shown_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "q quit" in window_module.KEYS
    assert lines_shown(monkeypatch, "......", 2.0) == ["keys"] * 2 + ["status"] * 4


def test_h_shows_the_keys_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = lines_shown(monkeypatch, "..h..", 3.0)
    assert shown == ["keys", "status", "status", "keys", "status", "status"]


def test_space_pauses_until_the_next_space(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch, ". .....  .")
    write_all(WindowSink(), [], count=4)
    assert len(screen.shown) == 4
    assert next(screen._keys, None) is None


def test_s_saves_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FakeScreen(monkeypatch, ".s.")
    write_all(WindowSink(snapshots=tmp_path), [KNOWN], count=3)
    (path,) = tmp_path.iterdir()
    assert path.name == "faceattr-000001.png"
    assert load_image(path).shape == FRAMES[1].image.shape


def test_no_saved_picture_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for _ in range(2):
        FakeScreen(monkeypatch, "ss.")
        write_all(WindowSink(snapshots=tmp_path, outputs=Outputs(overwrite=True)), [], count=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"faceattr-{end}.png" for end in ("000000-2", "000000", "000001-2", "000001")]


def test_a_picture_that_cannot_be_saved_does_not_end_the_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    FakeScreen(monkeypatch, "s..")
    write_all(WindowSink(snapshots=tmp_path / "file" / "x"), [], count=2)
    assert "cannot be made: Not a directory" in caplog.text


def test_without_a_display_a_window_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match="no window can be opened"):
        WindowSink()
