"""`faceattr stream` and `faceattr video`: faces over time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceattr.cli.flags import Without, flags_given, with_flags
from faceattr.cli.rendering import exit_with, print_tracks, progress_bar, show
from faceattr.cli.signals import INTERRUPTED
from faceattr.cli.text import counted
from faceattr.errors import FaceattrError, OptionError
from faceattr.options import DrawOptions, StreamOptions, option
from faceattr.outputs import Outputs
from faceattr.recognition.gallery import with_gallery
from faceattr.streaming.sinks import (
    CsvSink,
    JsonLinesSink,
    ParquetSink,
    Sink,
    VideoSink,
    WindowSink,
)
from faceattr.streaming.sources import Source, VideoFile, open_source, paced_for
from faceattr.streaming.statistics import FrameRate, TrackTable
from faceattr.types import Face, Frame

if TYPE_CHECKING:
    from faceattr.streaming.analysis import LiveAnalysis


@dataclass(frozen=True, slots=True)
class FrameOutput:
    """Where the results of frames go."""

    jsonl: Path | None = option(None, "Write one JSON object per frame.", "output")
    per_face: bool = option(
        False, "With --jsonl, write one JSON object per face and frame.", "output"
    )
    csv: Path | None = option(None, "Write a table, one row per face and frame.", "output")
    parquet: Path | None = option(None, "Write the same as a Parquet table.", "output")
    overwrite: bool = option(False, "Replace files that exist; inputs never.", "output")

    def open(self, outputs: Outputs) -> list[Sink]:
        """Return the sinks that were asked for."""
        sinks: list[Sink] = []
        if self.jsonl:
            sinks.append(JsonLinesSink(self.jsonl, per_face=self.per_face, outputs=outputs))
        if self.csv:
            sinks.append(CsvSink(self.csv, outputs=outputs))
        if self.parquet:
            sinks.append(ParquetSink(self.parquet, outputs=outputs))
        return sinks


@dataclass(frozen=True, slots=True)
class StreamOutput(FrameOutput):
    """Where the results of a stream go."""

    display: bool = option(True, "Show a window.", "output")
    record: Path | None = option(None, "Write an annotated video.", "output")


@dataclass(frozen=True, slots=True)
class VideoOutput(FrameOutput):
    """Where the results of a video go."""

    save: Path | None = option(None, "Write an annotated video.", "output")
    plot: Path | None = option(None, "Draw each track's attributes over time.", "output")


@with_flags
def stream(
    options: StreamOptions,
    output: StreamOutput,
    drawing: DrawOptions,
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]", help="Number of a camera, address of a stream, or a file."
        ),
    ] = "0",
) -> None:
    """Watch a camera or stream; in the window q quits, space pauses, s saves a picture.

    Examples:
        faceattr stream
        faceattr stream 1 -a emotion,age,gender
        faceattr stream rtsp://camera/1 --no-display --record out.mp4
    """
    from faceattr.streaming.analysis import LiveAnalysis  # SciPy takes a moment

    live = LiveAnalysis.from_options(with_gallery(options))
    frames = open_source(source)
    outputs = Outputs(inputs=frames.paths, overwrite=output.overwrite)
    status = Status(live.refresh)
    sinks = output.open(outputs)
    if output.display:
        sinks.append(WindowSink(status=lambda: str(status), drawing=drawing, outputs=outputs))
    if output.record:
        sinks.append(_video_sink(output.record, frames, source, drawing, outputs))
    _follow(live, paced_for(sinks, frames), sinks, status)


@with_flags
def video(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A video, or a folder or glob of pictures.")
    ],
    options: Annotated[StreamOptions, Without({"budget"})],
    output: VideoOutput,
    drawing: DrawOptions,
) -> None:
    """Follow the faces of a video and read their attributes; the table has one row per face.

    Examples:
        faceattr video party.mp4 --save annotated.mp4
        faceattr video party.mp4 -a emotion,age --csv faces.csv --plot timeline.png
        faceattr video 'frames/*.png' --jsonl faces.jsonl
    """
    from faceattr.streaming.analysis import LiveAnalysis
    from faceattr.streaming.sinks import TimelineSink

    if not output.save and (flags := flags_given(drawing)):
        raise OptionError(f"{flags}: there is no annotated video without --save FILE; add it")
    frames = open_source(path)
    if frames.num_frames == 1:  # a picture: a slow analyzer would wait for more
        options = replace(options, freeze="off", refresh=None)
    live = LiveAnalysis.from_options(with_gallery(options))
    outputs = Outputs(inputs=frames.paths, overwrite=output.overwrite)
    sinks = output.open(outputs)
    if output.save:
        sinks.append(_video_sink(output.save, frames, path, drawing, outputs))
    if output.plot:
        sinks.append(TimelineSink(output.plot, title=Path(path).name, outputs=outputs))
    _follow(live, frames, sinks, Status(live.refresh), tracks=TrackTable())


def _video_sink(
    path: Path, frames: Source, source: str, drawing: DrawOptions, outputs: Outputs
) -> VideoSink:
    """Return a sink for a video like the source, with its sound if it is a video too."""
    sound = source if isinstance(frames, VideoFile) else None
    return VideoSink(path, fps=frames.fps or 25, sound=sound, drawing=drawing, outputs=outputs)


class Status(FrameRate):
    """How a stream goes, in one line: ``24 frames/s · 2 faces · emotion every frame``.

    Args:
        refresh: Name of each attribute to the seconds between runs on one face, 0 for every frame.
    """

    def __init__(self, refresh: Mapping[str, float]) -> None:
        super().__init__()
        self._schedule = _describe_schedule(refresh)
        self._num_faces = 0

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        super().write(frame, faces)
        self._num_faces = len(faces)

    def __str__(self) -> str:
        rate = f"{self.fps:.0f} frames/s" if self.fps else ""
        parts = [rate, counted(self._num_faces, "face"), self._schedule]
        return " · ".join(filter(None, parts))


def _describe_schedule(refresh: Mapping[str, float]) -> str:
    """Return how often attributes are read: ``emotion every frame, age and sex once a second``."""
    names: dict[float, list[str]] = {}
    for name, seconds in refresh.items():
        names.setdefault(seconds, []).append(name)
    usual = {0.0: "every frame", 1.0: "once a second"}
    return ", ".join(
        f"{_joined(names[seconds])} {usual.get(seconds, f'every {seconds:g} s')}"
        for seconds in sorted(names)
    )


def _follow(
    live: LiveAnalysis,
    source: Source,
    sinks: Sequence[Sink],
    status: Status,
    *,
    tracks: TrackTable | None = None,
) -> None:
    """Run to the end, a key or a signal, with a line of status; then print what was seen.

    Args:
        live: Analyzes the frames.
        source: Of the frames.
        sinks: Where results go.
        status: Printed on a terminal.
        tracks: Filled, and printed at the end.
    """
    from faceattr.streaming.analysis import play

    began = time.monotonic()
    endings: list[FaceattrError] = []
    exit_status = 1
    total = live.options.max_frames or source.num_frames
    results = play(live, source, [status, *([tracks] if tracks else []), *sinks])
    try:
        with closing(results), progress_bar("loading", total) as update:
            for frame, _ in results:
                update(frame.index + 1, str(status))
    except KeyboardInterrupt:
        of = f" of {source.num_frames:,}" if source.num_frames else ""
        endings.append(FaceattrError(f"interrupted after {live.num_frames:,}{of} frames"))
        exit_status = INTERRUPTED
    except FaceattrError as error:
        if not live.num_frames:
            raise
        endings.append(FaceattrError(f"{error}; {live.num_frames} frames are done"))
    if tracks:
        show(f"frames: {live.num_frames}, faces: {live.num_tracks}")
        print_tracks(tracks)
    skipped = f" ({source.num_dropped:,} skipped)" if source.num_dropped else ""
    faces = counted(live.num_tracks, "face") if live.num_tracks else "no face"
    files = _joined(list(_describe_files(sinks)))
    summary = (
        f"{counted(live.num_frames, 'frame')}{skipped}, {faces}, "
        f"{time.monotonic() - began:.1f} s{f'; wrote {files}' if files else ''}"
    )
    exit_with(endings, status=exit_status, closing=summary)


def _describe_files(sinks: Sequence[Sink]) -> Iterator[str]:
    """Yield the files that sinks have written, and how a video is encoded."""
    for sink in sinks:
        for path in filter(os.path.lexists, sink.paths):
            if not isinstance(sink, VideoSink):
                yield str(path)
            elif sink.codec == "MPEG-4":
                yield f"{path} (MPEG-4; for H.264 with sound: pip install 'faceattr[h264]')"
            else:
                yield f"{path} ({sink.codec})"


def _joined(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
