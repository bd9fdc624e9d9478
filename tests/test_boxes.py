from __future__ import annotations

import numpy as np

from faceattr.boxes import ioa, iou, nms
from faceattr.networks.graph import Array

RNG = np.random.default_rng(0)


def scored(*rows: tuple[float, float, float, float, float]) -> tuple[Array, Array]:
    array = np.array(rows)
    return array[:, :4], array[:, 4]


def test_overlap_is_a_share_of_the_union_or_of_the_smaller_box() -> None:
    large, small, apart = [0, 0, 4, 4], [2, 2, 4, 6], [9, 9, 10, 10]
    a, b = np.array([large]), np.array([large, small, apart])
    np.testing.assert_allclose(iou(a, b), [[1, 4 / 20, 0]])
    np.testing.assert_allclose(ioa(a, b), [[1, 4 / 8, 0]])


def test_the_most_confident_of_overlapping_boxes_is_kept() -> None:
    rows = scored((0, 0, 10, 10, 0.7), (1, 0, 11, 10, 0.9), (50, 0, 60, 10, 0.8))
    assert nms(*rows, 0.5).tolist() == [1, 2]
    assert nms(*rows, 0.9).tolist() == [1, 2, 0]


def test_a_suppressed_box_suppresses_others() -> None:
    chain = scored((0, 0, 10, 10, 0.9), (4, 0, 14, 10, 0.8), (8, 0, 18, 10, 0.7))
    assert nms(*chain, 0.4).tolist() == [0]


def test_a_box_in_a_larger_one_overlaps_as_a_share_of_the_smaller() -> None:
    rows = scored((0, 0, 10, 10, 0.9), (0, 0, 4, 4, 0.8))
    assert nms(*rows, 0.7).tolist() == [0, 1]
    assert nms(*rows, 0.7, measure="ioa").tolist() == [0]


def test_many_boxes_are_compared_as_few_are() -> None:
    corners = RNG.uniform(0, 100, (300, 2))
    boxes = np.hstack([corners, corners + RNG.uniform(5, 30, (300, 2))])
    scores = RNG.permutation(300).astype(np.float32)
    order = np.argsort(-scores)
    overlap = iou(boxes[order], boxes[order])
    expected = [row for rank, row in enumerate(order) if (overlap[rank, :rank] <= 0.3).all()]
    assert nms(boxes, scores, 0.3).tolist() == expected


def test_of_no_boxes_none_is_kept() -> None:
    assert len(nms(np.empty((0, 4)), np.empty(0), 0.5)) == 0
