"""Where the results of a stream go: tables, JSON lines, a video, a window, a timeline."""

from __future__ import annotations

from faceattr.streaming.sinks.base import CallbackSink, Sink
from faceattr.streaming.sinks.tables import CsvSink, JsonLinesSink, ParquetSink
from faceattr.streaming.sinks.timeline import TimelineSink
from faceattr.streaming.sinks.video import VideoSink
from faceattr.streaming.sinks.window import WindowSink

__all__ = [
    "CallbackSink",
    "CsvSink",
    "JsonLinesSink",
    "ParquetSink",
    "Sink",
    "TimelineSink",
    "VideoSink",
    "WindowSink",
]
