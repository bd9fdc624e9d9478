"""Arithmetic on many boxes at once: how far they overlap, which of them say the same."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[Any]
"""(N, 4) x1, y1, x2, y2 in px, one row per box."""

BLOCK = 128  # boxes compared at a time, so that all is in the processor's cache


def suppress(
    boxes: Boxes, scores: NDArray[Any], max_overlap: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Return the rows that no surer row overlaps, the surest first.

    Args:
        boxes: What may overlap.
        scores: (N,) how sure each is.
        max_overlap: Largest overlap that is allowed, as a share.
        of_smaller: Share of the smaller of the two areas, not of their union.
    """
    order = np.argsort(scores.astype(np.float64))[::-1]  # equals as in the mtcnn package
    x1, y1, x2, y2 = boxes[order].T.astype(np.float32, order="C")  # twice as fast as float64
    # overlap / (a + b - overlap) > m says the same as overlap > m / (1 + m) * (a + b)
    whole = np.minimum if of_smaller else np.add
    areas = (x2 - x1) * (y2 - y1) * np.float32(max_overlap / (1 if of_smaller else 1 + max_overlap))
    free = np.ones(len(order), bool)
    for start in range(0, len(order), BLOCK):
        block, surer = slice(start, start + BLOCK), slice(start + BLOCK)
        width = np.minimum.outer(x2[block], x2[surer]) - np.maximum.outer(x1[block], x1[surer])
        height = np.minimum.outer(y2[block], y2[surer]) - np.maximum.outer(y1[block], y1[surer])
        common = np.maximum(width, 0) * height  # below 0 if they are apart, or 0
        first = (common > whole.outer(areas[block], areas[surer])).argmax(axis=1)
        free[block] = first == np.arange(start, start + len(first))  # it is the row itself
    return order[free]


def overlaps(a: Boxes, b: Boxes, *, of_smaller: bool = False) -> NDArray[np.floating]:
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
