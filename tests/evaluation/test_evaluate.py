from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import Brightness, EveryCorner, Light
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer
from faceattr.errors import OptionError
from faceattr.evaluation.datasets import GroundTruth, LabelledSet
from faceattr.evaluation.evaluate import Answer, evaluate, score
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport
from faceattr.images import ImageSource
from faceattr.labels import LabelChoice
from faceattr.pipeline import Pipeline
from faceattr.types import Classification


def gray(level: int) -> NDArray[np.uint8]:
    return np.full((20, 20), level, np.uint8)


def pipeline_of(
    analyzer: Analyzer, *, faces: int = 1, labels: LabelChoice | None = None
) -> Pipeline:
    return Pipeline([analyzer], detector=EveryCorner(faces), labels=labels)


def crops_of(levels: Iterable[int], ground_truth: GroundTruth) -> LabelledSet:
    pictures = [gray(level) for level in levels]
    return LabelledSet("toy", pictures, {"truth": ground_truth}, are_crops=True)


def test_classifications_are_compared_with_labels() -> None:
    data = crops_of([255, 250, 0, 5], ["day", "Dusk", "dusk", None])
    evaluation = evaluate(pipeline_of(Light()), data, attribute="light")
    report = evaluation.ground_truth["truth"].report
    assert isinstance(report, ClassificationReport)
    assert report.labels == ("day", "dusk", "night")
    np.testing.assert_array_equal(report.confusion, [[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert (evaluation.pictures, evaluation.found) == (4, 4)


def test_estimates_are_compared_with_numbers() -> None:
    data = crops_of([10, 20, 30], ["10", 24, None])
    evaluation = evaluate(pipeline_of(Brightness()), data, attribute="brightness")
    report = evaluation.ground_truth["truth"].report
    assert isinstance(report, EstimateReport)
    assert (report.rows, report.mae, report.unit) == (2, 2.0, "levels")


def test_groups_have_figures_of_their_own() -> None:
    groups = {"site": ["b", "a", "b"]}
    data = LabelledSet("toy", [gray(9)] * 3, {"truth": [9, 10, 13]}, groups, are_crops=True)
    evaluation = evaluate(pipeline_of(Brightness()), data, attribute="brightness")
    reports = evaluation.ground_truth["truth"].groups["site"]
    assert {name: report.to_dict()["mae"] for name, report in reports.items()} == {"a": 1, "b": 2}


def test_pictures_go_through_the_detector(caplog: pytest.LogCaptureFixture) -> None:
    pictures: list[ImageSource] = [gray(10), "no such file.png", gray(30)]
    data = LabelledSet("toy", pictures, {"truth": [10, 20, 30]})
    with caplog.at_level(logging.WARNING):
        evaluation = evaluate(pipeline_of(Brightness(), faces=2), data, attribute="brightness")
    assert (evaluation.pictures, evaluation.found) == (3, 2)
    assert evaluation.ground_truth["truth"].report.rows == 2
    assert "no such file" in caplog.text


def test_nobody_to_be_seen_is_an_error() -> None:
    data = LabelledSet("toy", [gray(1)], {"truth": [1]})
    with pytest.raises(OptionError, match="toy: no face was found in any of the pictures"):
        evaluate(pipeline_of(Brightness(), faces=0), data, attribute="brightness")
    with pytest.raises(OptionError, match="no picture has both a face and a known ground truth"):
        evaluate(pipeline_of(Brightness()), crops_of([1], [None]), attribute="brightness")


def test_a_truth_of_another_form_is_an_error_before_any_picture() -> None:
    missing = [Path("missing.png")]
    data = LabelledSet("toy", missing, {"truth": ["nigth"]})
    with pytest.raises(OptionError, match="toy: unknown label 'nigth'; did you mean 'night'"):
        evaluate(pipeline_of(Light()), data, attribute="light")
    data = LabelledSet("toy", missing, {"truth": ["bright"]})
    with pytest.raises(
        OptionError, match="toy: 'bright' is not a number, but the analyzer gives numbers"
    ):
        evaluate(pipeline_of(Brightness()), data, attribute="brightness")


def test_images_of_labels_in_no_group_are_counted_as_left_out() -> None:
    labels = {"light": ["day"], "dark": ["night"]}
    data = crops_of([255, 250, 0], ["day", "dusk", "night"])
    pipeline = pipeline_of(Light(), labels=labels)
    comparison = evaluate(pipeline, data, attribute="light", labels=labels).ground_truth["truth"]
    assert isinstance(comparison.report, ClassificationReport)
    assert comparison.report.labels == ("light", "dark", "other")
    assert comparison.report.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert comparison.left_out == 1
    assert comparison.to_dict()["left_out"] == 1


def test_answers_with_the_label_other_are_right_on_images_in_no_group() -> None:
    answers = [
        Classification({"light": 0.1, "other": 0.9}),
        Classification({"light": 0.9, "other": 0.1}),
        None,
    ]
    data = crops_of([0, 0, 0], ["night", "dusk", "dusk"])
    comparison = score(answers, data, labels={"light": ["day"]}).ground_truth["truth"]
    assert isinstance(comparison.report, ClassificationReport)
    np.testing.assert_array_equal(comparison.report.confusion, [[0, 0], [1, 1]])
    assert comparison.left_out == 2  # nobody was found in the third


def test_progress_sees_each_picture() -> None:
    seen = []

    def watch(answers: Iterable[Answer]) -> Iterable[Answer]:
        for answer in answers:
            seen.append(answer)
            yield answer

    data = crops_of(range(100), list(range(100)))
    evaluate(pipeline_of(Brightness()), data, attribute="brightness", progress=watch)
    assert len(seen) == 100


def test_an_evaluation_is_json() -> None:
    groups = {"site": ["a", "a"]}
    data = LabelledSet("toy", [gray(255), gray(0)], {"us": ["day", "night"]}, groups, True)
    evaluation = evaluate(pipeline_of(Light()), data, attribute="light").to_dict()
    assert json.loads(json.dumps(evaluation)) == evaluation
    assert (evaluation["data"], evaluation["pictures"]) == ("toy", 2)
    assert evaluation["ground_truth"]["us"]["groups"]["site"]["a"]["rows"] == 2
