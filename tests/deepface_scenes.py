"""Stand-ins for the tests of deepface's calls: pictures, and a detector of fixed boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.data import astronaut

from faceattr.detectors.base import Detector, Search
from faceattr.types import BBox, BGRImage, Detection

WOMAN: BGRImage = np.ascontiguousarray(astronaut()[:, :, ::-1])  # type: ignore[no-untyped-call]
NOBODY: BGRImage = np.full((100, 80, 3), 90, np.uint8)
EYES = ((60.0, 80.0), (70.0, 85.0))
"""Eyes of a face in `NOBODY` with a border of 40 pixels at the sides and 50 above and below."""


class Told(Detector):
    """Finds the same boxes in every image, and remembers the image."""

    def __init__(self, bboxes: Sequence[BBox], eyes: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.images: list[BGRImage] = []
        landmarks = np.array([*eyes, (0, 0), (0, 0), (0, 0)], np.float32)
        self._found = [Detection(bbox, 0.987, landmarks) for bbox in bboxes]

    def find(self, image: BGRImage, search: Search) -> list[Detection]:
        self.images.append(image)
        return self._found
