"""YuNet, the face detector of OpenCV's model zoo, on our engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import nms
from faceattr.detectors.base import Detector, Finder, Search
from faceattr.detectors.buckets import bucket_size
from faceattr.detectors.scales import levels, make_levels, scale_to
from faceattr.detectors.tiles import tiles
from faceattr.engines.base import Compiled, Engine
from faceattr.networks.architectures.yunet import STRIDES
from faceattr.networks.formats import npz
from faceattr.types import BGRImage, Detection

SMALLEST_FACE = 34.0  # pixels of a level; it misses many smaller ones
GOOD_SIZES = (40.0, 200.0)  # pixels of a level
STEP = 2.0  # scale of a level relative to the next
LAST_SIDE = 320.0  # pixels of the last level, so that all its faces have sizes the network knows
MAX_PIXELS = 1_000_000  # of the first level, if min_face is not given
TILE_SIDE = 2048  # pixels; larger levels are searched in tiles, which takes less memory
NUM_NETWORKS = 3  # an image of a million pixels has three levels
MAX_PREPARED = 200  # layers: of the last three shapes; of more, they take hundreds of MB
SIDE_BUCKETS = 8  # per power of two
MAX_OVERLAP = 0.45  # IoU of two faces of one level
MAX_FACES = 5000  # of one level


class YunetDetector(Detector):
    """Small network of OpenCV's zoo; the fastest, gives landmarks (default).

    Its weights ship with faceattr; ``models/detectors/README.md`` is their card.

    Reference: Wu et al., YuNet: a tiny millisecond-level face detector, Machine
    Intelligence Research 2023.
    """

    default_threshold = 0.6

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return YunetFinder(engine)


class YunetFinder:
    """The network, compiled once for each of the first levels.

    Images of one size then meet networks that are prepared for the shapes of their levels; to
    change from shape to shape takes half as long as to search a small image.

    Args:
        engine: Runs the networks.
    """

    def __init__(self, engine: Engine) -> None:
        weights = resources.files("faceattr.assets").joinpath("yunet.npz").read_bytes()
        network = replace(npz.load(weights), max_prepared=MAX_PREPARED)
        self._networks = [
            engine.compile(replace(network, digest=f"{network.digest} {index}"))
            for index in range(NUM_NETWORKS)
        ]

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        """Return the faces of an image, as `Finder` says."""
        found = []
        all_levels = levels(
            image.shape,
            _finest_scale(image.shape, search.min_face),
            step=STEP,
            last_side=LAST_SIDE,
            good_sizes=GOOD_SIZES,
        )
        for index, (level, resized) in enumerate(make_levels(image, all_levels)):
            network = self._networks[min(index, NUM_NETWORKS - 1)]
            scale = np.divide(image.shape[1::-1], resized.shape[1::-1])  # sides were rounded
            for tile in tiles(resized.shape, TILE_SIDE):
                for face in _search(tile.cut(resized), network, search.threshold):
                    if (placed := tile.place(face)) is None:
                        continue
                    bbox = tuple((np.reshape(placed.bbox, (2, 2)) * scale).ravel().tolist())
                    if level.reports(bbox):
                        landmarks = (placed.landmarks * scale).astype(np.float32)
                        found.append(Detection(bbox, face.confidence, landmarks))
        return found


def _search(image: BGRImage, network: Compiled, threshold: float) -> Iterator[Detection]:
    """Yield the distinct faces of sizes that the network knows."""
    padded = _pad(image)
    height, width = padded.shape[:2]
    faces = decode(network(padded[None])[0], height, width, threshold)
    for row in nms(faces.boxes, faces.scores, MAX_OVERLAP):
        bbox = tuple(faces.boxes[row].tolist())
        yield Detection(bbox, float(faces.scores[row]), faces.landmarks[row])


class Faces(NamedTuple):
    """Faces of one level.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        scores: (N,) in [0, 1].
        landmarks: (N, 5, 2) in pixels.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    landmarks: NDArray[np.float32]


def decode(output: NDArray[np.float32], height: int, width: int, threshold: float) -> Faces:
    """Return the faces in the network's output, duplicates among them.

    A cell's score is the geometric mean of two probabilities, face and objectness. Its box has a
    center relative to the cell and the logarithm of a size; both and the landmarks are in
    multiples of the stride.

    Args:
        output: (cells, 16) for one image.
        height: Height of the image in pixels, a multiple of 32.
        width: Width of the image, likewise.
        threshold: Smallest score of a face.
    """
    lowest = _logit(threshold**2)  # of either probability, for the other is at most 1
    rows = np.flatnonzero((output[:, 0] >= lowest) & (output[:, 1] >= lowest))
    cells = output[rows].astype(np.float64)
    scores = np.sqrt(1 / ((1 + np.exp(-cells[:, 0])) * (1 + np.exp(-cells[:, 1]))))
    best = np.argsort(-scores, kind="stable")[:MAX_FACES]
    best = best[scores[best] >= threshold]
    rows, cells, scores = rows[best], cells[best], scores[best]

    counts = [(height // stride) * (width // stride) for stride in STRIDES]
    starts = np.cumsum([0, *counts[:-1]])
    maps = np.searchsorted(starts, rows, side="right") - 1
    strides = np.take(STRIDES, maps)[:, None].astype(np.float64)
    y, x = np.divmod(rows - starts[maps], width // strides[:, 0])
    corners = np.stack([x, y], axis=1)
    centers, sizes = corners + cells[:, 2:4], np.exp(cells[:, 4:6])
    boxes = np.hstack([centers - sizes / 2, centers + sizes / 2]) * strides
    landmarks = (cells[:, 6:].reshape(-1, 5, 2) + corners[:, None]) * strides[:, None]
    return Faces(boxes, scores, landmarks.astype(np.float32))


def _logit(probability: float) -> float:
    if probability in (0, 1):
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))


def _finest_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return the scale of the first level for an image of that height and width."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MAX_PIXELS / (height * width)) ** 0.5))


def _pad(image: BGRImage) -> BGRImage:
    """Add black rows and columns, so that the network meets few sizes, multiples of its stride."""
    coarsest = STRIDES[-1]
    below, right = (
        bucket_size(math.ceil(side / coarsest), SIDE_BUCKETS) * coarsest - side
        for side in image.shape[:2]
    )
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT)
