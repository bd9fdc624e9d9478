"""OpenCV's Haar cascade of frontal faces, which comes with opencv-python."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import cv2.data

from faceattr.detectors.base import Detector, Finder, Search
from faceattr.detectors.calibration import BoxOffset, Logistic
from faceattr.detectors.scales import resize, scale_to
from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError
from faceattr.types import BGRImage, Detection

CASCADE = "haarcascade_frontalface_default.xml"
SMALLEST_FACE = 24.0  # pixels; the cascade's window is as wide, and hardly higher
MAX_PIXELS = 1_000_000  # of the image that is searched, if min_face is not given
SCALE_STEP = 1.1  # between two sizes of the window
MIN_NEIGHBORS = 3  # overlapping windows that make a face
SCORES = Logistic(midpoint=3.7, slope=0.84)  # of the sum of the last stage
BOX = BoxOffset(x=0.0, y=0.02, width=0.795, height=1.03)


class HaarDetector(Detector):
    """Haar cascade of frontal faces; fast, no landmarks.

    The confidence is the cascade's score through a logistic curve, so that it grows with
    certainty.

    Reference: Viola and Jones, Rapid object detection using a boosted cascade of simple
    features, CVPR 2001.
    """

    license = "BSD-3-Clause; in Intel's words, data not published"

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        path = Path(cv2.data.haarcascades) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} comes without {CASCADE}; "
                "pip install 'opencv-python>=4.12,<5'"
            )
        return _HaarFinder(path)


class _HaarFinder:
    def __init__(self, path: Path) -> None:
        self._cascade = _Cascade(path)

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        scale = _search_scale(image.shape, search.min_face)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2GRAY)
        if min(level.shape) < SMALLEST_FACE:
            return []
        min_size = round(max(SMALLEST_FACE, (search.min_face or 0) * scale))
        boxes, _, scores = self._cascade.classifier.detectMultiScale3(
            level,
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBORS,
            minSize=(min_size, min_size),
            outputRejectLevels=True,
        )
        return [
            Detection(
                BOX.apply((x / scale, y / scale, (x + width) / scale, (y + height) / scale)),
                SCORES.confidence(score),
            )
            for (x, y, width, height), score in zip(boxes, scores, strict=True)
        ]


class _Cascade(threading.local):
    """OpenCV's cascade; it holds the state of a search, so each thread has its own."""

    def __init__(self, path: Path) -> None:
        self.classifier = cv2.CascadeClassifier(str(path))


def _search_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return the scale at which to search an image of that height and width."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MAX_PIXELS / (height * width)) ** 0.5))
