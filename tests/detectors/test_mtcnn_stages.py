"""Boxes, scores and landmarks from the outputs of the networks."""

from __future__ import annotations

import numpy as np
import pytest

from faceattr.detectors.mtcnn.stages import decode_proposals, place_landmarks


def test_a_proposal_is_its_cell_moved_and_enlarged() -> None:
    output = np.zeros((3, 4, 6), np.float32)
    output[..., 0] = 9  # no face
    output[2, 1] = [0, 9, 0.1, 0, 0, -0.1]
    ((x1, y1, x2, y2),), scores = decode_proposals(output, 0.5)
    assert (x1, y1, x2, y2) == pytest.approx(((3 + 1.1) * 2, 5 * 2, 14 * 2, (16 - 1.1) * 2))
    assert scores == pytest.approx(1 / (1 + np.exp(-9)))


def test_landmarks_are_shares_of_their_box() -> None:
    shares = np.array([[0, 1, 0.5, 0, 1, 0, 0, 0.5, 1, 1]])
    points = place_landmarks(np.array([[1.0, 2.0, 11.0, 22.0]]), shares)
    assert points[0].tolist() == [[0, 1], [11, 1], [5.5, 11.5], [0, 22], [11, 22]]
