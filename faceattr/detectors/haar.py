"""OpenCV's Haar cascade of frontal faces, which comes with opencv-python."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import cv2.data

from faceattr.detectors.base import Detector
from faceattr.detectors.calibration import Framing, Logistic
from faceattr.detectors.scales import resize, scale_to
from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError
from faceattr.types import BGRImage, Detection

CASCADE = "haarcascade_frontalface_default.xml"
SMALLEST_FACE = 24.0  # px, the window of the cascade, and by little more as high
MOST_PIXELS = 1_000_000  # of the picture that is searched, where min_face is not given
SCALE_STEP = 1.1  # between two sizes of the window
MIN_NEIGHBORS = 3  # windows that must agree on a face
SCORES = Logistic(even=3.7, slope=0.84)  # of the sum of the last stage
FRAMING = Framing(right=0.0, down=0.02, wider=0.795, higher=1.03)


class HaarDetector(Detector):
    """Haar cascade of frontal faces; quick, no landmarks.

    The confidence is the cascade's score through a logistic curve, so it grows with
    certainty.

    Reference: Viola and Jones, Rapid object detection using a boosted cascade of simple
    features, CVPR 2001.
    """

    def load(self, engine: Engine) -> None:
        """See the base class."""
        path = Path(cv2.data.haarcascades) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} comes without {CASCADE}; "
                "pip install 'opencv-python>=4.12,<5'"
            )
        self._windows = _Windows(path)

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scale = _search_scale(image.shape, min_face)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2GRAY)
        if min(level.shape) < SMALLEST_FACE:
            return []
        smallest = round(max(SMALLEST_FACE, (min_face or 0) * scale))
        boxes, _, scores = self._windows.cascade.detectMultiScale3(
            level,
            scaleFactor=SCALE_STEP,
            minNeighbors=MIN_NEIGHBORS,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        return [
            Detection(
                FRAMING.apply((x / scale, y / scale, (x + width) / scale, (y + height) / scale)),
                SCORES.confidence(score),
            )
            for (x, y, width, height), score in zip(boxes, scores, strict=True)
        ]


class _Windows(threading.local):
    """OpenCV's cascade, which keeps a picture's state in it: one for each thread."""

    def __init__(self, path: Path) -> None:
        self.cascade = cv2.CascadeClassifier(str(path))


def _search_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return how much to scale a picture of that height and width before it is searched."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MOST_PIXELS / (height * width)) ** 0.5))
