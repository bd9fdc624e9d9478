"""Large images in overlapping squares, so that each small face lies whole in one of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.types import BGRImage, Detection

OVERLAP = 0.25  # of a tile with the next, as a share of its side
LARGEST_FACE = OVERLAP / 2  # that always lies whole in a tile, as a share of its side


class Span(NamedTuple):
    """The part of one axis of an image that a tile covers, in pixels.

    Attributes:
        start: First pixel.
        end: One past the last.
        low: Lowest center of a face that the tile reports; no edge cuts through such a face.
        high: Highest center.
    """

    start: int
    end: int
    low: float
    high: float

    def reports(self, start: Any, end: Any) -> Any:
        """Return whether this tile reports a face from start to end; of each, if arrays are."""
        center = (start + end) / 2
        return (self.low <= center) & (center <= self.high)


class Tile(NamedTuple):
    """A part of an image that is searched as an image of its own."""

    columns: Span
    rows: Span

    def cut(self, image: BGRImage) -> BGRImage:
        """Return the part of the image."""
        return image[self.rows.start : self.rows.end, self.columns.start : self.columns.end]

    @property
    def corner(self) -> tuple[int, int]:
        """Its left upper pixel, x and y."""
        return self.columns.start, self.rows.start

    def reports(self, boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return for each of (N, 4) boxes of the image whether no edge may cut through it."""
        x1, y1, x2, y2 = boxes.T
        reported: NDArray[np.bool_] = self.columns.reports(x1, x2) & self.rows.reports(y1, y2)
        return reported

    def place(self, detection: Detection) -> Detection | None:
        """Return a detection in pixels of the image; None if an edge may cut through the face."""
        x1, y1, x2, y2 = np.add(detection.bbox, self.corner * 2).tolist()
        if not (self.columns.reports(x1, x2) and self.rows.reports(y1, y2)):
            return None
        landmarks = detection.landmarks
        if landmarks is not None:
            landmarks = landmarks + np.array(self.corner, np.float32)
        return replace(detection, bbox=(x1, y1, x2, y2), landmarks=landmarks)


def tiles(shape: tuple[int, ...], side: int) -> list[Tile]:
    """Return squares that cover an image of that height and width; one if it is no larger."""
    height, width = shape[:2]
    return [Tile(columns, rows) for rows in spans(height, side) for columns in spans(width, side)]


def spans(length: int, side: int) -> list[Span]:
    """Return spans of that side, spread evenly over the length; a shorter one if that is all."""
    if length <= side:
        return [Span(0, length, -math.inf, math.inf)]
    last, margin = length - side, side * LARGEST_FACE / 2
    count = math.ceil(last / (side * (1 - OVERLAP))) + 1
    starts = np.linspace(0, last, count).round().astype(int).tolist()
    return [
        Span(
            start,
            end := start + side,
            low=start + margin if start > 0 else -math.inf,
            high=end - margin if end < length else math.inf,
        )
        for start in starts
    ]
