from __future__ import annotations

import json

import numpy as np

from faceattr.types import Classification, Detection, Estimate, Face

EMOTION = Classification({"happy": 0.75, "sad": 0.25})


def test_the_label_is_the_most_probable_one() -> None:
    assert EMOTION.label == "happy"
    assert EMOTION.confidence == 0.75


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
