"""Faces seen from the side, by the cascade that comes with OpenCV."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import cv2
import cv2.data
import numpy as np

from faceattr import BGRImage, Detection, Detector, Engine, Finder, Search

CASCADE = "haarcascade_profileface.xml"
SMALLEST_FACE = 24.0  # pixels, a little more than the window of the cascade
MAX_PIXELS = 1_000_000  # of the image that is searched, where min_face is not given
SCALE_STEP, MIN_NEIGHBORS = 1.1, 3  # between two sizes of the window; windows that must agree

# Measured on 150 images of WIDER FACE: confidence by score, and the face within the window.
MIDPOINT, SLOPE = 0.19, 1.39
FORWARD, DOWN, WIDTH, HEIGHT = 0.11, 0.03, 0.69, 0.875  # shares of the window's side


class ProfileDetector(Detector):
    """Haar cascade of faces from the side, looking either way; no landmarks."""

    api_version = 2

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        local = _Cascade()

        def find(image: BGRImage, search: Search) -> list[Detection]:
            height, width = image.shape[:2]
            scale = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
            if search.min_face is not None:
                scale = min(1.0, SMALLEST_FACE / search.min_face)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            gray = cv2.cvtColor(
                cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
            )
            if min(gray.shape) < SMALLEST_FACE:
                return []
            mirrored = np.ascontiguousarray(gray[:, ::-1])
            found = [_scaled(one, 1 / scale) for one in _find_left(local.cascade, gray)]
            for one in _find_left(local.cascade, mirrored):
                x1, y1, x2, y2 = _scaled(one, 1 / scale).bbox
                found.append(Detection((width - x2, y1, width - x1, y2), one.confidence))
            return found

        return find


class _Cascade(threading.local):
    """The cascade, one for each thread: it keeps the state of a search."""

    def __init__(self) -> None:
        self.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)


def _find_left(cascade: cv2.CascadeClassifier, gray: BGRImage) -> Iterator[Detection]:
    """Yield the faces that look to the left."""
    boxes, _, scores = cascade.detectMultiScale3(
        gray,
        scaleFactor=SCALE_STEP,
        minNeighbors=MIN_NEIGHBORS,
        minSize=(int(SMALLEST_FACE),) * 2,
        outputRejectLevels=True,
    )
    for (x, y, side, _), score in zip(boxes, scores, strict=True):
        center, half = float(x + side * (0.5 - FORWARD)), float(side * WIDTH / 2)
        top, height = float(y + side * (0.5 + DOWN - HEIGHT / 2)), float(side * HEIGHT)
        confidence = 1 / (1 + math.exp(-SLOPE * (score - MIDPOINT)))
        yield Detection((center - half, top, center + half, top + height), confidence)


def _scaled(detection: Detection, factor: float) -> Detection:
    x1, y1, x2, y2 = detection.bbox
    return Detection((x1 * factor, y1 * factor, x2 * factor, y2 * factor), detection.confidence)
