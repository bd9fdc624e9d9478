"""For pictures that are face crops already."""

from __future__ import annotations

from collections.abc import Iterator

from faceattr.detectors.base import Detector
from faceattr.types import BGRImage, Detection


class WholeDetector(Detector):
    """No search: the whole picture is one face, already cropped."""

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        height, width = image.shape[:2]
        return [Detection((0.0, 0.0, float(width), float(height)), confidence=1.0)]

    def _search(self, image: BGRImage, min_face: float | None) -> Iterator[Detection]:
        """Return the one face; a tile of it is none."""
        yield from self.find(image, min_face)
