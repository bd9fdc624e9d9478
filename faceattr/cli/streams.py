"""`faceattr stream` and `faceattr video`: faces over time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceattr.cli.flags import Without, with_flags
from faceattr.cli.rendering import exit_with, print_tracks, progress_bar, show
from faceattr.cli.signals import INTERRUPTED
from faceattr.errors import FaceattrError
from faceattr.images import printable
from faceattr.options import StreamOptions, option
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
from faceattr.streaming.sources import Source, open_source
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
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]", help="Number of a camera, address of a stream, or a file."
        ),
    ] = "0",
) -> None:
    """Watch a camera or stream; in the window q quits, space pauses, s saves a picture."""
    from faceattr.streaming.analysis import LiveAnalysis  # SciPy takes a moment

    live = LiveAnalysis.from_options(with_gallery(options))
    frames = open_source(source)
    outputs = Outputs(inputs=frames.paths, overwrite=output.overwrite)
    status = Status(live)
    sinks = output.open(outputs)
    if output.display:
        sinks.append(WindowSink(status=lambda: str(status), outputs=outputs))
    if output.record:
        sinks.append(VideoSink(output.record, fps=frames.fps or 25, outputs=outputs))
    _follow(live, frames, sinks, status)


@with_flags
def video(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A video, or a folder or glob of pictures.")
    ],
    options: Annotated[StreamOptions, Without({"budget"})],
    output: VideoOutput,
) -> None:
    """Follow the faces of a video and read their attributes; the table has one row per track."""
    from faceattr.streaming.analysis import LiveAnalysis
    from faceattr.streaming.sinks import TimelineSink

    live = LiveAnalysis.from_options(with_gallery(options))
    frames = open_source(path)
    outputs = Outputs(inputs=frames.paths, overwrite=output.overwrite)
    sinks = output.open(outputs)
    if output.save:
        sinks.append(VideoSink(output.save, fps=frames.fps or 25, outputs=outputs))
    if output.plot:
        sinks.append(TimelineSink(output.plot, outputs=outputs))
    _follow(live, frames, sinks, Status(live), tracks=TrackTable())


class Status(FrameRate):
    """How a stream goes, in one line: frames per second, faces, runs of each analyzer.

    Args:
        live: The analysis.
    """

    def __init__(self, live: LiveAnalysis) -> None:
        super().__init__()
        self._live = live
        self._num_faces = 0

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        super().write(frame, faces)
        self._num_faces = len(faces)

    def __str__(self) -> str:
        runs = (f"{name} {count}x" for name, count in self._live.num_runs.items())
        faces = f"{self._num_faces} face{'s' * (self._num_faces != 1)}"
        return "   ".join([f"{self.fps:.0f} fps", faces, *runs])


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

    endings: list[FaceattrError] = []
    exit_status = 1
    total = live.options.max_frames or source.num_frames
    results = play(live, source, [status, *([tracks] if tracks else []), *sinks])
    try:
        with closing(results), progress_bar("loading", total) as update:
            for frame, _ in results:
                update(frame.index + 1, str(status))
    except KeyboardInterrupt:
        endings.append(FaceattrError(f"interrupted after {live.num_frames} frames"))
        exit_status = INTERRUPTED
    except FaceattrError as error:
        if not live.num_frames:
            raise
        endings.append(FaceattrError(f"{error}; {live.num_frames} frames are done"))
    runs = ", ".join(f"{name} {count}" for name, count in live.num_runs.items())
    summary = f"frames: {live.num_frames} ({source.num_dropped} dropped); faces: {live.num_tracks}"
    show(printable(f"{summary}; runs: {runs or 'none'}"))
    if tracks:
        print_tracks(tracks, live.options.min_confidence)
    exit_with(endings, status=exit_status)
