"""Large pictures in overlapping squares, so that each small face is whole in one of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from faceattr.types import BGRImage, Detection

OVERLAP = 0.25  # of a tile with the next, as a share of its side
LARGEST_FACE = OVERLAP / 2  # that is sure to be whole in a tile, as a share of its side


class Span(NamedTuple):
    """The part of one axis of a picture that a tile takes, in px."""

    start: int
    end: int
    low: float
    """Where the middle of a face has to lie at least, so that no cut goes through the face."""
    high: float
    """Where it has to lie at most."""

    def holds(self, start: float, end: float) -> bool:
        """Return whether what extends from start to end is this tile's to report."""
        return self.low <= (start + end) / 2 <= self.high


class Tile(NamedTuple):
    """A part of a picture that is searched as a picture of its own."""

    columns: Span
    rows: Span

    def cut(self, image: BGRImage) -> BGRImage:
        """Return the part of the image."""
        return image[self.rows.start : self.rows.end, self.columns.start : self.columns.end]

    def place(self, detection: Detection) -> Detection | None:
        """Return what was found in the tile in px of the picture, None if a cut may spoil it."""
        corner = (self.columns.start, self.rows.start)
        x1, y1, x2, y2 = np.add(detection.bbox, corner * 2).tolist()
        if not (self.columns.holds(x1, x2) and self.rows.holds(y1, y2)):
            return None
        landmarks = detection.landmarks
        if landmarks is not None:
            landmarks = landmarks + np.array(corner, np.float32)
        return replace(detection, bbox=(x1, y1, x2, y2), landmarks=landmarks)


def tiles(shape: tuple[int, ...], side: int) -> list[Tile]:
    """Return squares that cover a picture of that height and width; one if it is no larger."""
    height, width = shape[:2]
    return [Tile(columns, rows) for rows in spans(height, side) for columns in spans(width, side)]


def spans(length: int, side: int) -> list[Span]:
    """Return stretches of that side, or one that is shorter, spread evenly over the length."""
    last, margin = max(length - side, 0), side * LARGEST_FACE / 2
    count = math.ceil(last / (side * (1 - OVERLAP))) + 1
    starts = np.linspace(0, last, count).round().astype(int).tolist()
    return [
        Span(
            start,
            end := min(start + side, length),
            low=start + margin if start > 0 else -math.inf,
            high=end - margin if end < length else math.inf,
        )
        for start in starts
    ]
