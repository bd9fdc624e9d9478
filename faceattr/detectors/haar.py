"""OpenCV's Haar cascade of frontal faces, which comes with opencv-python."""

from __future__ import annotations

from pathlib import Path

import cv2
import cv2.data
import numpy as np

from faceattr.detectors.base import Detector
from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError
from faceattr.types import BGRImage, Detection

CASCADE = "haarcascade_frontalface_default.xml"
SMALLEST_FACE = 24.0  # px, the window of the cascade
MOST_PIXELS = 1_000_000  # of the picture that is searched, where min_face is not given
SCALE_STEP = 1.1  # between two sizes of the window
MIN_NEIGHBORS = 5  # windows that must agree on a face
EVEN_SCORE = 3.0  # sum of the last stage at which a window is as often a face as not


class HaarDetector(Detector):
    """Haar cascade of frontal faces; quick, no landmarks.

    The confidence is the cascade's score through a logistic curve, so it grows with
    certainty.

    Reference: Viola and Jones, Rapid object detection using a boosted cascade of simple
    features, CVPR 2001.
    """

    default_threshold = 0.5

    def load(self, engine: Engine) -> None:
        """See the base class."""
        path = Path(cv2.data.haarcascades) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} comes without {CASCADE}; "
                "pip install 'opencv-python>=4.10,<5'"
            )
        self._path = str(path)

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scale = _search_scale(image.shape, min_face)
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if min(gray.shape) < SMALLEST_FACE:
            return []
        smallest = round(max(SMALLEST_FACE, (min_face or 0) * scale))
        # a cascade is not safe to share between threads, and quick to read
        boxes, _, scores = cv2.CascadeClassifier(self._path).detectMultiScale3(
            gray,
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBORS,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        return [
            Detection(
                bbox=(x / scale, y / scale, (x + width) / scale, (y + height) / scale),
                confidence=float(1 / (1 + np.exp(EVEN_SCORE - score))),
            )
            for (x, y, width, height), score in zip(boxes, scores, strict=True)
        ]


def _search_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return how much to shrink a picture of that height and width."""
    if min_face is not None:
        return min(1.0, SMALLEST_FACE / min_face)
    height, width = shape[:2]
    return float(min(1.0, (MOST_PIXELS / (height * width)) ** 0.5))
