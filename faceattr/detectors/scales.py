"""A picture at several scales, for networks that see faces of some sizes only."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2

from faceattr.types import BBox, BGRImage

MOST_PIXELS_ASKED = 32_000_000  # of a level, however small the faces asked for; takes ssd 3 GB


class Level(NamedTuple):
    """A scale at which a picture is searched, and what it is searched for.

    Attributes:
        scale: Size of the level as a share of the picture's.
        smallest: Longer side of the smallest box to report, in px of the picture.
        largest: The same of the largest.
    """

    scale: float
    smallest: float
    largest: float

    def reports(self, bbox: BBox) -> bool:
        """Return whether a face of this size is this level's to report."""
        return self.smallest <= max(bbox[2] - bbox[0], bbox[3] - bbox[1]) < self.largest


def scale_to(
    smallest: float, shape: tuple[int, ...], min_face: float, most_pixels: float = MOST_PIXELS_ASKED
) -> float:
    """Return the scale at which the smallest face asked for is as large as a network needs.

    Args:
        smallest: What the network needs, in px.
        shape: Height and width of the picture in px.
        min_face: Smallest face to look for, in px of the picture. Faces that would need a level
            of more than `most_pixels` are not looked for: tiles find them.
        most_pixels: Of a level.
    """
    height, width = shape[:2]
    return min(smallest / min_face, math.sqrt(most_pixels / (height * width)))


def levels(
    shape: tuple[int, ...],
    finest: float,
    *,
    step: float,
    last_side: float,
    good_sizes: tuple[float, float],
) -> list[Level]:
    """Return the levels that together find faces of all sizes, the finest first.

    Args:
        shape: Height and width of the picture in px.
        finest: Scale at which the smallest face is large enough.
        step: Scale of each level against the next.
        last_side: Longer side of the last level in px.
        good_sizes: Smallest and largest box in px of a level that the network is good at.
            The first level reports smaller ones too, the last one larger ones.
    """
    last = last_side / max(shape[:2])
    count = max(0, math.ceil(math.log(finest / last, step)))
    scales = [*(finest / step**index for index in range(count)), last]
    smallest = [0.0, *(good_sizes[0] / scale for scale in scales[1:])]
    largest = [*(good_sizes[1] / scale for scale in scales[:-1]), math.inf]
    return list(map(Level, scales, smallest, largest))


def resize(image: BGRImage, scale: float) -> BGRImage:
    """Return the image at that scale, at least one px wide and high."""
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
