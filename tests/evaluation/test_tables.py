from __future__ import annotations

import numpy as np

from faceattr.evaluation.evaluate import Comparison, Evaluation
from faceattr.evaluation.metrics import report_classes, report_estimates
from faceattr.evaluation.tables import Table, tables_of

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
