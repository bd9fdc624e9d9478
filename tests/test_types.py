from __future__ import annotations

import json

import numpy as np
import pytest

from faceattr.errors import OptionError, UnknownNameError
from faceattr.types import (
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Descriptor,
    Detection,
    Estimate,
    Face,
    Features,
    Trunk,
)

EMOTION = Classification({"happy": 0.75, "sad": 0.25})


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
