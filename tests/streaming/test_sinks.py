from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from faces import COLUMNS, FRAMES, KNOWN, TRACKED, write_all
from scenes import scene

from faceattr.errors import SinkError
from faceattr.streaming.sinks import (
    CallbackSink,
    CsvSink,
    JsonLinesSink,
    Sink,
    TimelineSink,
    VideoSink,
)
from faceattr.types import Face, Frame


def test_a_callback_gets_frames_and_faces() -> None:
    got: list[tuple[Frame, Sequence[Face]]] = []
    write_all(CallbackSink(lambda *arguments: got.append(arguments)), [TRACKED], count=2)
    assert got == [(FRAMES[0], [TRACKED]), (FRAMES[1], [TRACKED])]


def test_a_callback_that_fails_is_named() -> None:
    def divide(frame: Frame, faces: Sequence[Face]) -> float:
        return 1 / len(faces)

    with pytest.raises(SinkError, match="divide failed: ZeroDivisionError"):
        write_all(CallbackSink(divide), [])


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [CsvSink, JsonLinesSink, VideoSink, TimelineSink])
def test_a_timestamp_that_is_not_finite_is_an_error(
    tmp_path: Path, kind: Callable[[Path], Sink], time: float
) -> None:
    with kind(tmp_path / "a.mp4" if kind is VideoSink else tmp_path / "a.png") as sink:
        sink.begin(COLUMNS)
        with pytest.raises(SinkError, match="frame 7 has the timestamp"):
            sink.write(Frame(scene(), 7, time), [KNOWN])
