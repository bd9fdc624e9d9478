"""What deepface's calls read off faces, and how they word it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN, Told
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.emotion_cnn import EMOTION_CNN
from faceattr.deepface import DeepFace
from faceattr.deepface.results import ACTIONS
from faceattr.engines.base import Engine
from faceattr.forms import Labels, Output, Unit
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.emotion_cnn import emotion_cnn
from faceattr.testing.stand_ins import random_weights, write_hdf5
from faceattr.types import Attribute, Classification, Estimate, Features, Trunk
from faceattr.weights import import_file


def test_emotions_are_those_of_a_plain_calculation(tmp_path: Path) -> None:
    weights = random_weights(emotion_cnn())
    weights["scores"][0] *= 6  # so that the probabilities differ
    write_hdf5(tmp_path / "standin.h5", weights)
    import_file(tmp_path / "standin.h5", EMOTION_CNN, trust=True)
    picture = cv2.resize(WOMAN, (336, 448))
    (face,) = DeepFace.analyze(picture, "emotion", detector_backend="skip")

    square = np.zeros((224, 224, 3), np.float32)
    square[:, 28:196] = cv2.resize(picture / 255, (168, 224))
    gray = cv2.resize(cv2.cvtColor(square, cv2.COLOR_BGR2GRAY), (48, 48))
    expected = dict(zip(EMOTIONS, 100 * emotion_probabilities(gray, weights), strict=True))
    assert face["emotion"] == pytest.approx(expected, abs=0.01)
    assert face["dominant_emotion"] == max(expected, key=expected.__getitem__)
    assert max(expected.values()) - min(expected.values()) > 20
    assert json.loads(json.dumps(face)) == face


def emotion_probabilities(
    gray: NDArray[np.float32], weights: dict[str, list[NDArray[Any]]]
) -> NDArray[np.float64]:
    """Return what the emotion network of DESIGN.md says, in NumPy."""

    def convolved(x: NDArray[Any], name: str) -> NDArray[Any]:
        kernel, bias = weights[name]
        windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
        return np.maximum(np.einsum("ijckl,klcf->ijf", windows, kernel, optimize=True) + bias, 0)

    def pooled(x: NDArray[Any], size: int, how: Callable[..., Any]) -> NDArray[Any]:
        pooled: NDArray[Any] = how(sliding_window_view(x, (size, size), axis=(0, 1)), axis=(3, 4))
        return pooled[::2, ::2]

    x = pooled(convolved(gray[..., None].astype(np.float64), "conv1"), 5, np.max)
    x = pooled(convolved(convolved(x, "conv2"), "conv3"), 3, np.mean)
    x = pooled(convolved(convolved(x, "conv4"), "conv5"), 3, np.mean).ravel()
    for name in ("dense1", "dense2"):
        x = np.maximum(x @ weights[name][0] + weights[name][1], 0)
    logits = x @ weights["scores"][0] + weights["scores"][1]
    return np.exp(logits) / np.exp(logits).sum()


class Head(HeadAnalyzer):
    """Says the same of every face."""

    crop = CropSpec(size=(224, 224), mode="letterbox")

    def __init__(self, attribute: str, output: Output, trunk: Trunk, answer: Attribute) -> None:
        self.attribute = attribute  # type: ignore[misc]
        self.output = output
        self._trunk = trunk
        self._answer = answer

    def load_trunk(self, engine: Engine) -> Trunk:
        return self._trunk

    def load_head(self, engine: Engine) -> Callable[[Features], list[Attribute]]:
        return lambda features: [self._answer for _ in features]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[Any]]:
    """Let age, gender and race be heads that say what they are told; return what they see."""
    seen: list[NDArray[Any]] = []

    def run(crops: NDArray[Any]) -> NDArray[Any]:
        seen.append(crops)
        return crops

    answers: dict[str, Attribute] = {
        "age": Estimate(31.9, "years"),
        "gender": Classification({"woman": 0.2, "man": 0.6}),
        "race": Classification({"asian": 0.1, "latino hispanic": 0.3}),
    }
    trunk = Trunk("trunk", run)
    for action, answer in answers.items():
        output = Unit("years") if isinstance(answer, Estimate) else Labels(answer.scores)  # type: ignore[union-attr]
        monkeypatch.setitem(ACTIONS, action, Head(action, output, trunk, answer))
    return seen


def test_results_are_worded_as_deepfaces(seen: list[NDArray[Any]]) -> None:
    (face,) = DeepFace.analyze(NOBODY, ["age", "gender", "race"], detector_backend="skip")
    assert face == {
        "region": {"x": 0, "y": 0, "w": 79, "h": 99, "left_eye": None, "right_eye": None},
        "face_confidence": 0.0,
        "age": 31,
        "gender": {"Woman": pytest.approx(20), "Man": pytest.approx(60)},
        "dominant_gender": "Man",
        "race": {"asian": pytest.approx(25), "latino hispanic": pytest.approx(75)},
        "dominant_race": "latino hispanic",
    }


def test_a_trunk_sees_all_faces_once(seen: list[NDArray[Any]], finds: Callable[..., Told]) -> None:
    finds((60, 70, 80, 100), (50, 60, 80, 90))
    faces = DeepFace.analyze(NOBODY, ["age", "gender", "race"], detector_backend="mtcnn")
    assert len(faces) == 2
    assert [crops.shape for crops in seen] == [(2, 224, 224, 3)]


def test_faces_are_fitted_into_a_black_square(seen: list[NDArray[Any]]) -> None:
    DeepFace.analyze(NOBODY, ["age"], detector_backend="skip")
    ((crop,),) = seen
    assert crop[:, 22:201].min() == pytest.approx(90)
    assert crop[:, :22].max() == crop[:, 201:].max() == 0


@pytest.mark.parametrize("images", [[NOBODY, NOBODY], np.stack([NOBODY, NOBODY])])
def test_several_images_give_a_list_of_faces_each(seen: list[NDArray[Any]], images: Any) -> None:
    results = DeepFace.analyze(images, ["age"], detector_backend="skip")
    assert [[face["age"] for face in faces] for faces in results] == [[31], [31]]
