from __future__ import annotations

import json

import numpy as np
import pytest

from faceattr.evaluation.metrics import (
    calibration_error,
    confusion_matrix,
    report_classes,
    report_estimates,
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
