"""What a detector is: something that finds the faces of a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from faceattr.boxes import suppress
from faceattr.detectors.tiles import LARGEST_FACE, tiles
from faceattr.engines.base import Engine
from faceattr.errors import OptionError
from faceattr.types import BBox, BGRImage, Detection
from faceattr.weights import Weights

MAX_OVERLAP = 0.7  # of two faces, as a share of the smaller box; MTCNN's own
SMALLEST_TILE = 100  # px


class Detector(ABC):
    """Finds faces. A subclass says how in `find`; what all share is done here.

    Attributes:
        default_threshold: Smallest confidence of a detection, where a user gives none.
        weights: Files that `load` fetches.

    Args:
        threshold: Smallest confidence of a detection, in [0, 1]; None for the detector's own.
        min_face: Longer side of the smallest box, in px, or below 1 as a share of the
            picture's shorter side; None for a size that suits the picture and the detector.
        max_faces: Keep only the most confident ones; None for all.
        tile_size: Search a picture that is larger in overlapping squares of this side in px
            and once as a whole for what is too large for them. Each tile is searched as a
            picture of its own, which finds small faces without `min_face`, and keeps memory
            small with it. None for no tiles.

    Raises:
        OptionError: An argument is outside its range.
    """

    default_threshold: ClassVar[float] = 0.5
    weights: ClassVar[tuple[Weights, ...]] = ()

    def __init__(
        self,
        *,
        threshold: float | None = None,
        min_face: float | None = None,
        max_faces: int | None = None,
        tile_size: int | None = None,
    ) -> None:
        self.threshold = self.default_threshold if threshold is None else threshold
        self.min_face = min_face
        self.max_faces = max_faces
        self.tile_size = tile_size
        if not 0 <= self.threshold <= 1:
            raise OptionError(f"threshold is {threshold}; it must lie in [0, 1]")
        if min_face is not None and not min_face > 0:
            raise OptionError(f"min_face is {min_face}; it must be above 0")
        if max_faces is not None and max_faces < 1:
            raise OptionError(f"max_faces is {max_faces}; it must be at least 1")
        if tile_size is not None and tile_size < SMALLEST_TILE:
            raise OptionError(f"tile_size is {tile_size}; it must be at least {SMALLEST_TILE}")

    def load(self, engine: Engine) -> None:
        """Make ready what is heavy; called once, before the first `find`."""

    @abstractmethod
    def find(self, image: BGRImage, min_face: float | None) -> Sequence[Detection]:
        """Return the faces of the image, in any order, maybe partly outside of it.

        Several threads may call this at once. What is below `threshold` or `min_face`, or
        says the same as another, may be among them.

        Args:
            image: (H, W, 3) BGR uint8 of at least 1×1 px, not to be written to.
            min_face: Longer side of the smallest box to look for, in px; None for a size
                that suits the picture.
        """

    def detect(self, image: BGRImage) -> list[Detection]:
        """Return the faces of the image, the most confident first; maybe none.

        Boxes lie inside the image and are at least one px wide and high.
        """
        height, width = image.shape[:2]
        min_face = self.min_face
        if min_face is not None and min_face < 1:
            min_face *= min(height, width)
        found = [
            replace(detection, bbox=bbox)
            for detection in self._search(image, min_face)
            if detection.confidence >= self.threshold
            and _longer_side(detection.bbox) >= (min_face or 0)
            and (bbox := _clip(detection.bbox, width, height)) is not None
        ]
        return _distinct(found)[: self.max_faces]

    def _search(self, image: BGRImage, min_face: float | None) -> Iterator[Detection]:
        """Look at the whole picture, or there only for what is too large for its tiles."""
        parts = tiles(image.shape, self.tile_size) if self.tile_size else []
        largest = (self.tile_size or 0) * LARGEST_FACE
        if len(parts) < 2 or (min_face or 0) > largest:
            yield from self.find(image, min_face)
            return
        yield from self.find(image, largest)
        for tile in parts:
            for detection in self.find(tile.cut(image), min_face):
                if (placed := tile.place(detection)) is not None:
                    yield placed


def _distinct(found: Sequence[Detection]) -> list[Detection]:
    """Return one detection of each face, the most confident first."""
    boxes = np.array([detection.bbox for detection in found]).reshape(-1, 4)
    scores = np.array([detection.confidence for detection in found])
    rows = suppress(boxes, scores, MAX_OVERLAP, of_smaller=True)
    return [found[row] for row in sorted(rows, key=lambda row: (-scores[row], row))]


def _longer_side(bbox: BBox) -> float:
    return max(bbox[2] - bbox[0], bbox[3] - bbox[1])


def _clip(bbox: BBox, width: int, height: int) -> BBox | None:
    """Return the part of the box inside the picture, None if there is none."""
    x1, x2 = np.clip((bbox[0], bbox[2]), 0, width).tolist()
    y1, y2 = np.clip((bbox[1], bbox[3]), 0, height).tolist()
    return (x1, y1, x2, y2) if x2 - x1 >= 1 and y2 - y1 >= 1 else None
