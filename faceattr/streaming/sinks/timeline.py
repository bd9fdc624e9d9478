"""A diagram of what was read off each face of a video over time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.images import printable
from faceattr.outputs import Outputs
from faceattr.streaming.sinks.base import Sink, require_time
from faceattr.types import Attribute, Classification, Descriptor, Estimate, Face, Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Times: TypeAlias = NDArray[np.float64]
"""(N,) timestamps in seconds."""

Readings: TypeAlias = list[tuple[float, Attribute]]
"""Timestamps in seconds, and what was known then."""

MOST_TRACKS = 12  # those seen longest; more are hard to read
WIDTH, HEIGHT, MARGIN = 6.0, 1.6, 0.9  # inches of a diagram, and above all of them
GAP = 0.5  # seconds without a face that are left empty
NOTHING = "nothing was read off any face"
LINE_COLOR = "#3565a8"


class TimelineSink(Sink):
    """Draws a row of diagrams per track, one per attribute, when it is closed.

    A classification becomes areas, each as high as its label is probable; an estimate becomes
    a line, with a band of its standard deviation if it has one. Descriptors are left out.

    Args:
        path: Picture to write; its suffix tells the format.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        SinkError: The file cannot be written, or has another ending.
    """

    def __init__(self, path: str | os.PathLike[str], *, outputs: Outputs | None = None) -> None:
        try:
            from matplotlib.figure import Figure  # not pyplot, which looks for a display
        except ImportError as error:
            raise MissingDependencyError(
                "a timeline needs Matplotlib: pip install 'faceattr[plot]'"
            ) from error
        self._figure = Figure(dpi=120, layout="constrained")
        endings = self._figure.canvas.get_supported_filetypes()
        self._format = Path(path).suffix.lower().lstrip(".")
        if self._format not in endings:
            raise SinkError(f"{path}: the name of a picture ends in .{', .'.join(sorted(endings))}")
        self._output = (outputs or Outputs(overwrite=True)).file(path)
        self.paths = (self._output.path,)
        self._is_closed = False
        self._tracks: dict[int, dict[str, Readings]] = {}

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        timestamp = require_time(frame)
        for face in faces:
            track = self._tracks.setdefault(face.track_id or 0, {})
            for name, attribute in face.attributes.items():
                if not isinstance(attribute, Descriptor):
                    track.setdefault(name, []).append((timestamp, attribute))

    def close(self) -> None:
        """See the base class."""
        if self._is_closed:
            return
        self._is_closed = True
        tracks = self._longest_tracks()
        names = list(dict.fromkeys(name for track in tracks.values() for name in track))
        self._figure.clear()
        self._figure.set_size_inches(WIDTH * max(len(names), 1), HEIGHT * len(tracks) + MARGIN)
        if names:
            grid = self._figure.subplots(
                len(tracks), len(names), sharex=True, sharey="col", squeeze=False
            )
            for row, (track_id, track) in zip(grid, tracks.items(), strict=True):
                row[0].set_ylabel(f"#{track_id}", rotation=0, ha="right", weight="bold")
                for axes, name in zip(row, names, strict=True):
                    _draw(axes, track.get(name, []))
            for column, name in zip(grid.T, names, strict=True):
                _label(column, name)
        else:
            self._figure.text(0.5, 0.5, NOTHING, ha="center", va="center")
        with self._output.replacing() as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self._figure.savefig(file, format=self._format)

    def _longest_tracks(self) -> dict[int, dict[str, Readings]]:
        """Return the tracks that were read most often, in the order of their numbers."""

        def count(track_id: int) -> int:
            return max(map(len, self._tracks[track_id].values()), default=0)

        longest = sorted(self._tracks, key=count, reverse=True)[:MOST_TRACKS]
        return {track_id: self._tracks[track_id] for track_id in sorted(longest)}


def _draw(axes: Axes, readings: Readings) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0)
    times = np.array([timestamp for timestamp, _ in readings])
    (gaps,) = np.nonzero(np.diff(times) > GAP)
    for part in np.split(np.arange(len(readings)), gaps + 1):
        attributes = [readings[index][1] for index in part]
        classified = [one.scores for one in attributes if isinstance(one, Classification)]
        estimated = [one for one in attributes if isinstance(one, Estimate)]
        if classified:
            _draw_areas(axes, times[part], classified)
        if estimated:
            _draw_line(axes, times[part], estimated)


def _draw_areas(axes: Axes, times: Times, scores: Sequence[Mapping[str, float]]) -> None:
    from matplotlib import colormaps

    labels = list(dict.fromkeys(label for one in scores for label in one))
    colors = colormaps["Set2"](np.arange(len(labels)) % 8)
    heights = [[one.get(label, 0.0) for one in scores] for label in labels]
    axes.stackplot(times, heights, labels=map(_plain, labels), colors=colors)
    axes.set_ylim(0, 1)


def _draw_line(axes: Axes, times: Times, estimates: Sequence[Estimate]) -> None:
    values = np.array([one.value for one in estimates])
    stds = np.array([one.std or 0.0 for one in estimates])
    axes.plot(times, values, color=LINE_COLOR, label=_plain(estimates[0].unit))
    axes.fill_between(times, values - stds, values + stds, color=LINE_COLOR, alpha=0.2, lw=0)


def _label(column: NDArray[np.object_], name: str) -> None:
    """Write what is drawn above the first of the diagrams, and the unit of time below the last."""
    handles = {
        label: handle
        for axes in column
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    column[0].legend(
        handles.values(),
        handles.keys(),
        title=_plain(name),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=4,
        frameon=False,
        fontsize="small",
    )
    column[-1].set_xlabel("seconds")


def _plain(text: str) -> str:
    """Return text that Matplotlib shows as it is: no formula, and nothing that it hides."""
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
