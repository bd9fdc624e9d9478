"""What the outputs of the networks mean: candidates, with boxes, scores and landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import nms
from faceattr.networks.graph import Array

CELL = 12  # pixels of the image that one proposal of PNet sees
STRIDE = 2  # pixels between two proposals
PNET_CONFIDENCE = 0.6
PNET_LOGIT = math.log(PNET_CONFIDENCE / (1 - PNET_CONFIDENCE))
MAX_OVERLAP_IN_LEVEL = 0.5


class Candidates(NamedTuple):
    """Boxes that may be faces.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        scores: (N,) probability of a face.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]

    def pick(self, rows: Array) -> Candidates:
        """Return the candidates of these rows."""
        return Candidates(self.boxes[rows], self.scores[rows])


def concatenate(parts: Sequence[Candidates]) -> Candidates:
    """Return the candidates of all parts, in their order."""
    empty = Candidates(np.empty((0, 4)), np.empty(0, np.float32))
    return Candidates(*map(np.concatenate, zip(empty, *parts, strict=True)))


def num_cells(side: int) -> int:
    """Return for how many cells along a side of so many pixels PNet gives a proposal."""
    return (side - CELL + 1) // STRIDE + 1


def decode_proposals(output: NDArray[np.float32], scale: float) -> Candidates:
    """Return the candidates of one level, in pixels of the image.

    Args:
        output: (rows, columns, 6) of PNet.
        scale: Size of the level as a share of the image's.
    """
    rows, columns = np.nonzero(output[..., 1] - output[..., 0] > PNET_LOGIT)
    output = output[rows, columns]
    corners = np.stack([columns, rows], axis=1) * STRIDE
    cells = np.hstack([corners + 1, corners + CELL]).astype(np.float64)
    boxes = (cells + output[:, 2:6] * (CELL - 1)) / scale
    candidates = Candidates(boxes, face_probability(output))
    return candidates.pick(nms(*candidates, MAX_OVERLAP_IN_LEVEL))


def face_probability(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of the first two values of the last axis, for the second of them."""
    return 1 / (1 + np.exp(output[..., 0] - output[..., 1]))


def to_squares(boxes: Array) -> NDArray[np.float64]:
    """Return squares with the same centers, as wide as the longer sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corners = boxes[:, :2] + (sides - longer) / 2
    return np.hstack([corners, corners + longer])


def apply_offsets(boxes: Array, offsets: Array) -> NDArray[np.float64]:
    """Move x1, y1, x2 and y2 of each box by (N, 4) shares of its width and height."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([sides, sides])


def place_landmarks(boxes: Array, shares: Array) -> NDArray[np.float32]:
    """Return the (N, 5, 2) landmarks in pixels.

    Args:
        boxes: (N, 4) squares that ONet saw.
        shares: (N, 10) five x, then five y, as shares of the squares.
    """
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    points = shares.reshape(-1, 2, 5).transpose(0, 2, 1)
    return (points * sides + boxes[:, None, :2] - 1).astype(np.float32)
