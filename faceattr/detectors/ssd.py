"""OpenCV's SSD for faces: ten residual layers, known as res10."""

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

SSD = Weights(
    filename="opencv_face_detector_uint8.pb",
    sources=(
        "https://raw.githubusercontent.com/opencv/opencv_3rdparty/"
        "dnn_samples_face_detector_20180220_uint8/opencv_face_detector_uint8.pb",
    ),
    sha256="5c71d752ef2cbf2f457ac82fdd580fcb2522fd04c5efdaed18eb6d9e2843fbed",
    num_bytes=2_727_750,
    license="Apache-2.0; data not published",
    card="models/detectors/README.md",
)
SSD_GRAPH = Weights(
    filename="opencv_face_detector.pbtxt",
    sources=(
        "https://raw.githubusercontent.com/opencv/opencv_extra/4.x/testdata/dnn/"
        "opencv_face_detector.pbtxt",
        "https://raw.githubusercontent.com/opencv/opencv/master/samples/dnn/face_detector/"
        "opencv_face_detector.pbtxt",
    ),
    sha256="5397808362fc6fb7c4044484848e297b22449d913a267fa7f8bd9d86dce29144",
    num_bytes=34_912,
    license="Apache-2.0",
    card="models/detectors/README.md",
)

SIDE = 300  # pixels; side of the square images that the network was trained on
SIDE_STEP = 64  # pixels; longer by a multiple of it, a side is halved and padded as 300 is
MEAN_BGR = (104, 177, 123)  # of the training images
SMALLEST_FACE = 20.0  # pixels of a level
GOOD_SIZES = (SMALLEST_FACE, 180.0)  # pixels of a level; boxes of larger faces need a side of 300
STEP = 4.0  # between two levels
LONGER_SIDE = 2 * SIDE  # pixels of the first level, if min_face is not given


class SsdDetector(Detector):
    """OpenCV's res10 SSD; good at large faces, no landmarks of its own.

    Reference: Liu et al., SSD: single shot multibox detector, ECCV 2016.
    """

    weights = (SSD, SSD_GRAPH)

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _SsdFinder(*map(fetch, self.weights))


class _SsdFinder:
    def __init__(self, weights: Path, graph: Path) -> None:
        self._network = SsdNetwork(weights, graph)

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        if search.min_face is None:
            finest = LONGER_SIDE / max(image.shape[:2])
        else:
            finest = scale_to(SMALLEST_FACE, image.shape, search.min_face)
        found = []
        for level in levels(image.shape, finest, step=STEP, last_side=SIDE, good_sizes=GOOD_SIZES):
            for row in self._network(_pad(resize(image, level.scale))):
                x1, y1, x2, y2 = (row[1:] / level.scale).tolist()
                is_box = x1 < x2 and y1 < y2  # rows that hold no detection are all zero
                if is_box and level.reports(max(x2 - x1, y2 - y1)):
                    found.append(Detection((x1, y1, x2, y2), float(row[0])))
        return found


class SsdNetwork(threading.local):
    """The network; OpenCV keeps an image's state in it, so each thread has its own.

    Args:
        weights: Path of the weights.
        graph: Path of the graph.
    """

    def __init__(self, weights: Path, graph: Path) -> None:
        self._net = cv2.dnn.readNetFromTensorflow(str(weights), str(graph))

    def __call__(
        self, image: BGRImage, mean: tuple[int, int, int] = MEAN_BGR
    ) -> NDArray[np.float64]:
        """Return (N, 5): score; x1, y1, x2, y2 in pixels. Rows without a detection are all zero.

        Args:
            image: (H, W, 3) BGR uint8.
            mean: What is subtracted from its pixels.
        """
        height, width = image.shape[:2]
        self._net.setInput(cv2.dnn.blobFromImage(image, mean=mean))
        rows = self._net.forward()[0, 0, :, 2:]
        return rows * np.array([1, width, height, width, height])


def _pad(image: BGRImage) -> BGRImage:
    """Add a margin below and on the right, so that both sides suit the network."""
    below, right = (
        SIDE - side if side < SIDE else (SIDE - side) % SIDE_STEP for side in image.shape[:2]
    )
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=MEAN_BGR)
