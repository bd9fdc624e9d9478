"""MTCNN with the weights of the mtcnn package, on our engine.

The same three stages, thresholds and arithmetic as the package, so the same boxes and
landmarks; but whole arrays at a time, and without TensorFlow.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from itertools import accumulate, takewhile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors.base import Detector
from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError
from faceattr.networks import mtcnn as networks
from faceattr.networks.graph import Array, Layer, Network
from faceattr.types import BGRImage, Detection

CELL = 12  # px of the picture that one proposal sees
STRIDE = 2  # px between two proposals
PYRAMID_STEP = 0.709  # each level against the one before it, about the root of a half
SMALLEST_FACE = 20.0  # px, where the picture is not too large for it
MOST_PIXELS = 1_000_000  # of the finest level, where min_face is not given

MID_GRAY = 127.5
ONE_RIGHT, ONE_DOWN = np.array([1, 0], np.int16), np.array([0, 1], np.int16)
NUM_ARRAYS = {"Conv2D": 2, "Dense": 2, "PReLU": 1}

PNET_CONFIDENCE, RNET_CONFIDENCE = 0.6, 0.7
OVERLAP_IN_LEVEL, OVERLAP = 0.5, 0.7


class Candidates(NamedTuple):
    """Boxes that may be faces."""

    boxes: NDArray[np.float64]
    """(N, 4) x1, y1, x2, y2 in px."""
    scores: NDArray[np.float32]
    """(N,) probability of a face."""

    def pick(self, rows: Array) -> Candidates:
        """Return the candidates of these rows."""
        return Candidates(self.boxes[rows], self.scores[rows])


class MtcnnDetector(Detector):
    """Three small networks in a cascade; gives landmarks (default)."""

    default_threshold = 0.8

    def load(self, engine: Engine) -> None:
        """See the base class."""
        self._pnet = engine.compile(_network("pnet", networks.pnet()), precision="f32")
        self._rnet = engine.compile(_network("rnet", networks.rnet()), precision="f32")
        self._onet = engine.compile(_network("onet", networks.onet()), precision="f32")

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        candidates = self._refine(image, self._propose(image, pyramid(image.shape, min_face)))
        return self._decide(image, candidates)

    def _propose(self, image: BGRImage, scales: Sequence[float]) -> Candidates:
        """Look at every place of every level of the pyramid."""
        image = image.astype(np.float32)  # rounded levels would lead to other boxes
        levels = [self._propose_in_level(image, scale) for scale in scales]
        if not levels:
            return Candidates(np.empty((0, 4)), np.empty(0, np.float32))
        candidates = Candidates(*map(np.concatenate, zip(*levels, strict=True)))
        return candidates.pick(suppress(candidates, OVERLAP))

    def _propose_in_level(self, image: BGRImage, scale: float) -> Candidates:
        height, width = image.shape[:2]
        level = cv2.resize(
            image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA
        )
        answer = self._pnet(level[None])[0]
        scores = face_probability(answer)
        rows, columns = np.nonzero(scores > PNET_CONFIDENCE)
        corners = np.stack([columns, rows], axis=1) * STRIDE
        cells = np.hstack([corners + 1, corners + CELL]).astype(np.float64)
        boxes = (cells + answer[rows, columns, 2:6] * (CELL - 1)) / scale
        candidates = Candidates(boxes, scores[rows, columns])
        return candidates.pick(suppress(candidates, OVERLAP_IN_LEVEL))

    def _refine(self, image: BGRImage, candidates: Candidates) -> Candidates:
        """Look again at each proposal, and move its sides."""
        if not len(candidates.boxes):
            return candidates
        squares = squared(candidates.boxes)
        answer = self._rnet(cut(image, squares, 24))
        refined = Candidates(moved(squares, answer[:, 2:6]), face_probability(answer))
        refined = refined.pick(refined.scores > RNET_CONFIDENCE)
        return refined.pick(suppress(refined, OVERLAP))

    def _decide(self, image: BGRImage, candidates: Candidates) -> list[Detection]:
        """Look closest at what is left, and place the landmarks."""
        if not len(candidates.boxes):
            return []
        squares = squared(candidates.boxes)
        answer = self._onet(cut(image, squares, 48))
        decided = Candidates(moved(squares, answer[:, 2:6]), face_probability(answer))
        landmarks = place_landmarks(squares, answer[:, 6:])
        sure = np.flatnonzero(decided.scores > self.threshold)
        kept = sure[suppress(decided.pick(sure), OVERLAP, of_smaller=True)]
        return [
            Detection(
                tuple(decided.boxes[row].tolist()), float(decided.scores[row]), landmarks[row]
            )
            for row in kept
        ]


def pyramid(shape: tuple[int, ...], min_face: float | None) -> list[float]:
    """Return the scales at which a picture is searched, the finest first.

    Args:
        shape: Height and width of the picture in px.
        min_face: Smallest face to look for, in px; None for 20, or so much more that the
            finest level has no more than `MOST_PIXELS`.
    """
    height, width = shape[:2]
    scale = CELL / (min_face or SMALLEST_FACE)
    if min_face is None:
        while height * width * scale**2 > MOST_PIXELS:
            scale *= PYRAMID_STEP
    steps = (scale * PYRAMID_STEP**step for step in range(1000))
    return list(takewhile(lambda step: int(min(height, width) * step) >= CELL, steps))


def suppress(
    candidates: Candidates, max_overlap: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Return the rows that no surer row overlaps, the surest first.

    Args:
        candidates: Boxes and scores.
        max_overlap: Largest overlap that is allowed, as a share.
        of_smaller: Share of the smaller of the two areas, not of their union.
    """
    order = np.argsort(candidates.scores.astype(np.float64))[::-1]  # equals as in the package
    boxes = candidates.boxes[order]
    free = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), 512):  # blocks, so that memory stays small
        block = boxes[start : start + 512]
        overlap = overlaps(block, boxes[: start + len(block)], of_smaller=of_smaller)
        free[start : start + 512] = ~np.tril(overlap > max_overlap, k=start - 1).any(axis=1)
    return order[free]


def overlaps(a: Array, b: Array, *, of_smaller: bool = False) -> NDArray[np.float64]:
    """Return the (A, B) overlap of each box with each, as a share of their union.

    Args:
        a: (A, 4) boxes.
        b: (B, 4) boxes.
        of_smaller: Share of the smaller of the two areas instead.
    """
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T[:, None]
    width = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    height = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    common = width * height
    area_a, area_b = (ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1)
    return common / (np.minimum(area_a, area_b) if of_smaller else area_a + area_b - common)


def face_probability(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of the first two of the last axis, for the second of them."""
    return 1 / (1 + np.exp(answer[..., 0] - answer[..., 1]))


def squared(boxes: Array) -> NDArray[np.float64]:
    """Return the squares around the same centers with the longer sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    corners = boxes[:, :2] + (sides - sides.max(axis=1, keepdims=True)) / 2
    return np.hstack([corners, corners + sides.max(axis=1, keepdims=True)])


def moved(boxes: Array, offsets: Array) -> NDArray[np.float64]:
    """Return the boxes with each side moved by a share of the box."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([sides, sides])


def place_landmarks(boxes: Array, shares: Array) -> NDArray[np.float32]:
    """Return the (N, 5, 2) landmarks in px.

    Args:
        boxes: (N, 4) squares that the output network saw.
        shares: (N, 10) five x, then five y, in shares of the squares.
    """
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    points = shares.reshape(-1, 2, 5).transpose(0, 2, 1)
    return (points * sides + boxes[:, None, :2] - 1).astype(np.float32)


def cut(image: BGRImage, boxes: Array, size: int) -> NDArray[np.float32]:
    """Return (N, size, size, 3) samples of the boxes, mid-gray outside the image.

    Samples are taken as TensorFlow's ``crop_and_resize`` takes them, from corner to corner
    without averaging, since the networks expect that. OpenCV alone would round where they
    lie to 1/32 px, which moves the landmarks of large faces by many px.
    """
    limits = np.array(image.shape[1::-1])
    low, high = np.split(boxes[:, None] * np.tile((limits - 1) / limits, 2), 2, axis=2)
    points = low + (high - low) * np.linspace(0, 1, size)[:, None]  # (N, size, 2)
    corners = np.floor(np.clip(points, -1, limits)).astype(np.int16)
    shares = (points - corners).astype(np.float32)
    right = np.repeat(shares[:, None, :, 0], 3, axis=2)  # (N, 1, size * 3)
    below = shares[:, :, None, 1]  # (N, size, 1)

    grid = np.empty((len(boxes), size, size, 2), np.int16)
    grid[..., 0], grid[..., 1] = corners[:, None, :, 0], corners[:, :, None, 1]
    here, beside = _pick(image, grid), _pick(image, grid + ONE_RIGHT)
    above = here + (beside - here) * right
    here, beside = _pick(image, grid + ONE_DOWN), _pick(image, grid + ONE_DOWN + ONE_RIGHT)
    under = here + (beside - here) * right
    samples: NDArray[np.float32] = (above + (under - above) * below).reshape(*grid.shape[:3], 3)

    inside = (points >= 0) & (points <= limits - 1)
    samples[~(inside[:, None, :, 0] & inside[:, :, None, 1])] = MID_GRAY
    return samples


def _pick(image: BGRImage, grid: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the px of an (N, rows, columns, 2) grid of x and y as (N, rows, columns * 3)."""
    flat = grid.reshape(len(grid), -1, 2)
    picked = cv2.remap(image, flat, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return picked.reshape(*grid.shape[:2], -1).astype(np.float32)


def _network(name: str, layers: Sequence[Layer]) -> Network:
    """Return the network with the weights of the installed mtcnn package.

    The package takes RGB in [-1, 1], lays pictures out by columns where they become
    vectors, and answers in several arrays. The weights are rearranged once, so that no
    picture ever is.
    """
    arrays = _read_weights(name)
    weighted = [layer for layer in layers if layer.kind in NUM_ARRAYS]
    counts = [NUM_ARRAYS[layer.kind] for layer in weighted[:-1]]
    body, answers = arrays[: sum(counts)], arrays[sum(counts) :]
    groups = [
        body[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)
    ]
    groups[0] = _for_bgr_pixels(*groups[0])
    for index, layer in enumerate(weighted[:-1]):
        if layer.kind == "Dense":
            groups[index][0] = _by_rows(groups[index][0], channels=groups[index - 1][0].shape[-1])
    groups.append(_in_one(answers))
    names = [layer.name for layer in weighted]
    return Network(name, layers, dict(zip(names, groups, strict=True)))


def _read_weights(name: str) -> list[Array]:
    package = importlib.util.find_spec("mtcnn")  # importing it would import TensorFlow
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError("the detector 'mtcnn' needs: pip install mtcnn")
    import joblib

    folder = Path(package.submodule_search_locations[0])
    arrays: list[Array] = joblib.load(folder / "assets" / "weights" / f"{name}.lz4")
    return arrays


def _for_bgr_pixels(kernel: Array, bias: Array) -> list[Array]:
    """Rearrange a first convolution of RGB in [-1, 1] for BGR in [0, 255]."""
    kernel = kernel[:, :, ::-1] / 128
    return [kernel, bias - 127.5 * kernel.sum(axis=(0, 1, 2))]


def _by_rows(kernel: Array, channels: int) -> Array:
    """Rearrange what multiplies a square picture laid out by columns."""
    side = math.isqrt(len(kernel) // channels)
    return kernel.reshape(side, side, channels, -1).swapaxes(0, 1).reshape(kernel.shape)


def _in_one(answers: Sequence[Array]) -> list[Array]:
    """Join kernels and biases of offsets, landmarks if any, and face: the last comes first."""
    kernels, biases = answers[::2], answers[1::2]
    return [np.concatenate([arrays[-1], *arrays[:-1]], axis=-1) for arrays in (kernels, biases)]
