from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import Brightness, EveryCorner, Light
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer
from faceattr.detectors.base import Detector, Search
from faceattr.errors import OptionError
from faceattr.evaluation.datasets import GroundTruth, LabelledSet
from faceattr.evaluation.evaluate import Answer, evaluate, score
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport
from faceattr.evaluation.predictions import predictions_of
from faceattr.images import ImageSource
from faceattr.labels import LabelChoice
from faceattr.pipeline import Pipeline
from faceattr.types import BGRImage, Classification, Detection


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


def test_true_labels_may_be_names_of_groups() -> None:
    labels = {"bright": ["day"], "dark": ["night", "dusk"]}
    data = crops_of([255, 250, 0, 0], ["Bright", "dark", "dusk", "dark"])
    evaluation = evaluate(
        pipeline_of(Light(), labels=labels), data, attribute="light", labels=labels
    )
    report = evaluation.ground_truth["truth"].report
    assert isinstance(report, ClassificationReport)
    assert report.confusion.tolist() == [[1, 0], [1, 2]]


def test_true_labels_may_be_other() -> None:
    labels = {"bright": ["day"]}
    data = crops_of([255, 0], ["bright", "other"])
    evaluation = evaluate(
        pipeline_of(Light(), labels=labels), data, attribute="light", labels=labels
    )
    comparison = evaluation.ground_truth["truth"]
    assert isinstance(comparison.report, ClassificationReport)
    assert comparison.report.confusion.tolist() == [[1, 0], [0, 1]]
    assert comparison.left_out == 0


def test_unknown_labels_are_an_error_with_groups_too_and_say_how_to_map_them() -> None:
    labels = {"bright": ["day"]}
    data = crops_of([255, 0, 0], ["bright", "nighttime", "fog"])
    words = (
        r"toy: unknown label 'nighttime' \(and 'fog'\); did you mean 'night'\? available: day, "
        r"dusk, night, bright, other; say which one it is with --map nighttime=night"
    )
    with pytest.raises(OptionError, match=words):
        evaluate(pipeline_of(Light(), labels=labels), data, attribute="light", labels=labels)
    mapped = data.map_labels({"nighttime": "night", "fog": ""})
    evaluation = evaluate(
        pipeline_of(Light(), labels=labels), mapped, attribute="light", labels=labels
    )
    assert evaluation.ground_truth["truth"].left_out == 1
    assert evaluation.ground_truth["truth"].report.rows == 2


class FindsLarge(Detector):
    """Finds the face of a picture that is larger than a crop of 48 pixels."""

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        return [Detection((0, 0, 20, 20), 1.0)] if image.shape[0] > 48 else []


def test_pictures_that_look_like_crops_give_a_hint() -> None:
    pipeline = Pipeline([Brightness()], detector=FindsLarge())

    def hint(num_small: int, num_large: int, side: int = 90) -> str:
        sizes = [48] * num_small + [side] * num_large
        pictures = [np.full((size, size), 10, np.uint8) for size in sizes]
        data = LabelledSet("toy", pictures, {"truth": [10] * len(sizes)})
        return evaluate(pipeline, data, attribute="brightness").hint

    assert "no face was found in 2 of 20 pictures" in hint(2, 18)
    assert "--crops" in hint(2, 18)
    assert hint(0, 20) == ""
    assert hint(2, 18, side=400) == ""  # photographs
    with pytest.raises(OptionError, match=r"no face was found in any of the pictures; .* --crops"):
        hint(20, 0)


def test_predictions_are_a_row_per_picture() -> None:
    labels = {"bright": ["day"], "dark": ["night"]}
    data = crops_of([255, 0, 255], ["day", "dusk", None])
    pipeline = pipeline_of(Light(), labels=labels)
    evaluation = evaluate(pipeline, data, attribute="light", labels=labels)
    first, second, third = predictions_of(evaluation, data)
    assert first == {
        "picture": "#0",
        "truth": "bright",
        "prediction": "bright",
        "confidence": 1.0,
        "score_bright": 1.0,
        "score_dark": 0.0,
        "score_other": 0.0,
    }
    assert (second["truth"], third["truth"]) == ("other", None)
    with pytest.raises(OptionError, match="3 answers, the set 1 images"):
        list(predictions_of(evaluation, crops_of([1], ["day"])))


def test_predictions_of_estimates_have_errors(tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    data = LabelledSet("toy", [gray(20), missing], {"a": ["22", 1]})
    evaluation = evaluate(pipeline_of(Brightness()), data, attribute="brightness")
    first, second = predictions_of(evaluation, data)
    assert first == {"picture": "#0", "truth": 22.0, "prediction": 20.0, "std": None, "error": -2.0}
    assert second["picture"] == str(missing)
    assert (second["prediction"], second["error"]) == (None, None)


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
