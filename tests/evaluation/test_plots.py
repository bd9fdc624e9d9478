from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.errors import MissingDependencyError
from faceattr.evaluation import plots
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.evaluate import score
from faceattr.evaluation.metrics import ClassificationReport, report_classes
from faceattr.evaluation.plots import (
    draw_confusion,
    draw_mistakes,
    draw_reliability,
    draw_residuals,
    draw_scatter,
)
from faceattr.types import Classification, Estimate

DARKEST = (107, 48, 8)  # BGR of a share of 1 in Matplotlib's "Blues"
BLUE, ORANGE = (178, 114, 0), (0, 94, 213)  # BGR of plots.BLUE and ORANGE
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


def test_bars_of_a_reliability_diagram_are_as_high_as_answers_are_right() -> None:
    scores = np.tile([0.95, 0.05], (100, 1))
    charts = [
        draw_reliability(report_classes(scores, truth, ["a", "b"]), title="toy")
        for truth in (np.zeros(100, int), np.arange(100) % 2)
    ]
    all_right, half_right = (share_of(chart, BLUE) for chart in charts)
    assert all_right == pytest.approx(2 * half_right, rel=0.15)


def test_scatter_and_residuals_show_where_estimates_go_wrong() -> None:
    truth = np.linspace(0, 80, 300)
    for draw in (draw_scatter, draw_residuals):
        image = draw(truth + 5, truth, unit="years", title="$toy$")
        assert image.shape == (660, 600, 3)
        assert 0.0005 < share_of(image, ORANGE) < 0.05  # the medians
        draw(np.array([3.0]), np.array([3.0]), unit="years", title="one")


def test_the_sheet_has_the_surest_mistakes_first() -> None:
    pictures = [np.full((20, 20, 3), level, np.uint8) for level in (60, 255, 0)]
    data = LabelledSet("toy", pictures, {"us": ["day", "night", "night"]}, are_crops=True)
    answers = [Classification({"day": x, "night": 1 - x}) for x in (0.4, 0.9, 0.2)]
    evaluation = score(answers, data)
    assert [row for row, _ in plots._mistakes(evaluation, "us")] == [1, 0]
    assert [words for _, words in plots._mistakes(evaluation, "us")] == [
        "day 90%\ntruth: night",
        "night 60%\ntruth: day",
    ]
    sheet = draw_mistakes(evaluation, data, "us", title="toy")
    assert sheet is not None
    assert share_of(sheet, (60, 60, 60)) > 0.01
    right = score(answers[2:], replace(data, pictures=pictures[2:], ground_truth={"us": ["night"]}))
    assert draw_mistakes(right, data, "us", title="toy") is None


def test_the_largest_errors_of_estimates_come_first() -> None:
    data = LabelledSet("toy", ["missing.png"] * 3, {"us": [30, 30, 30]}, are_crops=True)
    answers = [Estimate(value, "years") for value in (31, 55, 30)]
    evaluation = score(answers, data)
    assert [row for row, _ in plots._mistakes(evaluation, "us")] == [1, 0]
    assert draw_mistakes(evaluation, data, "us", title="toy") is not None  # without the pictures
