"""YuNet, the face detector of OpenCV's zoo, by OpenCV's own reader of it."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors.base import Detector
from faceattr.detectors.scales import levels, resize, scale_to
from faceattr.engines.base import Engine
from faceattr.types import BGRImage, Detection
from faceattr.weights import Weights, fetch

YUNET = Weights(
    filename="face_detection_yunet_2023mar.onnx",
    sources=(
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2023mar.onnx",
    ),
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    num_bytes=232_589,
    license="MIT; trained on WIDER FACE, research data",
    card="models/detectors/README.md",
)

SMALLEST_FACE = 15.0  # px of a level; half of these are found, and finer levels find no more
GOOD_SIZES = (30.0, 200.0)  # px of a level
STEP = 4.0  # between two levels
LAST_SIDE = 320.0  # px, so that all faces of the last level have sizes that the network knows
MOST_PIXELS = 1_000_000  # of the first level, where min_face is not given
MAX_OVERLAP, MOST_FACES = 0.45, 5000  # within a level


class YunetDetector(Detector):
    """Small network of OpenCV's zoo; the quickest, gives landmarks.

    Reference: Wu et al., YuNet: a tiny millisecond-level face detector, Machine
    Intelligence Research 2023.
    """

    default_threshold = 0.6
    weights = (YUNET,)

    def load(self, engine: Engine) -> None:
        """See the base class."""
        self._network = _Network(fetch(YUNET), self.threshold)

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        return [
            detection
            for level in levels(
                image.shape,
                _finest_scale(image.shape, min_face),
                step=STEP,
                last_side=LAST_SIDE,
                good_sizes=GOOD_SIZES,
            )
            for row in self._network(resize(image, level.scale)).astype(np.float64)
            if level.reports((detection := _detection(row, level.scale)).bbox)
        ]


def _finest_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return the scale of the first level for a picture of that height and width."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MOST_PIXELS / (height * width)) ** 0.5))


def _detection(row: NDArray[np.float64], scale: float) -> Detection:
    x, y, width, height, *points = (row[:14] / scale).tolist()
    landmarks = np.array(points, np.float32).reshape(5, 2)
    return Detection((x, y, x + width, y + height), float(row[14]), landmarks)


class _Network(threading.local):
    """OpenCV's reader, which keeps a picture's state in it: one for each thread."""

    def __init__(self, path: Path, threshold: float) -> None:
        self._reader = cv2.FaceDetectorYN.create(
            str(path), "", (1, 1), threshold, MAX_OVERLAP, MOST_FACES
        )

    def __call__(self, image: BGRImage) -> NDArray[np.float32]:
        """Return (N, 15): x, y, width, height, x and y of five landmarks in px; score."""
        self._reader.setInputSize(image.shape[1::-1])
        _, rows = self._reader.detect(image)
        return np.empty((0, 15), np.float32) if rows is None else rows
