"""Faces seen from the side, by the cascade that comes with OpenCV."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import cv2
import cv2.data
import numpy as np

from faceattr import BGRImage, Detection, Detector
from faceattr.engines.base import Engine

CASCADE = "haarcascade_profileface.xml"
SMALLEST_FACE = 24.0  # px, a little more than the window of the cascade
MOST_PIXELS = 1_000_000  # of the picture that is searched, where min_face is not given
SCALE_STEP, MIN_NEIGHBORS = 1.1, 3  # between two sizes of the window; windows that must agree

# On 150 pictures of WIDER FACE: how sure a score makes, and where the face is in the window.
EVEN, SLOPE = 0.19, 1.39
FORWARD, DOWN, WIDER, HIGHER = 0.11, 0.03, 0.69, 0.875  # shares of the window's side


class ProfileDetector(Detector):
    """Haar cascade of faces from the side, looking either way; no landmarks."""

    contract = 1

    def load(self, engine: Engine) -> None:
        """See the base class."""
        self._windows = _Windows()

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        height, width = image.shape[:2]
        scale = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
        if min_face is not None:
            scale = min(1.0, SMALLEST_FACE / min_face)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        gray = cv2.cvtColor(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
        )
        if min(gray.shape) < SMALLEST_FACE:
            return []
        found = [*self._look(gray, mirrored=False), *self._look(gray, mirrored=True)]
        return [_scaled(detection, 1 / scale) for detection in found]

    def _look(self, gray: BGRImage, *, mirrored: bool) -> Iterator[Detection]:
        """Yield the faces that look to the left, or in the mirror those that look to the right."""
        picture = np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray
        boxes, _, scores = self._windows.cascade.detectMultiScale3(
            picture,
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBORS,
            minSize=(int(SMALLEST_FACE),) * 2,
            outputRejectLevels=True,
        )
        for (x, y, side, _), score in zip(boxes, scores, strict=True):
            center, half = x + side * (0.5 - FORWARD), side * WIDER / 2
            if mirrored:
                center = gray.shape[1] - center
            top = y + side * (0.5 + DOWN - HIGHER / 2)
            bbox = center - half, top, center + half, top + side * HIGHER
            confidence = 1 / (1 + math.exp(-SLOPE * (score - EVEN)))
            yield Detection(tuple(map(float, bbox)), confidence)  # type: ignore[arg-type]


def _scaled(detection: Detection, factor: float) -> Detection:
    x1, y1, x2, y2 = detection.bbox
    return Detection((x1 * factor, y1 * factor, x2 * factor, y2 * factor), detection.confidence)


class _Windows(threading.local):
    """The cascade, which keeps a picture's state in it: one for each thread."""

    def __init__(self) -> None:
        self.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
