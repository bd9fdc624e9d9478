"""For images that are face crops already."""

from __future__ import annotations

from faceattr.detectors.base import Detector, Search
from faceattr.types import BGRImage, Detection


class WholeDetector(Detector):
    """No search: the whole image is one face, already cropped."""

    takes_tiles = False

    def find(self, image: BGRImage, search: Search) -> list[Detection]:
        """See the base class."""
        height, width = image.shape[:2]
        return [Detection((0.0, 0.0, float(width), float(height)), confidence=1.0)]
