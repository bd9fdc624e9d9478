from __future__ import annotations

import numpy as np
import pytest

from faceattr.evaluation.evaluate import Comparison, Evaluation
from faceattr.evaluation.metrics import report_classes, report_estimates
from faceattr.evaluation.tables import Table, figure_rows, tables_of

CLASSES = report_classes(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), ["a", "b"])
ESTIMATES = report_estimates(np.array([20.0, 31.0]), np.array([20, 34]), "years", std=np.ones(2))


def test_a_table_can_be_markdown() -> None:
    table = Table("title", ["name", "rows"], [["a", "1"], ["b", "2"]])
    assert table.to_markdown() == "| name | rows |\n| --- | ---: |\n| a | 1 |\n| b | 2 |\n"


def test_classifications_have_a_summary_their_labels_and_confusions() -> None:
    evaluation = Evaluation("toy", 3, 2, {"us": Comparison(CLASSES, {"site": {"x": CLASSES}})})
    summary, labels, confusion, by_site = tables_of(evaluation)
    assert summary.title == "toy: 2 of 3 with a face"
    assert summary.header == ["ground truth", "rows", "accuracy", "macro F1", "calibration error"]
    assert summary.rows == [["us", "2", "50.0%", "0.333", "0.450"]]
    assert labels.rows == [
        ["a", "1", "50.0%", "100.0%", "0.667"],
        ["b", "1", "0.0%", "0.0%", "0.000"],
    ]
    assert confusion.header == ["", "a", "b"]
    assert confusion.rows == [["a", "1", "0"], ["b", "1", "0"]]
    assert by_site.rows == [["x", *summary.rows[0][1:]]]


def test_images_of_labels_in_no_group_are_counted() -> None:
    comparisons = {"us": Comparison(CLASSES, left_out=3), "them": Comparison(CLASSES)}
    summary, *_ = tables_of(Evaluation("toy", 5, 5, comparisons))
    assert summary.header[-1] == "in no group"
    assert [row[-1] for row in summary.rows] == ["3", "0"]


def test_estimates_have_errors() -> None:
    (summary,) = tables_of(Evaluation("toy", 2, 2, {"us": Comparison(ESTIMATES)}))
    assert dict(zip(summary.header, summary.rows[0], strict=True)) == {
        "ground truth": "us",
        "rows": "2",
        "MAE, years": "1.50",
        "bias": "-1.50",
        "≤ 1": "50.0%",
        "≤ 3": "100.0%",
        "≤ 5": "100.0%",
        "≤ 10": "100.0%",
        "≤ std": "50.0%",
    }


def test_figures_of_several_images_have_intervals() -> None:
    scores = np.tile([0.9, 0.1], (50, 1))
    report = report_classes(scores, np.arange(50) // 40, ["a", "b"])
    summary, *_ = tables_of(Evaluation("toy", 50, 50, {"us": Comparison(report)}))
    assert summary.rows[0][2] == "80.0% (67.0–88.8)"
    values = np.arange(50.0)
    estimates = report_estimates(values, values + 2, "years")
    (summary,) = tables_of(Evaluation("toy", 50, 50, {"us": Comparison(estimates)}))
    assert summary.rows[0][2] == "2.00 (2.0–2.0)"


def test_columns_are_explained() -> None:
    (summary,) = tables_of(Evaluation("toy", 2, 2, {"us": Comparison(ESTIMATES)}))
    assert any(one.startswith("≤ std: share that is off by at most") for one in summary.notes)
    assert any("at most 5 years off" in one for one in summary.notes)
    comparisons = {"us": Comparison(CLASSES, left_out=3)}
    summary, *others = tables_of(Evaluation("toy", 5, 5, comparisons))
    assert any(one.startswith("in no group: ") for one in summary.notes)
    assert [table.notes for table in others] == [(), ()]


def test_figures_are_rows_of_one_table() -> None:
    comparisons = {"us": Comparison(CLASSES, {"site": {"x": CLASSES}}, left_out=1)}
    whole, group = figure_rows(Evaluation("toy", 3, 2, comparisons))
    assert (whole["ground_truth"], whole["group"], whole["left_out"]) == ("us", "", 1)
    assert (group["group_by"], group["group"]) == ("site", "x")
    assert (whole["accuracy"], whole["recall_a"], whole["rows_b"]) == (0.5, 1.0, 1)
    assert whole["accuracy_low"] == pytest.approx(0.0945, abs=1e-4)
    (row,) = figure_rows(Evaluation("toy", 2, 2, {"us": Comparison(ESTIMATES)}))
    assert (row["mae"], row["within_5"], row["within_std"]) == (1.5, 1.0, 0.5)
