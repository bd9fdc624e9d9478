"""A diagram of what was read off each face of a video over time."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.images import printable
from faceattr.outputs import Outputs
from faceattr.palette import color_of
from faceattr.streaming.sinks.base import Sink, require_time
from faceattr.types import (
    Attribute,
    BGRImage,
    Classification,
    Descriptor,
    Estimate,
    Face,
    Frame,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Times: TypeAlias = NDArray[np.float64]
"""(N,) timestamps in seconds."""

Readings: TypeAlias = list[tuple[float, Attribute]]
"""Timestamps in seconds, and what was known then."""

MOST_TRACKS = 12  # those seen longest; more are hard to read
WIDTH, HEIGHT, MARGIN = 6.0, 1.5, 1.3  # inches of a diagram, and above and below all of them
STRIP = 0.6  # inches, height of the pictures along the time axis
STRIP_WIDTH = 5.2  # inches of a diagram without its labels
GAP = 0.5  # seconds without a face that are left empty
NOTHING = "nothing was read off any face"
LINE_COLOR = "#404040"
BAND = "± standard deviation"
STRIP_PIXELS = 120  # height of a picture
MOST_PICTURES = 32  # that are kept; a strip shows fewer


class TimelineSink(Sink):
    """Draws a row of diagrams per track, one per attribute, when it is closed.

    A classification becomes areas, each as high as its label is probable; an estimate becomes
    a line, with a band of its standard deviation if it has one. Descriptors are left out. Above
    the diagrams, a strip of frames shows what happens when.

    Args:
        path: Picture to write; its suffix tells the format.
        title: Title of the picture, such as the name of the video.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        SinkError: The file cannot be written, or has another ending.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        title: str = "",
        outputs: Outputs | None = None,
    ) -> None:
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
        self._title = title
        self._is_closed = False
        self._strip = FilmStrip()
        self._tracks: dict[int, dict[str, Readings]] = {}

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        timestamp = require_time(frame)
        self._strip.add(frame)
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
        self._figure.clear()
        tracks = self._longest_tracks()
        if any(tracks.values()):
            self._draw(tracks)
        else:
            self._figure.set_size_inches(WIDTH, HEIGHT + MARGIN)
            self._figure.text(0.5, 0.5, NOTHING, ha="center", va="center")
        with self._output.replacing() as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self._figure.savefig(file, format=self._format)

    def _draw(self, tracks: Mapping[int, Mapping[str, Readings]]) -> None:
        names = list(dict.fromkeys(name for track in tracks.values() for name in track))
        self._figure.set_size_inches(WIDTH * len(names), STRIP + HEIGHT * len(tracks) + MARGIN)
        if self._title:
            self._figure.suptitle(_plain(self._title))
        strips, *rows = self._figure.subplots(
            1 + len(tracks),
            len(names),
            sharex=True,
            squeeze=False,
            height_ratios=[STRIP] + [HEIGHT] * len(tracks),
        )
        for row, (track_id, track) in zip(rows, tracks.items(), strict=True):
            row[0].set_title(f"#{track_id}", loc="left", weight="bold", fontsize="medium")
            for axes, first, name in zip(row, rows[0], names, strict=True):
                axes.sharey(first)
                _draw_readings(axes, track.get(name, []))
        for column, name in zip(np.transpose([strips, *rows]), names, strict=True):
            self._strip.draw(column[0])
            _label(column, name)

    def _longest_tracks(self) -> dict[int, dict[str, Readings]]:
        """Return the tracks that were read most often, in the order of their numbers."""

        def count(track_id: int) -> int:
            return max(map(len, self._tracks[track_id].values()), default=0)

        longest = sorted(self._tracks, key=count, reverse=True)[:MOST_TRACKS]
        return {track_id: self._tracks[track_id] for track_id in sorted(longest)}


class FilmStrip:
    """Small pictures of a stream, evenly spread over it, however long it is."""

    def __init__(self) -> None:
        self._pictures: list[tuple[float, BGRImage]] = []  # timestamps in seconds
        self._step = 0.0  # seconds between them
        self._due = -math.inf
        self._end = 0.0  # timestamp of the last frame

    def add(self, frame: Frame) -> None:
        """Keep a frame, small, if it is time for one."""
        self._end = frame.timestamp
        if frame.timestamp < self._due:
            return
        height, width = frame.image.shape[:2]
        size = max(1, round(width * STRIP_PIXELS / height)), STRIP_PIXELS
        small = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._pictures.append((frame.timestamp, small))
        if len(self._pictures) == 2 * MOST_PICTURES:
            self._pictures = self._pictures[::2]
            self._step = (frame.timestamp - self._pictures[0][0]) / MOST_PICTURES
        self._due = frame.timestamp + self._step

    def draw(self, axes: Axes) -> None:
        """Draw as many pictures side by side as there is room for, each at its time."""
        begin, end = self._pictures[0][0], self._end
        height, width = self._pictures[0][1].shape[:2]
        number = min(max(1, round(STRIP_WIDTH / STRIP * height / width)), MOST_PICTURES)
        edges = np.linspace(begin, max(end, begin + 1e-3), number + 1)
        for left, right in pairwise(edges):
            middle = (left + right) / 2
            _, picture = min(self._pictures, key=lambda one: abs(one[0] - middle))
            axes.imshow(
                _cut_to(picture, STRIP_WIDTH / number / STRIP)[..., ::-1],
                extent=(left, right, 0, 1),
                aspect="auto",
            )
            axes.axvline(left, color="white", lw=1)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_axis_off()


def _cut_to(picture: BGRImage, aspect: float) -> BGRImage:
    """Return the middle of a picture, in that ratio of width to height."""
    height, width = picture.shape[:2]
    columns = min(width, max(1, round(height * aspect)))
    rows = min(height, max(1, round(columns / aspect)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[top : top + rows, left : left + columns]


def _draw_readings(axes: Axes, readings: Readings) -> None:
    axes.spines[["top", "right"]].set_visible(False)
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
    labels = list(dict.fromkeys(label for one in scores for label in one))
    colors = [color_of(label, labels) for label in labels]
    heights = [[one.get(label, 0.0) for one in scores] for label in labels]
    axes.stackplot(times, heights, labels=map(_plain, labels), colors=colors)
    axes.set_ylim(0, 1)
    axes.set_ylabel("probability")


def _draw_line(axes: Axes, times: Times, estimates: Sequence[Estimate]) -> None:
    values = np.array([one.value for one in estimates])
    stds = np.array([one.std or 0.0 for one in estimates])
    axes.plot(times, values, color=LINE_COLOR, label="estimate")
    if stds.any():
        low, high = values - stds, values + stds
        axes.fill_between(times, low, high, color=LINE_COLOR, alpha=0.2, lw=0, label=BAND)
    axes.set_ylabel(_plain(estimates[0].unit))


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
    column[-1].set_xlabel("time in seconds")


def _plain(text: str) -> str:
    """Return text that Matplotlib shows as it is: no formula, and nothing that it hides."""
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
