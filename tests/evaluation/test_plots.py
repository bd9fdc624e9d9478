from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.errors import MissingDependencyError
from faceattr.evaluation.metrics import ClassificationReport
from faceattr.evaluation.plots import draw_confusion

DARKEST = (107, 48, 8)  # BGR of a share of 1 in Matplotlib's "Blues"
LIGHTEST = (255, 251, 247)  # of a share of 0


def share_of(image: NDArray[np.uint8], color: tuple[int, int, int]) -> float:
    return float((image == color).all(axis=2).mean())


def test_a_cell_with_all_of_its_row_is_dark() -> None:
    right = ClassificationReport(("a", "b"), np.array([[5, 0], [0, 5]]), 0.0)
    one_label_only = ClassificationReport(("a", "b"), np.array([[5, 0], [0, 0]]), 0.0)
    both, one = (draw_confusion(report, title="toy") for report in (right, one_label_only))
    assert both.shape == one.shape
    assert share_of(both, DARKEST) == pytest.approx(2 * share_of(one, DARKEST), rel=0.1)
    assert share_of(both, DARKEST) == pytest.approx(share_of(both, LIGHTEST), rel=0.1)
    assert share_of(one, DARKEST) > 0.03


@pytest.mark.parametrize("num_labels", [1, 2, 12])
def test_the_matrix_grows_with_the_labels(num_labels: int) -> None:
    labels = tuple(f"a label {index}" for index in range(num_labels))
    report = ClassificationReport(labels, np.eye(num_labels, dtype=np.int_), 0.0)
    image = draw_confusion(report, title="an analyzer on a set with a rather long name")
    assert image.shape == (round(90 * num_labels + 200), round(90 * num_labels + 200), 3)
    assert image.dtype == np.uint8
    assert share_of(image, DARKEST) > 0.01


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "faceattr.evaluation.plots")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'faceattr\[plot\]'"):
        import faceattr.evaluation.plots  # noqa: F401  # the import is what fails
