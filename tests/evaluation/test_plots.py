from __future__ import annotations

import numpy as np
import pytest

from faceattr.evaluation.metrics import ClassificationReport
from faceattr.evaluation.plots import CELL, DEEPEST, draw_confusion


def test_a_cell_with_all_of_its_row_is_dark() -> None:
    report = ClassificationReport(("a", "b"), np.array([[5, 0], [0, 0]]), 0.0)
    dark = (draw_confusion(report, title="toy") == DEEPEST).all(axis=2)
    assert CELL**2 / 2 < dark.sum() < CELL**2  # the rest of it is text


@pytest.mark.parametrize("num_labels", [1, 2, 12])
def test_the_matrix_grows_with_the_labels(num_labels: int) -> None:
    labels = tuple(f"a label {index}" for index in range(num_labels))
    report = ClassificationReport(labels, np.eye(num_labels, dtype=np.int_), 0.0)
    height, width, channels = draw_confusion(report, title="toy").shape
    assert min(height, width) > num_labels * CELL
    assert channels == 3
