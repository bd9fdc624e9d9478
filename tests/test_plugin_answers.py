"""Whatever a plugin declares or answers, the result is right or one error that names the plugin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import faceattr
from faceattr import (
    Analyzer,
    BGRImage,
    Classification,
    CropBatch,
    CropSpec,
    Descriptor,
    Detection,
    Detector,
    Estimate,
    HeadAnalyzer,
    Labels,
    OptionError,
    Pipeline,
    PluginError,
    PluginLoadError,
    Search,
    Trunk,
    Unit,
    Vector,
)
from faceattr.engines.base import Engine
from faceattr.forms import Output
from faceattr.testing import FixedDetector

IMAGE: BGRImage = np.full((100, 100, 3), 90, np.uint8)
FACES = (Detection((10, 10, 60, 60), 0.9), Detection((50, 50, 90, 90), 0.8))
NAN, INF = float("nan"), float("inf")
UNIT = Unit("u")


def analyzer(
    answer: Callable[[Any], Any] = lambda crops: [Estimate(1.0, "u") for _ in crops],
    output: Output = UNIT,
    **declared: Any,
) -> Analyzer:
    """Return an analyzer that gives what it is told."""
    methods = {"predict": lambda self, crops: answer(crops), "output": output}
    made: Analyzer = type(
        "Odd", (Analyzer,), {"attribute": "odd", "crop": CropSpec((8, 8)), **methods, **declared}
    )()
    return made


def detector(find: Callable[[BGRImage, Search], Any], **declared: Any) -> Detector:
    """Return a detector that finds what it is told."""
    methods = {"find": lambda self, image, search: find(image, search)}
    made: Detector = type("Seer", (Detector,), {**methods, **declared})()
    return made


def attributes_of(odd: Any) -> list[dict[str, Any]]:
    """Return what is read off two faces, as strict JSON has it."""
    faces = Pipeline([odd], detector=FixedDetector(FACES)).analyze(IMAGE)
    text = json.dumps([face.to_dict()["attributes"]["odd"] for face in faces], allow_nan=False)
    read: list[dict[str, Any]] = json.loads(text)
    return read


async def answer_later(crops: Any) -> list[Estimate]:
    return [Estimate(1.0, "u") for _ in crops]


async def find_later(image: BGRImage, search: Search) -> list[Detection]:
    return list(FACES)


def answer_one_by_one(crops: Any) -> Iterator[Estimate]:
    for crop in crops:
        yield Estimate(float(crop.mean()), "u")


def each(result: Any) -> Callable[[Any], Any]:
    return lambda crops: [result for _ in crops]


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda crops: None, "gave None instead of a list of results"),
        (lambda crops: Estimate(1.0, "u"), "gave Estimate.* instead of a list of results"),
        (lambda crops: "ab", "gave 'ab' instead of a list of results"),
        (lambda crops: {0: 1, 1: 2}, r"gave \{0: 1, 1: 2\} instead of a list of results"),
        (answer_later, "is a coroutine; write it with def instead of async def"),
        (each(0.5), r"gave 0\.5 instead of an Estimate"),
        (each({"value": 1.0}), r"gave \{'value': 1\.0\} instead of an Estimate"),
        (each(None), "gave None instead of an Estimate"),
        (each(Estimate), "gave <class .* instead of an Estimate"),
        (each(Classification({"a": 1.0})), "gave Classification.* instead of an Estimate"),
        (each(Estimate(1.0, "years")), "gave an estimate in 'years'; it declares 'u'"),
        (each(Estimate(NAN, "u")), "gave an estimate that is not finite"),
        (each(Estimate(-INF, "u")), "gave an estimate that is not finite"),
        (each(Estimate(10**400, "u")), "gave an estimate that is not finite"),
        (each(Estimate(1.0, "u", std=NAN)), "gave an estimate that is not finite"),
        (each(Estimate("1", "u")), "gave an estimate that is not a number"),  # type: ignore[arg-type]
        (each(Estimate(None, "u")), "gave an estimate that is not a number"),  # type: ignore[arg-type]
        (each(Estimate(True, "u")), "gave an estimate that is not a number"),
        (each(Estimate(np.ones(1), "u")), "gave an estimate that is not a number"),  # type: ignore[arg-type]
        (lambda crops: [Estimate(1.0, "u")], "gave 1 results for 2 faces"),
        (lambda crops: [Estimate(1.0, "u")] * 3, "gave 3 results for 2 faces"),
        (lambda crops: [], "gave 0 results for 2 faces"),
        (lambda crops: 1 / 0, "failed: ZeroDivisionError: division by zero"),
        (lambda crops: sys.exit(3), "failed: SystemExit: 3"),
    ],
)
def test_a_wrong_answer_is_an_error_that_names_the_analyzer(answer: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"^Odd {message}"):
        attributes_of(analyzer(answer))


@pytest.mark.parametrize(
    "scores, message",
    [
        (None, "gave the scores None; they must be a mapping"),
        ([0.5, 0.5], r"gave the scores \[0\.5, 0\.5\]; they must be a mapping"),
        ({"b": 0.5, "a": 0.5}, r"gave the labels \['b', 'a'\]; it declares \['a', 'b'\]"),
        ({"a": 1.0}, r"gave the labels \['a'\]; it declares \['a', 'b'\]"),
        ({"a": NAN, "b": 1.0}, "gave scores that are not probabilities"),
        ({"a": INF, "b": 0.0}, "gave scores that are not probabilities"),
        ({"a": -1.0, "b": 2.0}, "gave scores that are not probabilities"),
        ({"a": "x", "b": "y"}, "gave scores that are not probabilities"),
        ({"a": None, "b": 1.0}, "gave scores that are not probabilities"),
        ({"a": np.ones(2), "b": np.ones(2)}, "gave scores that are not probabilities"),
    ],
)
def test_wrong_scores_are_an_error_that_names_the_analyzer(scores: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"^Odd {message}"):
        attributes_of(analyzer(each(Classification(scores)), Labels(["a", "b"])))


@pytest.mark.parametrize(
    "vector, message",
    [
        (None, "gave the vector None; it must be a NumPy array of floats"),
        ([0.0, 1.0], "gave the vector .* it must be a NumPy array of floats"),
        (np.array(["a", "b"]), "gave the vector .* it must be a NumPy array of floats"),
        (np.array([NAN, 1.0]), "gave a vector whose length is not 1"),
        (np.array([3.0, 4.0]), "gave a vector whose length is not 1"),
        (np.ones(3), r"gave a vector of shape \(3,\); it declares \(2,\)"),
    ],
)
def test_a_wrong_vector_is_an_error_that_names_the_analyzer(vector: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"^Odd {message}"):
        attributes_of(analyzer(each(Descriptor(vector)), Vector(2)))


@pytest.mark.parametrize(
    "odd, expected",
    [
        (analyzer(answer_one_by_one), {"value": 90.0, "unit": "u", "std": None}),
        (analyzer(each(Estimate(np.float32(0.5), "u"))), {"value": 0.5, "unit": "u", "std": None}),
        (analyzer(each(Estimate(7, "u", std=0))), {"value": 7.0, "unit": "u", "std": 0.0}),
        (
            analyzer(each(Classification({"a": np.float32(1), "b": 0})), Labels(["a", "b"])),
            {"label": "a", "confidence": 1.0, "scores": {"a": 1.0, "b": 0.0}},
        ),
        (analyzer(each(Descriptor(np.array([0.0, 1.0]))), Vector(2)), {"vector": [0.0, 1.0]}),
    ],
    ids=["generator", "float32", "integers", "numpy scores", "float64 vector"],
)
def test_what_is_a_right_answer_in_another_guise_is_taken(
    odd: Analyzer, expected: dict[str, Any]
) -> None:
    assert attributes_of(odd) == [expected, expected]


class FirstVersion(Analyzer):
    """Written for version 1 of the plugin API."""

    contract = 1
    attribute = "odd"
    labels = ("a", "b")
    crop = CropSpec((8, 8))


class FirstDetector(Detector):
    """Written for version 1 of the plugin API."""

    contract = 1


@pytest.mark.parametrize("plugin", [FirstVersion(), analyzer(api_version=1)])
def test_an_analyzer_of_another_version_says_which_side_to_upgrade(plugin: Analyzer) -> None:
    with pytest.raises(PluginLoadError, match=r"version 1 .* upgrade the plugin; 'From version 1'"):
        attributes_of(plugin)
    with pytest.raises(PluginLoadError, match=r"version 3 .* upgrade faceattr"):
        attributes_of(analyzer(api_version=3))


def test_a_detector_of_another_version_says_which_side_to_upgrade() -> None:
    with pytest.raises(PluginLoadError, match=r"FirstDetector was written for version 1"):
        faceattr.detect(IMAGE, detector=FirstDetector())
    with pytest.raises(PluginLoadError, match=r"detector 'first' was written for version 1"):
        faceattr.register_detector("first", FirstDetector)


@pytest.mark.parametrize("given", [None, 5, object(), answer_later, [1]])
def test_what_is_not_an_analyzer_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match="is not an analyzer; give the name of one, or an"):
        Pipeline([given])


@pytest.mark.parametrize("given", [None, 5, object(), answer_later, ["mtcnn"]])
def test_what_is_not_a_detector_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match=r"detector is .*; give"):
        Pipeline([], detector=given)


def test_a_class_instead_of_an_object_is_refused() -> None:
    with pytest.raises(OptionError, match=r"Odd is a class; give an object: Odd\(\)"):
        Pipeline([type(analyzer())])  # type: ignore[list-item]
    with pytest.raises(OptionError, match=r"Seer is a class; give an object: Seer\(\)"):
        Pipeline([], detector=type(detector(find_later)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "declared, message",
    [
        ({"attribute": 5}, "declares the attribute 5; it must be a name"),
        ({"attribute": ""}, "declares the attribute ''; it must be a name"),
        ({"attribute": ["a"]}, r"declares the attribute \['a'\]; it must be a name"),
        ({"attribute": "a=b"}, "declares the attribute 'a=b'; it must be a name"),
        ({"crop": (8, 8)}, r"declares the crop \(8, 8\); it must be a CropSpec"),
        ({"more_crops": CropSpec((8, 8))}, "declares more_crops = CropSpec.*; it must be a list"),
        ({"more_crops": [(8, 8)]}, r"declares more_crops = \[\(8, 8\)\]; it must be a list"),
        ({"output": "years"}, "declares the output 'years'; it must be Labels, a Unit or a Vector"),
        ({"output": Labels}, "declares the output <class .*; it must be Labels, a Unit or"),
        ({"refresh": "5"}, "declares a refresh of '5'; it must be seconds"),
        ({"refresh": NAN}, "declares a refresh of nan; it must be seconds"),
        ({"refresh": -1.0}, r"declares a refresh of -1\.0; it must be seconds"),
    ],
)
def test_a_wrong_declaration_is_found_before_anything_runs(
    declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(PluginError, match=f"^Odd {message}"):
        Pipeline([analyzer(**declared)])


@pytest.mark.parametrize("missing", ["attribute", "output", "crop"])
def test_a_missing_declaration_is_named(missing: str) -> None:
    declared = {"attribute": "odd", "output": Unit("u"), "crop": CropSpec((8, 8))}
    del declared[missing]
    with pytest.raises(PluginError, match=f"Odd does not declare '{missing}'"):
        Pipeline([type("Odd", (Analyzer,), declared)()])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Labels([]), r"labels are \[\]; give a list of non-empty strings"),
        (lambda: Labels("ab"), "labels are 'ab'; give a list of non-empty strings"),
        (lambda: Labels([1, 2]), r"labels are \[1, 2\]; give a list of non-empty strings"),  # type: ignore[list-item]
        (lambda: Labels(["a", "a"]), r"labels are \['a', 'a'\]; name each of them once"),
        (lambda: Unit(""), "unit is ''; it must be a non-empty string"),
        (lambda: Vector(0), "size of a vector is 0; it must be a positive integer"),
        (lambda: CropSpec((0, 8)), r"size of a crop is \(0, 8\); it must be height and width"),
        (lambda: CropSpec((8,)), r"size of a crop is \(8,\); it must be height and width"),  # type: ignore[arg-type]
        (lambda: CropSpec((8, 8), color="hsv"), "color is 'hsv'; it can be gray, bgr, rgb"),  # type: ignore[arg-type]
        (lambda: CropSpec((8, 8), mode="round"), "mode is 'round'; it can be landmarks, box"),  # type: ignore[arg-type]
        (lambda: CropSpec((8, 8), template=((0, 0),)), "it must be five points"),
        (lambda: CropSpec((8, 8), margin=NAN), "margin is nan; it must be at least 0"),
    ],
)
def test_declarations_check_themselves(make: Callable[[], object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize(
    "first, second, column",
    [
        (analyzer(attribute="age"), analyzer(attribute="age_std"), "age_std"),
        (
            analyzer(attribute="mood", output=Labels(["good", "std"])),
            analyzer(attribute="mood_good"),
            "mood_good",
        ),
    ],
)
def test_two_attributes_cannot_have_one_column(
    first: Analyzer, second: Analyzer, column: str
) -> None:
    with pytest.raises(OptionError, match=f"needs a column '{column}'.*; rename the attribute or"):
        Pipeline([first, second])


@pytest.mark.parametrize(
    "load, message",
    [
        (lambda self, engine: None, r"\.load\(\) returned None; it must return a function"),
        (lambda self, engine: answer_later(0), r"\.load is a coroutine; write it with def"),
        (lambda self, engine: 1 / 0, " failed: ZeroDivisionError"),
    ],
)
def test_a_load_without_a_function_is_an_error(load: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"^Odd{message}"):
        attributes_of(analyzer(load=load))
    with pytest.raises(PluginError, match=f"^Seer{message}"):
        faceattr.detect(IMAGE, detector=detector(find_later, load=load))


def test_a_trunk_without_a_row_for_each_face_is_an_error() -> None:
    class Head(HeadAnalyzer):
        attribute = "odd"
        output = Unit("u")
        crop = CropSpec((8, 8))

        def load_trunk(self, engine: Engine) -> Trunk:
            return Trunk("short", lambda crops: np.zeros((1, 4), np.float32))

        def load_head(self, engine: Engine) -> Callable[[Any], list[Estimate]]:
            return each(Estimate(1.0, "u"))

    with pytest.raises(PluginError, match="trunk 'short' gave 1 features for 2 faces"):
        attributes_of(Head())


def test_an_analyzer_that_defines_nothing_is_an_error() -> None:
    class Empty(Analyzer):
        attribute = "odd"
        output = Unit("u")
        crop = CropSpec((8, 8))

    with pytest.raises(PluginError, match="Empty defines neither predict, read nor load"):
        attributes_of(Empty())


def found(bbox: Any = (10, 10, 60, 60), confidence: Any = 0.9, landmarks: Any = None) -> Any:
    return lambda image, search: [Detection(bbox, confidence, landmarks)]


@pytest.mark.parametrize(
    "find, message",
    [
        (lambda image, search: None, "gave None instead of a list of results"),
        (lambda image, search: FACES[0], "gave Detection.* instead of a list of results"),
        (lambda image, search: "ab", "gave 'ab' instead of a list of results"),
        (find_later, "is a coroutine; write it with def instead of async def"),
        (lambda image, search: [(1, 2, 3, 4)], r"gave \(1, 2, 3, 4\) instead of a Detection"),
        (lambda image, search: 1 / 0, "failed: ZeroDivisionError"),
        (found(bbox=(NAN, 1, 2, 3)), r"gave the box \(nan, 1, 2, 3\); it must be four finite"),
        (found(bbox=(0, 0, INF, 3)), r"gave the box \(0, 0, inf, 3\); it must be four finite"),
        (found(bbox=(1, 2, 3)), r"gave the box \(1, 2, 3\); it must be four finite numbers"),
        (found(bbox="abcd"), "gave the box 'abcd'; it must be four finite numbers"),
        (found(confidence=NAN), r"gave the confidence nan; it must be in \[0, 1\]"),
        (found(confidence=97.0), r"gave the confidence 97\.0; it must be in \[0, 1\]"),
        (found(confidence="0.9"), r"gave the confidence '0\.9'; it must be in \[0, 1\]"),
        (found(landmarks=np.zeros((4, 2))), "gave the landmarks array"),
        (found(landmarks=np.full((5, 2), NAN)), "gave the landmarks array"),
        (
            found(landmarks=[[1, 2]] * 5),
            r"gave the landmarks \[\[1, 2\].* must be a \(5, 2\) array",
        ),
    ],
)
def test_a_wrong_detection_is_an_error_that_names_the_detector(find: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"^Seer {message}"):
        Pipeline([analyzer()], detector=detector(find)).analyze(IMAGE)


def test_detections_from_a_generator_or_in_numpy_numbers_are_taken() -> None:
    def find(image: BGRImage, search: Search) -> Iterator[Detection]:
        yield Detection(tuple(np.float32([10, 10, 60, 60])), np.float32(0.75))  # type: ignore[arg-type]

    (face,) = faceattr.detect(IMAGE, detector=detector(find))
    assert json.loads(json.dumps(face.to_dict()))["bbox"] == [10, 10, 60, 60]


def test_a_wrong_answer_spoils_only_its_own_image() -> None:
    def fail_on_black(crops: Any) -> Any:
        return [Estimate(NAN if not crop.any() else 1.0, "u") for crop in crops]

    images = [IMAGE, np.zeros_like(IMAGE), IMAGE]
    pipeline = Pipeline([analyzer(fail_on_black)], detector=FixedDetector(FACES))
    results = list(pipeline.analyze_each(images))
    assert [len(result.faces) for result in results] == [2, 0, 2]
    assert "not finite" in str(results[1].error)


def test_a_batch_is_given_as_it_is_to_an_analyzer_that_reads_it() -> None:
    sizes = []

    class Reading(Analyzer):
        attribute = "odd"
        output = Unit("u")
        crop = CropSpec((8, 8))

        def read(self, batch: CropBatch) -> list[Estimate]:
            sizes.append((batch.crops.shape, len(batch.geometry)))
            return [Estimate(one.scale, "u") for one in batch.geometry]

    assert len(attributes_of(Reading())) == 2
    assert sizes == [((2, 8, 8, 3), 2)]
