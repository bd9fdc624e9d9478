from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.errors import OptionError
from faceattr.evaluation.metrics import (
    calibration_error,
    confusion_matrix,
    report_classes,
    report_estimates,
    wilson_interval,
)

SCORES = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
TRUTH = np.array([0, 1, 1, 1])


def test_a_row_of_the_confusion_is_what_is_true() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1, 1]), TRUTH, 3)
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [1, 2, 0], [0, 0, 0]])


def test_classes_are_counted() -> None:
    report = report_classes(SCORES, TRUTH, ["a", "b", "c"])
    assert (report.rows, report.accuracy) == (4, 0.75)
    np.testing.assert_allclose(report.precision, [0.5, 1, 0])
    np.testing.assert_allclose(report.recall, [1, 2 / 3, 0])
    np.testing.assert_allclose(report.f1, [2 / 3, 0.8, 0])
    assert report.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)  # c is never true


def test_confidence_that_is_the_share_of_right_answers_has_no_error() -> None:
    scores = np.tile([0.75, 0.25], (4, 1))
    assert calibration_error(scores, np.array([0, 0, 0, 1])) == pytest.approx(0)
    assert calibration_error(scores, np.array([1, 1, 1, 1])) == pytest.approx(0.75)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_errors_of_bins_do_not_cancel() -> None:
    scores = np.array([[0.9, 0.1], [0.6, 0.4]])
    assert calibration_error(scores, np.array([1, 0])) == pytest.approx((0.9 + 0.4) / 2)


def test_nothing_has_no_figures() -> None:
    report = report_classes(np.empty((0, 2)), np.empty(0, int), ["a", "b"])
    assert (report.rows, report.accuracy, report.macro_f1, report.calibration_error) == (0, 0, 0, 0)


def test_intervals_of_shares_are_wilsons() -> None:
    # Brown, Cai, DasGupta 2001, and the formula by hand
    assert wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_intervals_of_a_bootstrap_hold_their_figure_and_are_always_the_same() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 200)
    scores = np.eye(3)[np.where(rng.random(200) < 0.7, truth, rng.integers(0, 3, 200))]
    report = report_classes(scores, truth, ["a", "b", "c"])
    low, high = report.macro_f1_interval
    assert low < report.macro_f1 < high
    assert high - low == pytest.approx(4 * np.sqrt(0.8 * 0.2 / 200), rel=0.25)
    assert report.macro_f1_interval == (low, high)
    errors = rng.exponential(4.0, 500)
    measured = report_estimates(errors, np.zeros(500), "years")
    low, high = measured.mae_interval
    assert low < measured.mae < high
    assert high - low == pytest.approx(4 * 4.0 / np.sqrt(500), rel=0.2)  # ± 2 standard errors
    assert measured == report_estimates(errors, np.zeros(500), "years")


def test_reliability_is_by_bins_of_confidence() -> None:
    scores = np.array([[0.95, 0.05], [0.97, 0.03], [0.45, 0.55], [0.0, 1.0]])
    bins = report_classes(scores, np.array([0, 1, 1, 1]), ["a", "b"]).reliability
    np.testing.assert_allclose(bins[9], [3, (0.95 + 0.97 + 1) / 3, 2 / 3])
    np.testing.assert_allclose(bins[5], [1, 0.55, 1])
    assert bins[[0, 1, 2, 3, 4, 6, 7, 8]].sum() == 0


@pytest.mark.parametrize(
    ("scores", "truth", "words"),
    [
        (SCORES[0], TRUTH, r"scores have the shape \(3,\); give \(N, C\)"),
        (np.empty((4, 0)), TRUTH, r"scores have the shape \(4, 0\)"),
        (SCORES, TRUTH[:2], r"arrays must be \(N,\).* scores \(4,\), ground_truth \(2,\)"),
        (SCORES, TRUTH[:, None], r"ground_truth has the shape \(4, 1\)"),
        (SCORES, TRUTH + 2, "ground_truth has the index 3, but there are 3 labels"),
        (SCORES, TRUTH - 1, "ground_truth has the index -1, but there are 3 labels"),
    ],
)
def test_scores_of_a_wrong_shape_are_named(
    scores: NDArray[np.float64], truth: NDArray[np.int_], words: str
) -> None:
    for call in (
        lambda: report_classes(scores, truth, ["a", "b", "c"]),
        lambda: calibration_error(scores, truth),
    ):
        with pytest.raises(OptionError, match=words):
            call()


def test_other_wrong_shapes_are_named() -> None:
    with pytest.raises(OptionError, match="scores have 3 columns for 2 labels"):
        report_classes(SCORES, TRUTH, ["a", "b"])
    with pytest.raises(OptionError, match=r"answers has the shape \(4, 3\)"):
        confusion_matrix(SCORES.astype(int), TRUTH, 3)
    with pytest.raises(OptionError, match="answers has the index 5, but there are 3 labels"):
        confusion_matrix(TRUTH + 4, TRUTH, 3)
    with pytest.raises(OptionError, match=r"answers \(3,\), ground_truth \(4,\)"):
        confusion_matrix(TRUTH[:3], TRUTH, 3)
    with pytest.raises(OptionError, match=r"values \(2,\), ground_truth \(3,\)"):
        report_estimates(np.ones(2), np.ones(3), "years")
    with pytest.raises(OptionError, match=r"std \(3,\)"):
        report_estimates(np.ones(2), np.ones(2), "years", std=np.ones(3))
    with pytest.raises(OptionError, match="there is nothing to measure"):
        report_estimates(np.ones(0), np.ones(0), "years")


def test_estimates_are_measured() -> None:
    report = report_estimates(
        np.array([20.0, 31.0, 44.0, 50.0]), np.array([20, 30, 40, 60]), "years", std=np.full(4, 4.0)
    )
    assert (report.rows, report.mae, report.bias) == (4, 3.75, -1.25)
    assert report.cumulative == {1: 0.5, 3: 0.5, 5: 0.75, 10: 1}
    assert report.within_std == 0.75


def test_estimates_may_be_without_std() -> None:
    assert report_estimates(np.ones(2), np.ones(2), "years").within_std is None


def test_figures_are_json() -> None:
    classes = report_classes(SCORES, TRUTH, ["a", "b", "c"]).to_dict()
    assert json.loads(json.dumps(classes)) == classes
    assert classes["labels"]["a"] == {"rows": 1, "precision": 0.5, "recall": 1, "f1": 2 / 3}
    estimates = report_estimates(np.ones(2), np.ones(2), "years").to_dict()
    assert json.loads(json.dumps(estimates)) == estimates
    assert estimates["cumulative"]["5"] == 1
