from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from faceattr.alignment import CropSpec
from faceattr.errors import FaceattrError, ImageError, OptionError, PluginError, UnknownNameError
from faceattr.types import (
    Attribute,
    BBox,
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Descriptor,
    Detection,
    Estimate,
    Face,
    Features,
    Frame,
    Trunk,
)

EMOTION = Classification({"happy": 0.75, "sad": 0.25})
FACE = Face(
    (12.123456, 24.5, 32.25, 64.987654),
    0.987654321,
    (np.arange(10).reshape(5, 2) / 3).astype(np.float32),
    {
        "emotion": EMOTION,
        "age": Estimate(31.23456789, "years", 4.5678),
        "identity": Descriptor(np.array([0.6, 0.8], np.float32)),
    },
    track_id=3,
    frozen={"age": 2.5},
    uncertain=frozenset({"emotion"}),
    features={"trunk": np.full((2, 2), 0.1, np.float32)},
)
ALIKE = replace(FACE, attributes=dict(FACE.attributes))
GRADIENT = np.arange(50 * 40 * 3, dtype=np.uint8).reshape(50, 40, 3)


def test_the_label_is_the_most_probable_one() -> None:
    assert EMOTION.label == "happy"
    assert EMOTION.confidence == 0.75


def test_a_classification_can_be_uncertain() -> None:
    assert EMOTION.is_certain(0.75)
    assert not EMOTION.is_certain(0.76)
    face = Face(
        (0, 0, 1, 1), 0.9, attributes={"emotion": EMOTION}, uncertain=frozenset({"emotion"})
    )
    assert face.text("emotion") == "uncertain"
    assert face.to_dict()["attributes"]["emotion"] == {
        "label": None,
        "confidence": 0.75,
        "scores": {"happy": 0.75, "sad": 0.25},
    }


def test_an_attribute_is_given_in_its_form() -> None:
    age = Estimate(31.0, "years")
    face = Face((0, 0, 1, 1), 0.9, attributes={"emotion": EMOTION, "age": age})
    assert face.classification("emotion").label == "happy"
    assert face.estimate("age").value == 31
    with pytest.raises(OptionError, match=r"'age' is not a Classification; call face.estimate"):
        face.classification("age")
    with pytest.raises(UnknownNameError, match="unknown attribute 'emotoin'; did you mean 'emo"):
        face.descriptor("emotoin")


def test_a_trunk_runs_once_for_all_its_heads() -> None:
    batches: list[int] = []

    def run(crops: Crops) -> Features:
        batches.append(len(crops))
        return np.ones((len(crops), 3), np.float32)

    batch = CropBatch(np.zeros((4, 2, 2, 1), np.uint8), [CropGeometry()] * 4)
    assert batch.features(Trunk("a", run)) is batch.features(Trunk("a", run))
    assert batches == [4]
    assert batch.known_features["a"].shape == (4, 3)
    assert len(batch[1:3]) == 2
    assert batch[1:3].known_features == {}


def test_the_same_faces_are_within_reach_in_the_forms_that_are_declared() -> None:
    small, large = CropSpec((2, 2), color="gray"), CropSpec((4, 4), color="gray")
    forms = {
        spec: CropBatch(np.ones((3, *spec.size, 1), np.uint8), [CropGeometry()] * 3)
        for spec in (small, large)
    }
    batch = forms[small].with_forms(forms)
    trunk = Trunk("sum", lambda crops: crops.sum(axis=(1, 2)).astype(np.float32))
    assert batch.in_form(large).features(trunk).ravel().tolist() == [16, 16, 16]
    assert batch.in_form(small).features(trunk) is batch.features(trunk)
    assert batch[1:].in_form(large).crops.shape == (2, 4, 4, 1)
    with pytest.raises(PluginError, match="does not declare; list it in `more_crops`"):
        batch.in_form(CropSpec((8, 8)))


def test_descriptors_compare_by_their_numbers() -> None:
    one, other = Descriptor(np.ones(4, np.float32)), Descriptor(np.ones(4, np.float32))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Descriptor(np.zeros(4, np.float32))
    assert one.to_dict() == {"vector": [1, 1, 1, 1]}


def test_attributes_read_well() -> None:
    assert str(EMOTION) == "happy 75%"
    assert str(Estimate(31.6, unit="years", std=4.2)) == "32 years"


def test_a_face_is_json_even_if_it_holds_numpy_scalars() -> None:
    face = Face(
        bbox=tuple(np.array([1, 2, 3, 4], np.float32)),
        confidence=np.float32(0.5),
        landmarks=np.full((5, 2), 7, np.float32),
        attributes={
            "emotion": Classification({"happy": np.float32(1)}),
            "age": Estimate(np.float64(30.5), unit="years"),
        },
        frozen={"age": np.float64(2.5)},
    )
    assert json.loads(json.dumps(face.to_dict())) == {
        "bbox": [1, 2, 3, 4],
        "confidence": 0.5,
        "landmarks": [[7, 7]] * 5,
        "attributes": {
            "emotion": {"label": "happy", "confidence": 1, "scores": {"happy": 1}},
            "age": {"value": 30.5, "unit": "years", "std": None},
        },
        "track_id": None,
        "frozen": {"age": 2.5},
    }


def test_detections_compare_without_their_landmarks() -> None:
    bare = Detection((0, 0, 10, 10), 0.5)
    assert bare == Detection((0, 0, 10, 10), 0.5, np.zeros((5, 2), np.float32))
    assert bare.to_dict() == {"bbox": [0, 0, 10, 10], "confidence": 0.5, "landmarks": None}


def test_an_attribute_that_was_read_is_an_attribute_of_the_face() -> None:
    assert FACE.emotion is EMOTION
    assert float(FACE.age) == 31.23456789
    assert FACE["identity"] is FACE.attributes["identity"]
    assert hasattr(FACE, "identity")
    assert {"emotion", "age", "identity", "bbox"} <= set(dir(FACE))


def test_a_field_hides_an_attribute_of_its_name_and_brackets_do_not() -> None:
    face = Face((0, 0, 4, 2), 0.9, attributes={"width": Estimate(14.0, "cm")})
    assert face.width == 4
    assert face["width"] == Estimate(14.0, "cm")


def test_an_attribute_that_was_not_read_is_an_error_of_python_and_of_ours() -> None:
    face = Face((0, 0, 1, 1), 0.9, attributes={"emotion": EMOTION})
    assert not hasattr(face, "age")
    with pytest.raises(AttributeError, match="no 'age'; read were: emotion; `actions` says what"):
        _ = face.age
    with pytest.raises(UnknownNameError, match="no 'emotoin'; did you mean 'emotion'"):
        _ = face.emotoin  # type: ignore[attr-defined]
    with pytest.raises(UnknownNameError, match="no 'bbx'; did you mean 'bbox'"):
        _ = face.bbx  # type: ignore[attr-defined]
    with pytest.raises(UnknownNameError, match="no 'age'; read were: nothing"):
        _ = Face((0, 0, 1, 1), 0.9).age
    with pytest.raises(UnknownNameError, match="unknown attribute 'age'; available: emotion"):
        _ = face["age"]


def test_neither_faces_nor_classifications_are_iterated_over() -> None:
    for value in (FACE, EMOTION):
        with pytest.raises(TypeError, match="not iterable"):
            list(value)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda face: pickle.loads(pickle.dumps(face))]
)
def test_a_face_survives_copying_and_pickling(duplicate: Callable[[Face], Face]) -> None:
    face = duplicate(FACE)
    assert face == FACE
    assert face.emotion.label == "happy"
    assert face.to_dict() == FACE.to_dict()
    with pytest.raises(AttributeError):
        _ = object.__new__(Face).attributes


def test_equal_faces_are_one_key() -> None:
    assert hash(FACE) == hash(ALIKE)
    assert len({FACE, ALIKE, replace(FACE, track_id=4)}) == 2
    reordered = Classification({"sad": 0.25, "happy": 0.75})
    assert {EMOTION: 1}[reordered] == 1


def test_scores_are_given_by_label_and_by_rank() -> None:
    emotion = Classification({"angry": 0.2, "happy": 0.6, "sad": 0.2})
    assert emotion["sad"] == 0.2
    assert emotion.top(2) == [("happy", 0.6), ("angry", 0.2)]
    assert emotion.top(9)[0][0] == emotion.label
    assert emotion.top(0) == []
    with pytest.raises(UnknownNameError, match="unknown label 'hapy'; did you mean 'happy'"):
        _ = emotion["hapy"]
    with pytest.raises(OptionError, match="label is 1; it must be str"):
        _ = emotion[1]  # type: ignore[index]
    with pytest.raises(OptionError, match="count is -1"):
        emotion.top(-1)


def test_reprs_are_short() -> None:
    assert repr(FACE) == (
        "Face(#3 (12, 24, 32, 65) 99%, emotion uncertain, age 31 years, identity 2 numbers)"
    )
    assert repr(EMOTION) == "Classification(happy 75%, sad 25%)"
    many = Classification({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4})
    assert repr(many) == "Classification(d 40%, c 30%, b 20%, …)"
    assert repr(Estimate(31.23456, "years", 4.5678)) == "Estimate(31.23 ± 4.6 years)"
    assert repr(Descriptor(np.ones(128, np.float32))) == "Descriptor(128 numbers)"
    assert repr(Frame(np.zeros((480, 640, 3), np.uint8), 7, 0.28)) == (
        "Frame(7 at 0.280 s, 640×480 pixels)"
    )
    assert repr(Detection((1.1234567, 2, 3, 4), 0.98765)) == "Detection((1, 2, 3, 4) 99%)"


@pytest.mark.parametrize("junk", [None, "text", 10**400, object(), [1], {"a": None}, np.ones(2)])
def test_a_repr_never_fails(junk: Any) -> None:
    for value in (
        Classification(junk),
        Estimate(junk, junk, junk),
        Descriptor(junk),
        Detection(junk, junk),
        Face(junk, junk, attributes=junk),
        Face(junk, junk, attributes={"a": junk, "b": Classification(junk)}),
        Frame(junk, junk, junk),
    ):
        assert repr(value).startswith(type(value).__name__)


def test_a_face_has_a_size() -> None:
    face = Face((10, 20, 14, 25), 0.9)
    assert (face.width, face.height, face.area) == (4, 5, 20)


@pytest.mark.parametrize(
    ("bbox", "margin", "expected"),
    [
        ((10, 20, 14, 26), 0.0, (slice(20, 26), slice(10, 14))),
        ((10.2, 20.9, 13.1, 25.01), 0.0, (slice(20, 26), slice(10, 14))),
        ((10, 20, 14, 24), 0.5, (slice(18, 26), slice(8, 16))),
        ((-5, -5, 3, 2), 0.0, (slice(0, 2), slice(0, 3))),
        ((30, 45, 90, 90), 0.0, (slice(45, 50), slice(30, 40))),
        ((10, 20, 14, 26), 1e308, (slice(0, 50), slice(0, 40))),
        ((7, 7, 7, 7), 0.0, (slice(7, 8), slice(7, 8))),
    ],
)
def test_a_crop_is_the_part_of_the_image_that_the_box_shows(
    bbox: BBox, margin: float, expected: tuple[slice, slice]
) -> None:
    for located in (Face(bbox, 0.9), Detection(bbox, 0.9)):
        crop = located.crop(GRADIENT, margin=margin)
        assert np.array_equal(crop, GRADIENT[expected])
        assert not np.shares_memory(crop, GRADIENT)


def test_a_crop_takes_any_image(tmp_path: Path) -> None:
    face = Face((10, 20, 14, 26), 0.9)
    expected = GRADIENT[20:26, 10:14]
    cv2.imwrite(str(tmp_path / "a.png"), GRADIENT)
    rgb = np.ascontiguousarray(GRADIENT[..., ::-1])
    assert np.array_equal(face.crop(tmp_path / "a.png"), expected)
    assert np.array_equal(face.crop(Image.fromarray(rgb)), expected)
    assert np.array_equal(face.crop(rgb, color="rgb"), expected)


def test_a_crop_that_cannot_be_is_an_error() -> None:
    face = Face((100, 20, 140, 26), 0.9)
    with pytest.raises(
        OptionError, match=r"box \(100, 20, 140, 26\) lies outside the image of 40 x"
    ):
        face.crop(GRADIENT)
    for margin in (-0.1, float("nan"), float("inf")):
        with pytest.raises(OptionError, match=f"margin is {margin}"):
            face.crop(GRADIENT, margin=margin)
    with pytest.raises(ImageError, match="no such file"):
        face.crop("no.png")
    with pytest.raises(OptionError, match="bbox of a Face is"):
        Face((float("nan"), 0, 1, 1), 0.9).crop(GRADIENT)


def test_json_has_few_digits() -> None:
    assert FACE.to_dict() == {
        "bbox": [12.12, 24.5, 32.25, 64.99],
        "confidence": 0.98765,
        "landmarks": [[0.0, 0.33], [0.67, 1.0], [1.33, 1.67], [2.0, 2.33], [2.67, 3.0]],
        "attributes": {
            "emotion": {
                "label": None,
                "confidence": 0.75,
                "scores": {"happy": 0.75, "sad": 0.25},
            },
            "age": {"value": 31.2346, "unit": "years", "std": 4.5678},
            "identity": {"vector": [0.6, 0.8]},
        },
        "track_id": 3,
        "frozen": {"age": 2.5},
        "features": {"trunk": [[0.1, 0.1], [0.1, 0.1]]},
    }


def test_rounding_does_not_change_the_label() -> None:
    close = Classification({"sad": 0.4000001, "happy": 0.4000002, "angry": 0.1999997})
    described = close.to_dict()
    assert described["label"] == "happy"
    assert Classification(described["scores"]).label == "happy"


def test_small_estimates_keep_their_digits() -> None:
    assert Estimate(0.000123456789, "m").to_dict()["value"] == 0.000123457
    assert Estimate(-1234567.0, "m").to_dict()["value"] == -1234570


def test_a_face_comes_back_from_its_dict() -> None:
    described = json.loads(json.dumps(FACE.to_dict()))
    face = Face.from_dict(described)
    assert face.to_dict() == described
    assert Face.from_dict(face.to_dict()) == face
    assert face.uncertain == {"emotion"}
    assert face.bbox == pytest.approx(FACE.bbox, abs=0.005)
    assert face.age.value == pytest.approx(FACE.age.value, rel=1e-5)
    assert face["identity"] == FACE["identity"]
    assert face.landmarks == pytest.approx(FACE.landmarks, abs=0.005)
    assert face.features["trunk"].tobytes() == FACE.features["trunk"].tobytes()


def test_a_face_comes_back_from_a_line_of_a_stream_and_from_the_least() -> None:
    assert Face.from_dict({"frame": 7, "timestamp": 0.5, **FACE.to_dict()}).track_id == 3
    assert Face.from_dict({"bbox": [1, 2, 3, 4], "confidence": 1}) == Face((1, 2, 3, 4), 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, 3]}, r"bbox is \[1, 2, 3\]; it must be x1, y1, x2, y2"),
        ({"bbox": [1, 2, 3, "4"]}, "a corner of bbox is '4'; it must be a finite number"),
        ({"confidence": 98.0}, r"confidence is 98; it must be in \[0, 1\]"),
        ({"confidence": True}, "confidence is True"),
        ({"landmarks": [[1, 2]]}, r"landmarks: \[\[1, 2\]\]; it must be a list of 5 × 2 finite"),
        ({"attributes": [1]}, r"attributes: \[1\]; it must be a mapping"),
        ({"attributes": {"age": {"unit": "years"}}}, "attribute 'age' has no 'value'"),
        ({"attributes": {"age": {"value": 1, "unit": None}}}, "unit of attribute 'age' is None"),
        ({"attributes": {"a": {"scores": {}}}}, "attribute 'a': the label None is not among"),
        ({"attributes": {"a": {"scores": {"b": 1}, "label": "c"}}}, "the label 'c' is not among"),
        ({"attributes": {"a": {"scores": {"b": 50}}}}, "score 'b' of attribute 'a' is 50"),
        ({"attributes": {"a": {"vector": [[1]]}}}, "vector of attribute 'a' has 2 dimensions"),
        ({"attributes": {"a": {"vector": [1e999]}}}, "vector of attribute 'a'"),
        ({"track_id": "3"}, "track_id is '3'; it must be a whole number or None"),
        ({"frozen": {"age": None}}, "frozen 'age' is None"),
        ({"features": {"trunk": [[1], [1, 2]]}}, "features 'trunk': "),
    ],
)
def test_a_dict_that_is_no_face_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Face.from_dict(FACE.to_dict() | change)


JUNK: list[Any] = [
    *(None, True, -1, 2.5, 10**400, float("nan"), float("inf"), 1j, "", "text", b"x", object()),
    *([], [None], [[1], [1, 2]], [[[1]]], {}, {1: 2}, {"a": None}, {"scores": 1}, {"vector": {}}),
    *({"value": []}, np.zeros(3), np.zeros((5, 2)), np.array("x"), range(4), {1, 2}),
]


def spoil(value: Any, rng: random.Random) -> Any:
    """Return a copy with junk in one place, or without one of its entries."""
    if rng.random() < 0.2 or not value or not isinstance(value, dict | list):
        return rng.choice(JUNK)
    if isinstance(value, dict):
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: entry for name, entry in value.items() if name != key}
        return value | {key: spoil(value[key], rng)}
    index = rng.randrange(len(value))
    return [*value[:index], spoil(value[index], rng), *value[index + 1 :]]


def test_junk_is_a_face_or_an_error_of_ours() -> None:
    rng = random.Random(0)
    refused = 0
    for _ in range(3000):
        try:
            face = Face.from_dict(spoil(FACE.to_dict(), rng))
        except FaceattrError:
            refused += 1
        else:
            assert Face.from_dict(json.loads(json.dumps(face.to_dict()))) == face
    assert 1500 < refused < 3000


def test_a_random_face_comes_back_as_it_was_up_to_rounding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = rng.dirichlet(np.full(7, 0.3)).astype(np.float32)
        attributes: dict[str, Attribute] = {
            "emotion": Classification(dict(zip("abcdefg", scores, strict=True))),
            "age": Estimate(rng.uniform(0, 100), "years", rng.uniform(0, 9)),
            "identity": Descriptor(rng.normal(size=8).astype(np.float32)),
        }
        face = Face(tuple(rng.uniform(-9, 5000, 4).tolist()), rng.random(), attributes=attributes)
        again = Face.from_dict(face.to_dict())
        assert again.bbox == pytest.approx(face.bbox, abs=0.0051)
        assert again.emotion.label == face.emotion.label
        assert again.emotion.scores == pytest.approx(face.emotion.scores, abs=1e-5)
        assert again["identity"] == face["identity"]


def test_a_notebook_shows_a_bar_for_each_score() -> None:
    emotion = Classification({"<b>": 0.75, "sad": 0.25})
    html = Face((1, 2, 3, 4), 0.9, attributes={"a&b": emotion})._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt; 75%" in html
    assert "a&amp;b" in html
    assert html.count("width:75px") == html.count("width:25px") == 1
    assert "uncertain" in FACE._repr_html_()
