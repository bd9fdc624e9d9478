"""What goes through a network at a time, so that it runs seldom and on few shapes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors.buckets import bucket_size
from faceattr.detectors.mtcnn.stages import CELL, STRIDE, num_cells
from faceattr.engines.base import Compiled
from faceattr.networks.graph import Array

STRIP_PIXELS = 120_000  # of a level that go through PNet at a time
SIDE_BUCKETS, BATCH_BUCKETS = 8, 4  # per power of two


def run_in_buckets(network: Compiled, crops: Array) -> NDArray[np.float32]:
    """Run the network on a batch padded to a bucket size; return the first N outputs."""
    missing = bucket_size(len(crops), BATCH_BUCKETS) - len(crops)
    padding = np.zeros_like(crops, shape=(missing, *crops.shape[1:]))
    return network(np.concatenate([crops, padding]))[: len(crops)]


def run_in_strips(pnet: Compiled, level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run PNet on a large level strip by strip; each fits into the processor's cache.

    Returns:
        (rows, columns, 6).
    """
    rows, columns = map(num_cells, level.shape[:2])
    level = pad(level, *(bucket_size(side, SIDE_BUCKETS) for side in level.shape[:2]))
    height, width = level.shape[:2]
    step = max(STRIP_PIXELS // width // STRIDE, 1) * STRIDE
    starts = range(0, max(height - CELL + STRIDE, 1), step)
    strips = [level[None, start : start + step + CELL - STRIDE] for start in starts]
    return np.concatenate([pnet(strip)[0] for strip in strips])[:rows, :columns]


def pack_levels(
    levels: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], list[tuple[slice, slice]]]:
    """Pack small pyramid levels into one image: a call's overhead exceeds their inference time.

    Returns:
        The image, and which rows and columns of PNet's output on it belong to each level.
    """
    levels = [  # even sides, so that no cell sees two levels
        pad(level, *(side + side % STRIDE for side in level.shape[:2])) for level in levels
    ]
    starts = [0, *accumulate(level.shape[1] for level in levels)]
    height, width = bucket_size(len(levels[0]), SIDE_BUCKETS), bucket_size(starts[-1], SIDE_BUCKETS)
    image = np.zeros((height, width, 3), np.float32)
    parts = []
    for level, start in zip(levels, starts, strict=False):
        height, width = level.shape[:2]
        image[:height, start : start + width] = level
        first = start // STRIDE
        parts.append((slice(num_cells(height)), slice(first, first + num_cells(width))))
    return image, parts


def pad(level: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Repeat the last row and column until the level has that size."""
    below, right = height - level.shape[0], width - level.shape[1]
    if below == right == 0:
        return level
    padded = cv2.copyMakeBorder(level, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.float32)
