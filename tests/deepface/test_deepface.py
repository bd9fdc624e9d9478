"""deepface's calls give deepface's answers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from skimage.data import astronaut
from standins import random_weights, write_hdf5

from faceattr import deepface
from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.emotion import LABELS
from faceattr.analyzers.emotion_cnn import EMOTION_CNN
from faceattr.deepface import ACTIONS, DETECTORS, DeepFace
from faceattr.detectors.base import Detector
from faceattr.detectors.mtcnn.detector import MtcnnDetector
from faceattr.errors import FaceattrError, NoFaceError, OptionError
from faceattr.networks.architectures.emotion_cnn import emotion_cnn
from faceattr.types import Attribute, BBox, BGRImage, Classification, Detection, Estimate, Features
from faceattr.weights import import_file

SHARED = Path(__file__).resolve().parents[3] / "shared"

WOMAN: BGRImage = np.ascontiguousarray(astronaut()[:, :, ::-1])  # type: ignore[no-untyped-call]
LEFT_EYE, RIGHT_EYE = (246, 103), (202, 100)  # her own

NOBODY: BGRImage = np.full((100, 80, 3), 90, np.uint8)
EYES = ((60.0, 80.0), (70.0, 85.0))
"""Where a face looks out of `NOBODY` in its border of 40 and 50 px."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    monkeypatch.setenv("FACEATTR_PRECISION", "f32")
    for name in ("_analyzer", "_detector", "_engine"):  # nothing is loaded yet
        monkeypatch.setattr(deepface, name, cache(getattr(deepface, name).__wrapped__))


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fixed]:
    """Let ``mtcnn`` find what it is told."""

    def find(*bboxes: BBox, eyes: Sequence[tuple[float, float]] = EYES) -> Fixed:
        detector = Fixed(bboxes, eyes)
        monkeypatch.setitem(DETECTORS, "mtcnn", lambda: detector)
        return detector

    return find


class Fixed(Detector):
    """Finds the same boxes in every picture."""

    def __init__(self, bboxes: Sequence[BBox], eyes: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.bboxes = bboxes
        self.landmarks = np.array([*eyes, (0, 0), (0, 0), (0, 0)], np.float32)

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        self.image = image
        return [Detection(bbox, 0.987, self.landmarks) for bbox in self.bboxes]


def region(picture: BGRImage, **options: Any) -> dict[str, Any]:
    (face,) = DeepFace.extract_faces(picture, "mtcnn", **options)
    area: dict[str, Any] = face["facial_area"]
    return area


# Pictures to faces


def test_skip_takes_the_whole_picture_for_a_face() -> None:
    (face,) = DeepFace.extract_faces(WOMAN[:, :300], detector_backend="skip", color_face="bgr")
    assert face["facial_area"] == {
        "x": 0,
        "y": 0,
        "w": 299,
        "h": 511,
        "left_eye": None,
        "right_eye": None,
    }
    assert face["confidence"] == 0.0
    np.testing.assert_array_equal(face["face"], WOMAN[:, :300] / 255)


@pytest.mark.parametrize("backend", ["opencv", "mtcnn"])
def test_nobody_is_an_error_or_the_whole_picture(backend: str) -> None:
    with pytest.raises(NoFaceError, match="no face found"):
        DeepFace.extract_faces(NOBODY, backend)
    (face,) = DeepFace.extract_faces(NOBODY, backend, enforce_detection=False)
    assert face["face"].shape == NOBODY.shape
    assert (face["facial_area"]["w"], face["facial_area"]["h"]) == (79, 99)


@pytest.mark.parametrize("backend", ["opencv", "mtcnn"])
def test_eyes_are_the_subjects_own(backend: str) -> None:
    (face,) = DeepFace.extract_faces(WOMAN, backend)
    area = face["facial_area"]
    assert np.abs(np.subtract(area["left_eye"], LEFT_EYE)).max() <= 3
    assert np.abs(np.subtract(area["right_eye"], RIGHT_EYE)).max() <= 3


def test_mtcnn_searches_as_its_package_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def find(self: Detector, image: BGRImage, min_face: float | None) -> list[Detection]:
        asked.append((self.threshold, self.min_face, min_face))
        return []

    monkeypatch.setattr(MtcnnDetector, "find", find)
    DeepFace.extract_faces(NOBODY, "mtcnn", enforce_detection=False)
    assert asked == [(0.8, None, 20.0)]


def test_the_confidence_of_opencv_falls_as_certainty_grows() -> None:
    (sharp,) = DeepFace.extract_faces(WOMAN)
    (blurred,) = DeepFace.extract_faces(cv2.GaussianBlur(WOMAN, (0, 0), 3))
    assert 0.9 < sharp["confidence"] < blurred["confidence"] < 1


def test_the_detector_sees_the_picture_in_a_black_border(finds: Callable[..., Fixed]) -> None:
    detector = finds((60, 70, 80, 100))
    area = region(NOBODY)
    assert detector.image.shape == (200, 160, 3)
    assert detector.image[50:150, 40:120].min() == 90
    assert detector.image.sum() == NOBODY.sum()
    assert area == {"x": 20, "y": 20, "w": 20, "h": 30, "left_eye": (30, 35), "right_eye": (20, 30)}


def test_without_alignment_there_is_no_border(finds: Callable[..., Fixed]) -> None:
    detector = finds((60, 70, 80, 95))
    area = region(NOBODY, align=False)
    assert detector.image.shape == NOBODY.shape
    assert (area["x"], area["y"], area["w"], area["h"]) == (60, 70, 19, 25)


def test_a_box_that_reaches_into_the_border_is_moved_or_cut(finds: Callable[..., Fixed]) -> None:
    finds((30, 120, 60, 165))
    area = region(NOBODY)
    assert (area["x"], area["y"], area["w"], area["h"]) == (0, 70, 30, 29)


def test_an_eye_in_the_border_is_not_told(finds: Callable[..., Fixed]) -> None:
    finds((30, 70, 60, 100), eyes=[(39, 80), (55, 80)])
    area = region(NOBODY)
    assert (area["left_eye"], area["right_eye"]) == ((15, 30), None)


def test_boxes_grow_about_their_middle_within_the_picture(finds: Callable[..., Fixed]) -> None:
    finds((60, 70, 80, 100))
    area = region(NOBODY, expand_percentage=50)
    assert (area["x"], area["y"], area["w"], area["h"]) == (15, 13, 30, 45)
    area = region(NOBODY, expand_percentage=1000, align=False)
    assert (area["x"], area["y"], area["w"], area["h"]) == (0, 0, 79, 99)


def test_max_faces_keeps_the_largest(finds: Callable[..., Fixed]) -> None:
    finds((10, 10, 20, 20), (30, 30, 60, 60), (70, 70, 90, 90))
    faces = DeepFace.extract_faces(NOBODY, "mtcnn", max_faces=2, align=False)
    assert [face["face"].shape[0] for face in faces] == [30, 20]
    faces = DeepFace.extract_faces(NOBODY, "mtcnn", max_faces=3, align=False)
    assert [face["face"].shape[0] for face in faces] == [10, 30, 20]


def test_faces_are_turned_until_the_eyes_are_level(finds: Callable[..., Fixed]) -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    eyes = (32, 40), (60, 56)
    for x, y in eyes:
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    finds((70, 70, 130, 130), eyes=[(x + 50, y + 50) for x, y in eyes])
    (face,) = DeepFace.extract_faces(picture, "mtcnn", color_face="gray")
    left, right = face["face"][:, :30], face["face"][:, 30:]
    assert face["face"].shape == (60, 60)
    assert middle(left)[1] == pytest.approx(middle(right)[1], abs=0.1)
    assert middle(right)[0] + 30 - middle(left)[0] == pytest.approx(np.hypot(28, 16), abs=0.1)


def middle(picture: NDArray[np.float64]) -> tuple[float, float]:
    """Return the x and y of what is bright."""
    rows, columns = np.indices(picture.shape)
    return float(np.average(columns, weights=picture)), float(np.average(rows, weights=picture))


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"normalize_face": False}, WOMAN[:, :, ::-1]),
        ({"normalize_face": False, "color_face": "bgr"}, WOMAN),
        ({"color_face": "gray"}, cv2.cvtColor(WOMAN, cv2.COLOR_BGR2GRAY) / 255),
        ({"grayscale": True}, cv2.cvtColor(WOMAN, cv2.COLOR_BGR2GRAY) / 255),
        ({}, WOMAN[:, :, ::-1] / 255),
    ],
)
def test_faces_come_in_the_colors_that_are_asked_for(
    options: dict[str, Any], expected: NDArray[Any]
) -> None:
    (face,) = DeepFace.extract_faces(WOMAN, "skip", **options)
    assert face["face"].dtype == expected.dtype
    np.testing.assert_array_equal(face["face"], expected)


# Faces to what is read off them


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
    expected = dict(zip(LABELS, 100 * emotion_probabilities(gray, weights), strict=True))
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

    crop = CropSpec(size=(224, 224))

    def __init__(self, trunk: Callable[..., Any], answer: Attribute) -> None:
        self.trunk = trunk
        self.answer = answer

    def predict_from(self, features: Features) -> list[Attribute]:
        return [self.answer for _ in features]


class Trunk:
    """Remembers what it has seen."""

    def __init__(self) -> None:
        self.seen: list[NDArray[Any]] = []

    def __call__(self, crops: NDArray[Any]) -> NDArray[Any]:
        self.seen.append(crops)
        return crops


@pytest.fixture
def trunk(monkeypatch: pytest.MonkeyPatch) -> Trunk:
    trunk = Trunk()
    answers: dict[str, Attribute] = {
        "age": Estimate(31.9, "years"),
        "gender": Classification({"woman": 0.2, "man": 0.6}),
        "race": Classification({"asian": 0.1, "latino hispanic": 0.3}),
    }
    heads = {action: Head(trunk, answer) for action, answer in answers.items()}
    monkeypatch.setattr(deepface, "_analyzer", heads.__getitem__)
    return trunk


def test_results_are_worded_as_deepfaces(trunk: Trunk) -> None:
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


def test_a_trunk_sees_all_faces_once(trunk: Trunk, finds: Callable[..., Fixed]) -> None:
    finds((60, 70, 80, 100), (50, 60, 80, 90))
    faces = DeepFace.analyze(NOBODY, ["age", "gender", "race"], detector_backend="mtcnn")
    assert len(faces) == 2
    assert [crops.shape for crops in trunk.seen] == [(2, 224, 224, 3)]


def test_faces_are_fitted_into_a_black_square(trunk: Trunk) -> None:
    DeepFace.analyze(NOBODY, ["age"], detector_backend="skip")
    ((crop,),) = trunk.seen
    assert crop[:, 22:201].min() == pytest.approx(90)
    assert crop[:, :22].max() == crop[:, 201:].max() == 0


@pytest.mark.parametrize("images", [[NOBODY, NOBODY], np.stack([NOBODY, NOBODY])])
def test_several_images_give_a_list_of_faces_each(trunk: Trunk, images: Any) -> None:
    results = DeepFace.analyze(images, ["age"], detector_backend="skip")
    assert [[face["age"] for face in faces] for faces in results] == [[31], [31]]


# What is not offered


@pytest.mark.parametrize(
    "options, message",
    [
        ({"detector_backend": "retinaface"}, "faceattr offers opencv, mtcnn, skip"),
        ({"anti_spoofing": True}, "anti_spoofing is not offered"),
        ({"actions": ["emotion", "mood"]}, "some of emotion, age, gender, race"),
        ({"actions": []}, "some of emotion, age, gender, race"),
    ],
)
def test_what_is_not_offered_is_a_value_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DeepFace.analyze(NOBODY, **options)
    assert isinstance(caught.value, OptionError)


def test_unreadable_pictures_and_unknown_colors_are_value_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file") as caught:
        DeepFace.extract_faces(tmp_path / "nothing.jpg")
    assert isinstance(caught.value, FaceattrError)
    with pytest.raises(OptionError, match="it can be 'rgb', 'bgr' or 'gray'"):
        DeepFace.extract_faces(NOBODY, "skip", color_face="hsv")


def test_models_are_made_ready_by_name(
    monkeypatch: pytest.MonkeyPatch, finds: Callable[..., Fixed]
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(deepface, "_analyzer", loaded.append)
    detector = finds()
    monkeypatch.setattr(detector, "load", lambda engine: loaded.append("detector"))
    DeepFace.build_model("Age", task="facial_attribute")
    DeepFace.build_model("opencv", task="face_detector")
    DeepFace.build_model("mtcnn", task="face_detector")
    assert loaded == ["age", "detector"]
    with pytest.raises(OptionError, match=r"'VGG-Face' for the task 'facial_recognition'"):
        DeepFace.build_model("VGG-Face")


def test_a_stream_is_written_as_a_video(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), WOMAN)
    video = tmp_path / "out.mp4"
    DeepFace.stream(source=str(folder), enable_face_analysis=False, output_path=str(video))
    assert video.stat().st_size > 1000


@pytest.mark.parametrize(
    "options, message",
    [
        ({"db_path": "known"}, "recognizes nobody"),
        ({"anti_spoofing": True}, "anti_spoofing is not offered"),
        ({"detector_backend": "retinaface"}, "it can be opencv, mtcnn, ssd, yunet"),
    ],
)
def test_what_a_stream_does_not_offer_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DeepFace.stream(**options)


# Side by side with deepface 0.0.103

TOLERANCE = {"f32": 0.05, "auto": 3.0}  # percentage points


@pytest.fixture(scope="module")
def standin_home() -> Iterator[str]:
    """Trust the stand-in weights that deepface's answers were given with."""
    path = SHARED / "parity" / "make_weights.py"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEATTR_HOME", folder)
        make_weights = imported(path)
        for action, analyzer in ACTIONS.items():
            weights = analyzers.get(analyzer).weights
            assert weights is not None
            file = Path(folder, weights.filename)
            layers = (
                make_weights.emotion_layers()
                if action == "emotion"
                else make_weights.vgg_layers(*make_weights.VGG[action], 1)
            )
            make_weights.write(file, layers)
            import_file(file, weights, trust=True)
            file.unlink()
        yield folder


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["f32", "auto"])
def test_answers_are_deepfaces(
    precision: str, standin_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", standin_home)
    monkeypatch.setenv("FACEATTR_PRECISION", precision)
    answers = json.loads((SHARED / "parity" / "deepface-0.0.103.json").read_text())
    num_equal = 0
    for picture, by_detector in answers.items():
        for detector, expected in by_detector.items():
            path = SHARED / "data" / "pictures" / picture
            faces = DeepFace.analyze(path, detector_backend=detector)
            assert len(faces) == len(expected)
            for face, one in zip(from_left(faces), from_left(expected), strict=True):
                check_place(face, one)
                num_equal += is_equal_box(face, one)
                if precision == "auto" or is_equal_box(face, one):
                    check_words(face, one, TOLERANCE[precision])
    assert num_equal >= 50  # of 52


def from_left(faces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the faces in one order; that of opencv hangs on its number of threads."""
    return sorted(faces, key=lambda face: face["region"]["x"])


def is_equal_box(face: dict[str, Any], expected: dict[str, Any]) -> bool:
    return all(face["region"][key] == expected["region"][key] for key in "xywh")


def check_place(face: dict[str, Any], expected: dict[str, Any]) -> None:
    assert face["face_confidence"] == expected["face_confidence"]
    assert face["region"].keys() == expected["region"].keys()
    for key, value in expected["region"].items():
        assert (face["region"][key] is None) == (value is None)
        if value is not None:
            assert np.abs(np.subtract(face["region"][key], value)).max() <= 2


def check_words(face: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    assert face.keys() == expected.keys()
    assert abs(face["age"] - expected["age"]) <= 1
    for action in ("emotion", "gender", "race"):
        assert face[action] == pytest.approx(expected[action], abs=tolerance)
        assert face[f"dominant_{action}"] == expected[f"dominant_{action}"]
