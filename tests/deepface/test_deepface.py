"""deepface's calls, what they do not offer, and deepface's own answers beside ours."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN, Told

import faceattr
from faceattr.analyzers import analyzers
from faceattr.deepface import DeepFace, DeepFaceWarning, detection
from faceattr.deepface.differences import ABSENT
from faceattr.deepface.results import ACTIONS
from faceattr.errors import FaceattrError, OptionError, UnknownAttributeError, WeightsError
from faceattr.pipeline import Pipeline
from faceattr.streaming.analysis import play
from faceattr.types import Detection, Estimate, Face
from faceattr.weights import import_file

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"detector_backend": "yunt"},
            "unknown detector_backend 'yunt'; did you mean 'yunet'.* mtcnn, yunet, ssd, dlib, skip",
        ),
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


def test_models_are_loaded_by_name(finds: Callable[..., Told]) -> None:
    finds()
    DeepFace.build_model("mtcnn", task="face_detector")
    assert detection.load_finder.cache_info().currsize == 1
    DeepFace.extract_faces(NOBODY, "mtcnn", enforce_detection=False)
    assert detection.load_finder.cache_info().hits == 1
    with pytest.raises(WeightsError, match=r"age_model_weights\.h5 .* is missing"):
        DeepFace.build_model("Age", task="facial_attribute")
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
        ({"anti_spoofing": True}, "anti_spoofing is not offered"),
        ({"detector_backend": "skip"}, "it can be opencv, mtcnn, yunet, ssd, dlib"),
    ],
)
def test_what_a_stream_does_not_offer_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DeepFace.stream(**options)


def test_a_stream_names_the_people_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("people/Eileen", "frames"):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(4):
            cv2.imwrite(str(tmp_path / folder / f"{index}.png"), WOMAN)
    seen: list[Face] = []

    def spy(*arguments: Any) -> Iterator[None]:
        for _, faces in play(*arguments):
            seen.extend(faces)
            yield

    monkeypatch.setattr("faceattr.streaming.analysis.play", spy)
    options: dict[str, Any] = {
        "source": str(tmp_path / "frames"),
        "frame_threshold": 2,
        "enable_face_analysis": False,
        "output_path": str(tmp_path / "out.mp4"),
    }
    with pytest.warns(DeepFaceWarning, match=r"by faceattr\.Gallery, not by .* 'VGG-Face'"):
        DeepFace.stream(str(tmp_path / "people"), **options)
    assert seen[-1].classification("identity").label == "Eileen"
    assert (tmp_path / "people" / "faceattr-gallery.npz").is_file()


def test_a_stream_goes_on_without_people(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), NOBODY)
    options: dict[str, Any] = {"source": str(tmp_path / "0.png"), "models": "builtin"}
    videos = [tmp_path / f"{name}.mp4" for name in ("first", "second", "third")]
    with pytest.warns(DeepFaceWarning, match="recognizes nobody, but goes on: db_path: .*nowhere"):
        DeepFace.stream(str(tmp_path / "nowhere"), output_path=str(videos[0]), **options)
    DeepFace.stream(str(tmp_path / "nowhere"), output_path=str(videos[1]), **options)
    with pytest.warns(DeepFaceWarning, match="has no folders; a gallery has one for each person"):
        DeepFace.stream(str(tmp_path), output_path=str(videos[2]), **options)
    assert all(video.stat().st_size > 100 for video in videos)


def test_recognizing_in_another_way_can_be_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Eileen").mkdir()
    cv2.imwrite(str(tmp_path / "Eileen" / "1.png"), WOMAN)
    monkeypatch.setenv("FACEATTR_DEEPFACE_STRICT", "yes")
    with pytest.raises(OptionError, match=r"by faceattr\.Gallery"):
        DeepFace.stream(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["Eileen"]


# Networks that ship with faceattr


def test_built_in_models_answer_in_deepfaces_words() -> None:
    (face,) = DeepFace.analyze(WOMAN, ("emotion", "age", "gender"), models="builtin")
    (native,) = faceattr.analyze(WOMAN, ("emotion", "age", "gender"), precision="f32")
    assert list(face) == [
        *("region", "face_confidence", "emotion", "dominant_emotion"),
        *("age", "gender", "dominant_gender"),
    ]
    assert face["dominant_emotion"] == native.classification("emotion").label == "happy"
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["age"] == pytest.approx(native.estimate("age").value, abs=4)
    assert face["dominant_gender"] == "Woman"
    assert list(face["gender"]) == ["Woman", "Man"]
    assert json.loads(json.dumps(face))["emotion"] == face["emotion"]


@pytest.mark.parametrize("backend", ["opencv", "yunet"])
def test_built_in_models_see_the_face_by_its_landmarks(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detections: list[Detection] = []

    def read(self: Pipeline, image: Any, found: Sequence[Detection]) -> list[Face]:
        detections.extend(found)
        return [Face(one.bbox, 1.0, None, {"age": Estimate(31.9, "years")}) for one in found]

    monkeypatch.setattr(Pipeline, "read", read)
    (face,) = DeepFace.analyze(WOMAN, "age", detector_backend=backend, models="builtin")
    assert face["age"] == 31
    (detection,) = detections
    region = face["region"]
    assert detection.bbox[:2] == (region["x"], region["y"])
    if backend == "opencv":
        assert detection.landmarks is None  # the pipeline finds them
    else:
        assert detection.landmarks is not None
        eyes = detection.landmarks[:2].astype(int).tolist()
        assert np.abs(np.subtract(eyes, [region["right_eye"], region["left_eye"]])).max() <= 2


def test_an_environment_variable_chooses_the_built_in_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACEATTR_DEEPFACE_MODELS", "builtin")
    DeepFace.build_model("Age", task="facial_attribute")
    (face,) = DeepFace.analyze(WOMAN, "gender")
    assert face["dominant_gender"] == "Woman"
    with pytest.raises(WeightsError):
        DeepFace.analyze(WOMAN, "gender", models="deepface")
    monkeypatch.setenv("FACEATTR_DEEPFACE_MODELS", "own")
    with pytest.raises(OptionError, match="MODELS is 'own'; it can be 'deepface' or 'builtin'"):
        DeepFace.analyze(WOMAN, "gender")


def test_built_in_models_have_no_race() -> None:
    with pytest.raises(ValueError, match="built-in models read emotion, age, gender only"):
        DeepFace.analyze(WOMAN, models="builtin")


@pytest.mark.parametrize(
    "call",
    [
        lambda: DeepFace.analyze(WOMAN, "age"),
        lambda: DeepFace.build_model("Age", "facial_attribute"),
        lambda: DeepFace.stream(source="frames", output_path="never.mp4"),
    ],
)
def test_missing_weights_point_to_the_built_in_models(
    call: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("frames").mkdir()
    for index in range(6):
        cv2.imwrite(f"frames/{index}.png", WOMAN)
    with pytest.raises(WeightsError, match=r"is missing from .*\n.*no download: models='builtin'"):
        call()


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
            assert isinstance(analyzer, str)
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


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_a_function_that_is_not_offered_names_another_one(name: str) -> None:
    assert not hasattr(DeepFace, name)
    with pytest.raises(UnknownAttributeError, match=rf"DeepFace\.{name} is not offered, as .+; "):
        getattr(DeepFace, name)


def test_a_name_that_deepface_has_not_is_no_function() -> None:
    with pytest.raises(AttributeError, match=r"DeepFace\.recognise is no function"):
        DeepFace.recognise  # type: ignore[attr-defined]  # noqa: B018


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
