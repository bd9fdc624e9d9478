"""YuNet, the face detector of OpenCV's zoo, by OpenCV's own reader of it."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors.base import Detector, Finder, Search
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

SMALLEST_FACE = 15.0  # pixels of a level; half of these are found, and finer levels find no more
GOOD_SIZES = (30.0, 200.0)  # pixels of a level
STEP = 4.0  # between two levels
LAST_SIDE = 320.0  # pixels, so that all faces of the last level have sizes that the network knows
MAX_PIXELS = 1_000_000  # of the first level, if min_face is not given
MAX_OVERLAP, MAX_FACES = 0.45, 5000  # within a level


class YunetDetector(Detector):
    """Small network of OpenCV's zoo; the fastest, gives landmarks.

    Reference: Wu et al., YuNet: a tiny millisecond-level face detector, Machine
    Intelligence Research 2023.
    """

    default_threshold = 0.6
    weights = (YUNET,)

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _YunetFinder(fetch(YUNET))


class _YunetFinder:
    def __init__(self, path: Path) -> None:
        self._network = _Network(path)

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        found = []
        for level in levels(
            image.shape,
            _finest_scale(image.shape, search.min_face),
            step=STEP,
            last_side=LAST_SIDE,
            good_sizes=GOOD_SIZES,
        ):
            rows = self._network(resize(image, level.scale), search.threshold)
            for row in rows.astype(np.float64):
                x, y, width, height, *points = (row[:14] / level.scale).tolist()
                if level.reports((x, y, x + width, y + height)):
                    landmarks = np.array(points, np.float32).reshape(5, 2)
                    bbox = (x, y, x + width, y + height)
                    found.append(Detection(bbox, float(row[14]), landmarks))
        return found


class _Network(threading.local):
    """OpenCV's reader; it keeps an image's state, so each thread has its own."""

    def __init__(self, path: Path) -> None:
        self._reader = cv2.FaceDetectorYN.create(
            str(path), "", (1, 1), nms_threshold=MAX_OVERLAP, top_k=MAX_FACES
        )

    def __call__(self, image: BGRImage, threshold: float) -> NDArray[np.float32]:
        """Return (N, 15): x, y, width, height, x and y of five landmarks in pixels; score."""
        self._reader.setInputSize(image.shape[1::-1])
        self._reader.setScoreThreshold(threshold)
        _, rows = self._reader.detect(image)
        return np.empty((0, 15), np.float32) if rows is None else rows


def _finest_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return the scale of the first level for an image of that height and width."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MAX_PIXELS / (height * width)) ** 0.5))
