from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from faceattr.cli.progress import ProgressBar, describe_progress, in_minutes, progress_bar


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    streams = SimpleNamespace(stdout=stream, stderr=stream)  # pytest sets those of sys itself
    monkeypatch.setattr("faceattr.cli.progress.sys", streams)
    return stream


def test_a_terminal_shows_count_rate_time_left_and_name(terminal: Terminal) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 489, unit="pictures", clock=clock)
    bar.draw()
    clock.now = 10.0
    bar(100, "IMG_2034.jpg")
    first, second = terminal.getvalue().split("\r")[1:]
    assert first == "────────────────────  0/489  loading"
    assert second == "━━━━────────────────  100/489  10.0 pictures/s  0:39 left  IMG_2034.jpg"


def test_a_line_fits_the_terminal_and_covers_the_one_before(terminal: Terminal) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 10, clock=clock)
    clock.now = 1.0
    bar(1, "a" * 200)
    clock.now = 2.0
    bar(2, "b")
    bar.clear()
    long, short, blank, end = terminal.getvalue().split("\r")[1:]
    assert [len(line) for line in (long, short, blank, end)] == [79, 79, len(short.rstrip()), 0]
    assert "a…a" in long
    assert short.rstrip().endswith("left  b")
    assert not blank.strip()


def test_the_line_is_not_drawn_for_every_frame(terminal: Terminal) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 1000, clock=clock)
    for done in range(1000):
        clock.now = done / 100
        bar(done, "")
    assert 80 <= terminal.getvalue().count("\r") <= 101


def test_pictures_of_an_earlier_run_do_not_count_for_the_rate(terminal: Terminal) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 200, unit="pictures", done=100, clock=clock)
    clock.now = 10.0
    bar(150, "")
    assert "150/200  5.0 pictures/s  0:10 left" in terminal.getvalue()


def test_a_stream_without_an_end_shows_its_state_only(terminal: Terminal) -> None:
    bar = ProgressBar("loading", None, clock=Clock())
    bar(7, "30 fps   1 face\x1b")
    assert terminal.getvalue() == "\r30 fps   1 face\\x1b"


def test_a_terminal_without_unicode_gets_plain_letters(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "encoding", "ascii")
    clock = Clock()
    bar = ProgressBar("loading", 4, clock=clock)
    clock.now = 1.0
    bar(1, "日" + "a" * 80)
    line = terminal.getvalue()
    assert line.startswith("\r#####---------------  1/4  0:03 left  \\u65e5aa")
    assert "a...a" in line


def test_one_picture_has_no_bar(terminal: Terminal) -> None:
    with progress_bar("loading", 1, unit="pictures") as bar:
        bar(1, "a.jpg")
    assert terminal.getvalue() == ""


def test_a_log_gets_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 600, unit="pictures", clock=clock)
    bar.draw()
    for done in range(1, 601):
        clock.now = done / 10
        bar(done, "a.jpg")
    bar.clear()
    assert capsys.readouterr().err == (
        "faceattr: 300 of 600 pictures, 10.0 pictures/s, 0:30 left\n"
    )


def test_a_log_of_a_stream_gets_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = ProgressBar("loading", 600, clock=clock)
    clock.now = 100.0
    bar(5, "30 fps")
    assert capsys.readouterr().err == ""


def test_times_are_in_minutes() -> None:
    assert [in_minutes(one) for one in (0.2, 59.6, 725, 10_800)] == [
        *("0:00", "1:00", "12:05", "3:00:00")
    ]
    assert describe_progress(0, 5, 0.0, unit="pictures") == "0 of 5 pictures"
