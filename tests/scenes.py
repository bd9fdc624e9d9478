"""Stand-ins for streams: bright squares that move on black, and plugins that find and read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import cv2
import numpy as np
from conftest import Brightness

from faceattr.detectors.base import Detector, Search
from faceattr.types import BGRImage, Crops, Detection, Estimate, Face, Frame

SIDE = 20


class BrightSquares(Detector):
    """Finds what is brighter than black; brighter squares with more confidence."""

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        gray = np.asarray(image[..., 0])
        _, labels, stats, _ = cv2.connectedComponentsWithStats((gray > 50).astype(np.uint8))
        return [
            Detection((x, y, x + width, y + height), float(gray[labels == label].mean()) / 255)
            for label, (x, y, width, height, _) in enumerate(stats.tolist())
            if label > 0
        ]


class HeavyBrightness(Brightness):
    """Runs now and then, and remembers on how many faces each time."""

    attribute = "heavy"
    refresh: ClassVar[float] = 5.0

    def __init__(self) -> None:
        self.runs: list[int] = []

    def predict(self, crops: Crops) -> Sequence[Estimate]:
        self.runs.append(len(crops))
        return super().predict(crops)


def scene(
    *corners: tuple[int, int], level: int = 250, size: tuple[int, int] = (120, 160)
) -> BGRImage:
    """Squares with these upper left corners (x, y), in a picture of that height and width."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in corners:
        image[y : y + SIDE, x : x + SIDE] = level
    return image


def frames(images: Iterable[BGRImage], fps: float = 10.0) -> list[Frame]:
    return [Frame(image, index, index / fps) for index, image in enumerate(images)]


def value_of(face: Face, name: str) -> float:
    attribute = face.attributes[name]
    assert isinstance(attribute, Estimate)
    return attribute.value
