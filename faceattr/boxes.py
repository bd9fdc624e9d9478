"""Arithmetic on many boxes at once: how much they overlap, and which of them are duplicates."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[Any]
"""(N, 4) x1, y1, x2, y2 in pixels, one row per box."""

BLOCK = 128  # boxes compared at a time, so that the arrays fit into the processor's cache


def nms(
    boxes: Boxes,
    scores: NDArray[Any],
    max_overlap: float,
    *,
    measure: Literal["iou", "ioa"] = "iou",
) -> NDArray[np.intp]:
    """Non-maximum suppression as the mtcnn package does it: suppressed boxes suppress others too.

    Greedy suppression, in contrast, keeps a box that only a suppressed one overlaps.

    Args:
        boxes: (N, 4) boxes.
        scores: (N,) their confidences.
        max_overlap: Largest overlap with a box of higher score that is kept.
        measure: What `max_overlap` limits: ``"iou"`` or ``"ioa"``.

    Returns:
        The rows that are kept, highest score first.
    """
    order = np.argsort(scores.astype(np.float64))[::-1]  # ties in the mtcnn package's order
    x1, y1, x2, y2 = boxes[order].T.astype(np.float32, order="C")  # twice as fast as float64
    # common / (a + b - common) > m is the same as common > m / (1 + m) * (a + b)
    combine = np.add if measure == "iou" else np.minimum
    share = max_overlap / (1 + max_overlap) if measure == "iou" else max_overlap
    areas = (x2 - x1) * (y2 - y1) * np.float32(share)
    kept = np.ones(len(order), bool)
    for start in range(0, len(order), BLOCK):
        block, better = slice(start, start + BLOCK), slice(start + BLOCK)
        width = np.minimum.outer(x2[block], x2[better]) - np.maximum.outer(x1[block], x1[better])
        height = np.minimum.outer(y2[block], y2[better]) - np.maximum.outer(y1[block], y1[better])
        common = np.maximum(width, 0) * height  # 0 or negative where boxes are apart
        first = (common > combine.outer(areas[block], areas[better])).argmax(axis=1)
        kept[block] = first == np.arange(start, start + len(first))  # no better box overlaps it
    return order[kept]


def iou(a: Boxes, b: Boxes) -> NDArray[np.floating]:
    """Return the (A, B) intersection over union of (A, 4) and (B, 4) boxes."""
    common, area_a, area_b = _intersect(a, b)
    return common / (area_a + area_b - common)


def ioa(a: Boxes, b: Boxes) -> NDArray[np.floating]:
    """Return the (A, B) intersection of (A, 4) and (B, 4) boxes over the smaller of both areas."""
    common, area_a, area_b = _intersect(a, b)
    return common / np.minimum(area_a, area_b)


def _intersect(a: Boxes, b: Boxes) -> tuple[NDArray[np.floating], ...]:
    """Return the (A, B) areas of intersection, and the (A, 1) and (1, B) areas of the boxes."""
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T[:, None]
    width = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    height = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    return width * height, (ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1)
