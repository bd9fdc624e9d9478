"""deepface's verify, find and represent: its dicts and quirks, and its own answers beside ours."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN, Told

from faceattr.deepface import DeepFace, descriptors
from faceattr.deepface.descriptors import RANGE, embed, to_input
from faceattr.deepface.distances import THRESHOLDS, find_confidence
from faceattr.errors import OptionError, WeightsError

ANSWERS = json.loads((Path(__file__).parent / "dlib_answers.json").read_text(encoding="utf-8"))
HOME = os.environ.get("DEEPFACE_HOME") or str(Path.home())
AXES = np.eye(128).tolist()
BETWEEN = np.add(AXES[0], AXES[1]).tolist()  # 45 degrees from the first axis
MODEL: dict[str, Any] = {"model_name": "Dlib", "models": "builtin"}


# verify


def test_a_person_is_who_they_are() -> None:
    answer = DeepFace.verify(WOMAN, WOMAN[:, ::-1].copy(), detector_backend="yunet", **MODEL)
    assert list(answer) == [
        *("verified", "distance", "threshold", "confidence", "model", "detector_backend"),
        *("similarity_metric", "facial_areas", "time"),
    ]
    assert answer["verified"] is True
    assert 0 < answer["distance"] < 0.05
    assert answer["threshold"] == 0.07
    assert 51 <= answer["confidence"] < 100
    (face,) = DeepFace.extract_faces(WOMAN, "yunet")
    assert answer["facial_areas"]["img1"] == face["facial_area"]
    assert json.loads(json.dumps(answer))["distance"] == answer["distance"]


@pytest.mark.parametrize(
    "metric, distance",
    [
        ("cosine", 1 - math.sqrt(0.5)),
        ("euclidean", 1.0),
        ("euclidean_l2", math.sqrt(2 - math.sqrt(2))),
        ("angular", 0.25),
        (lambda a, b: np.abs(a - b).sum() + len(b), 129.0),
    ],
)
def test_descriptors_are_compared_without_images(metric: Any, distance: float) -> None:
    answer = DeepFace.verify(AXES[0], BETWEEN, distance_metric=metric, threshold=200.0, **MODEL)
    assert answer["distance"] == pytest.approx(distance, abs=1e-6)
    assert answer["verified"] is True
    assert answer["similarity_metric"] is metric
    assert set(answer["facial_areas"]["img2"].values()) == {None}


def test_the_pair_of_faces_that_is_most_alike_counts(
    finds: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    finds((10, 10, 30, 30), (40, 10, 60, 30))
    picture = NOBODY.copy()
    picture[10:30, 10:30], picture[10:30, 40:60] = 50, 100
    monkeypatch.setattr(
        "faceattr.deepface.recognition.embed", lambda face, models: AXES[round(255 * face.max())]
    )
    answer = DeepFace.verify(picture, AXES[100], detector_backend="mtcnn", align=False, **MODEL)
    assert answer["distance"] == 0
    assert answer["facial_areas"]["img1"]["x"] == 40


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model_name": "VGG-Face"}, r"model_name is 'VGG-Face'; .* model_name=\"Dlib\""),
        ({"distance_metric": "manhattan"}, "it can be cosine, euclidean, euclidean_l2, angular"),
        ({"distance_metric": np.dot}, "a distance_metric of your own needs a threshold"),
        ({"normalization": "VGG"}, "it can be base, raw, Facenet"),
        ({"anti_spoofing": True}, "anti_spoofing is not offered"),
        ({"img2_path": [1.0, 2.0]}, "img2_path is a list; it must be 128 numbers"),
        ({"models": "best"}, "models is 'best'; it can be 'deepface' or 'builtin'"),
    ],
)
def test_what_verify_does_not_take_is_told(options: dict[str, Any], message: str) -> None:
    arguments = {"img1_path": WOMAN, "img2_path": WOMAN, "detector_backend": "skip", **MODEL}
    with pytest.raises(ValueError, match=message) as caught:
        DeepFace.verify(**(arguments | options))
    assert isinstance(caught.value, OptionError)


def test_missing_weights_of_dlib_point_to_those_in_the_wheel() -> None:
    with pytest.raises(WeightsError, match=r"is missing from .*\n.*models='builtin'"):
        DeepFace.build_model("Dlib")
    DeepFace.build_model("Dlib", models="builtin")
    assert descriptors.load_network.cache_info().currsize == 1


def test_confidences_are_deepfaces() -> None:
    for *_, metric, distance, confidence, verified in ANSWERS["pairs"]:
        assert (distance <= THRESHOLDS[metric]) == verified
        assert find_confidence(distance, metric, verified=verified) == confidence
    assert find_confidence(0.0, "cosine", verified=True) == 100
    assert find_confidence(0.0, "cosine", verified=False) == 0
    assert find_confidence(0.1, max, verified=True) == 51
    assert find_confidence(0.1, max, verified=False) == 49


# represent


def test_a_face_is_described_by_128_numbers(finds: Callable[..., Told]) -> None:
    (face,) = DeepFace.represent(WOMAN, detector_backend="yunet", **MODEL)
    assert list(face) == ["embedding", "facial_area", "face_confidence"]
    assert len(face["embedding"]) == 128
    assert all(type(number) is float for number in face["embedding"])
    assert 1.2 < np.linalg.norm(face["embedding"]) < 1.7
    (extracted,) = DeepFace.extract_faces(WOMAN, "yunet")
    assert face["facial_area"] == extracted["facial_area"]
    assert face["face_confidence"] == extracted["confidence"]


def test_descriptors_are_scaled_on_request() -> None:
    options = {"detector_backend": "skip", **MODEL}
    (plain,) = DeepFace.represent(WOMAN, **options)
    (unit,) = DeepFace.represent(WOMAN, l2_normalize=True, **options)
    (scaled,) = DeepFace.represent(WOMAN, minmax_normalize=True, **options)
    vector = np.array(plain["embedding"])
    np.testing.assert_allclose(unit["embedding"], vector / np.linalg.norm(vector), atol=1e-6)
    low, high = RANGE
    expected = np.clip((vector - low) / (high - low), 0, 1)
    np.testing.assert_allclose(scaled["embedding"], expected, atol=1e-6)


def test_a_whole_image_is_described_with_its_sides_exchanged() -> None:
    (face,) = DeepFace.represent(
        WOMAN[:, :300], detector_backend="skip", return_face=True, normalization="raw", **MODEL
    )
    assert face["facial_area"] == {"x": 0, "y": 0, "w": 512, "h": 300}
    assert face["face_confidence"] == 0
    assert face["face"].shape == (150, 150, 3)
    columns = cv2.resize(WOMAN[:, :300], (87, 150))
    np.testing.assert_allclose(face["face"][:, 31:118], columns, atol=1e-4)
    assert face["face"][:, :31].max() == face["face"][:, 118:].max() == 0


def test_several_images_give_a_list_each_but_a_single_one_does_not(
    finds: Callable[..., Told],
) -> None:
    finds((10, 10, 40, 40), (40, 40, 50, 50), (30, 60, 50, 85))
    options = {"detector_backend": "mtcnn", "align": False, **MODEL}
    two = DeepFace.represent([NOBODY, NOBODY], max_faces=2, **options)
    assert [[face["facial_area"]["w"] for face in faces] for faces in two] == [[30, 20]] * 2
    assert len(DeepFace.represent(np.stack([NOBODY, NOBODY]), **options)) == 2
    assert len(DeepFace.represent([NOBODY], **options)) == 3


def test_pixels_are_cut_to_whole_numbers_and_negative_ones_wrap_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def load(models: str, process_id: int) -> Callable[..., Any]:
        return lambda crops: seen.append(crops) or np.zeros((1, 128), np.float32)  # type: ignore[func-returns-value]

    monkeypatch.setattr(descriptors, "load_network", cache(load))
    face = np.full((150, 150, 3), (10, 100, 200), np.uint8)
    for normalization in ("base", "VGGFace"):
        embed(to_input(face / 255, normalization), "builtin")
    base, shifted = (crops[0, 75, 75].tolist() for crops in seen)
    # float32 holds a share of 255 not quite, so that some levels come out one lower
    assert base == [int(np.float32(level / 255) * np.float32(255)) for level in (200, 100, 10)]
    assert shifted == [200 - 130, 256 - 4, 256 - 83]  # 70.8, -4.8 and -83.6, cut towards zero


# Beside deepface's answers


@pytest.mark.data
def test_distances_by_the_weights_in_the_wheel_are_near_deepfaces(pictures: Path) -> None:
    check_distances(pictures, "builtin", tolerance=0.01)


@pytest.mark.data
@pytest.mark.slow
def test_distances_are_deepfaces(
    pictures: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_dlibs_file(shared, monkeypatch)
    check_distances(pictures, "deepface", tolerance=1e-5)
    for first, second, backend, metric, distance, confidence, verified in ANSWERS["calls"]:
        answer = DeepFace.verify(
            pictures / first, pictures / second, "Dlib", backend, metric, enforce_detection=False
        )
        assert answer["distance"] == pytest.approx(distance, abs=1e-5)
        assert answer["confidence"] == pytest.approx(confidence, abs=0.1)
        assert answer["verified"] == verified
    for normalization, distance in ANSWERS["normalizations"].items():
        faces = (
            DeepFace.represent(
                pictures / name, "Dlib", detector_backend="skip", normalization=normalization
            )[0]
            for name in ("img1.jpg", "img2.jpg")
        )
        vectors = [face["embedding"] for face in faces]
        assert np.linalg.norm(np.subtract(*vectors)) == pytest.approx(distance, abs=1e-5)


def take_dlibs_file(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the published weights be found; skip the test if they are not on this machine."""
    monkeypatch.setenv("DEEPFACE_HOME", HOME)
    monkeypatch.setenv("FACEATTR_MIRROR", str(shared / "detectors"))
    try:
        DeepFace.build_model("Dlib", models="deepface")
    except WeightsError as error:
        pytest.skip(str(error))


def check_distances(pictures: Path, models: Any, tolerance: float) -> None:
    names = {name for first, second, *_ in ANSWERS["pairs"] for name in (first, second)}
    known = {
        name: DeepFace.represent(pictures / name, "Dlib", detector_backend="yunet", models=models)[
            0
        ]["embedding"]
        for name in names
    }
    assert len(ANSWERS["pairs"]) == 4 * 78
    for first, second, _, metric, distance, confidence, verified in ANSWERS["pairs"]:
        answer = DeepFace.verify(
            known[first], known[second], "Dlib", distance_metric=metric, models=models
        )
        assert answer["distance"] == pytest.approx(distance, abs=tolerance)
        if models == "deepface":
            assert answer["verified"] == verified
            assert answer["confidence"] == pytest.approx(confidence, abs=0.1)
