"""Where deepface's calls find faces, and what they say of the places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN, Told

from faceattr.deepface import DeepFace, DeepFaceWarning, detection
from faceattr.deepface.areas import Area
from faceattr.deepface.finders import PackageMtcnn
from faceattr.detectors.base import LoadedDetector, Search
from faceattr.detectors.mtcnn.detector import MtcnnFinder
from faceattr.engines import create_engine
from faceattr.types import BGRImage, Detection

LEFT_EYE, RIGHT_EYE = (246, 103), (202, 100)  # the woman's own


def region(picture: BGRImage, **options: Any) -> dict[str, Any]:
    (face,) = DeepFace.extract_faces(picture, "mtcnn", **options)
    area: dict[str, Any] = face["facial_area"]
    return area


@pytest.mark.parametrize("backend", ["opencv", "mtcnn", "yunet", "dlib"])
def test_eyes_are_the_subjects_own(backend: str) -> None:
    if backend == "dlib":
        pytest.importorskip("dlib")
    (face,) = DeepFace.extract_faces(WOMAN, backend)
    area = face["facial_area"]
    assert np.abs(np.subtract(area["left_eye"], LEFT_EYE)).max() <= 4
    assert np.abs(np.subtract(area["right_eye"], RIGHT_EYE)).max() <= 4


def test_mtcnn_searches_as_its_package_does(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def find(self: MtcnnFinder, image: BGRImage, search: Search) -> list[Detection]:
        searches.append(search)
        return [Detection((0, 0, 9, 9), 0.9)]

    monkeypatch.setattr(MtcnnFinder, "__call__", find)
    loaded = LoadedDetector(PackageMtcnn(), create_engine(threads=1))
    assert len(loaded.detect(NOBODY)) == 1  # although it is smaller than 20 pixels
    assert searches == [Search(threshold=0.8, min_face=20.0)]


def test_the_confidence_of_opencv_falls_as_certainty_grows() -> None:
    (sharp,) = DeepFace.extract_faces(WOMAN)
    (blurred,) = DeepFace.extract_faces(cv2.GaussianBlur(WOMAN, (0, 0), 3))
    assert 0.9 < sharp["confidence"] < blurred["confidence"] < 1


def test_the_detector_sees_the_picture_in_a_black_border(finds: Callable[..., Told]) -> None:
    detector = finds((60, 70, 80, 100))
    area = region(NOBODY)
    assert detector.images[-1].shape == (200, 160, 3)
    assert detector.images[-1][50:150, 40:120].min() == 90
    assert detector.images[-1].sum() == NOBODY.sum()
    assert area == {"x": 20, "y": 20, "w": 20, "h": 30, "left_eye": (30, 35), "right_eye": (20, 30)}


def test_without_alignment_there_is_no_border(finds: Callable[..., Told]) -> None:
    detector = finds((60, 70, 80, 95))
    area = region(NOBODY, align=False)
    assert detector.images[-1].shape == NOBODY.shape
    assert (area["x"], area["y"], area["w"], area["h"]) == (60, 70, 19, 25)


def test_a_box_that_reaches_into_the_border_is_moved_or_cut(finds: Callable[..., Told]) -> None:
    finds((30, 120, 60, 165))
    area = region(NOBODY)
    assert (area["x"], area["y"], area["w"], area["h"]) == (0, 70, 30, 29)


def test_a_box_that_lies_outside_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    areas = [Area(-30, 20, 20, 20), Area(-10, 20, 30, 30), Area(20, 90, 9, 30)]
    monkeypatch.setitem(detection.FINDERS, "ssd", lambda: lambda image: areas)
    faces = DeepFace.extract_faces(NOBODY, "ssd", align=False)
    assert [face["face"].shape for face in faces] == [(30, 20, 3), (10, 9, 3)]


def test_an_eye_in_the_border_is_not_told(finds: Callable[..., Told]) -> None:
    finds((30, 70, 60, 100), eyes=[(39, 80), (55, 80)])
    area = region(NOBODY)
    assert (area["left_eye"], area["right_eye"]) == ((15, 30), None)


def test_boxes_grow_about_their_middle_within_the_picture(finds: Callable[..., Told]) -> None:
    finds((60, 70, 80, 100))
    area = region(NOBODY, expand_percentage=50)
    assert (area["x"], area["y"], area["w"], area["h"]) == (15, 13, 30, 45)
    area = region(NOBODY, expand_percentage=1000, align=False)
    assert (area["x"], area["y"], area["w"], area["h"]) == (0, 0, 79, 99)


def test_max_faces_keeps_the_largest(finds: Callable[..., Told]) -> None:
    finds((10, 10, 20, 20), (30, 30, 60, 60), (70, 70, 90, 90))
    faces = DeepFace.extract_faces(NOBODY, "mtcnn", max_faces=2, align=False)
    assert [face["face"].shape[0] for face in faces] == [30, 20]
    faces = DeepFace.extract_faces(NOBODY, "mtcnn", max_faces=3, align=False)
    assert [face["face"].shape[0] for face in faces] == [10, 30, 20]


@pytest.mark.parametrize("backend", ["retinaface", "mediapipe", "centerface", "yolov11n"])
def test_a_detector_that_is_not_there_is_replaced_with_one_warning(backend: str) -> None:
    with pytest.warns(
        DeepFaceWarning, match=f"'{backend}' is not in faceattr: its own yunet"
    ) as told:
        (face,) = DeepFace.extract_faces(WOMAN, backend)
    assert [warning.filename for warning in told] == [__file__]
    assert np.abs(np.subtract(face["facial_area"]["left_eye"], LEFT_EYE)).max() <= 4
    DeepFace.extract_faces(WOMAN, backend)  # a second warning would be an error


def test_the_place_of_retinaface_has_all_five_landmarks() -> None:
    with pytest.warns(DeepFaceWarning):
        (face,) = DeepFace.extract_faces(WOMAN, "retinaface")
    area = face["facial_area"]
    assert list(area)[4:] == ["left_eye", "right_eye", "nose", "mouth_right", "mouth_left"]
    assert area["mouth_right"][0] < area["nose"][0] < area["mouth_left"][0]  # the subject's own
    assert area["right_eye"][1] < area["nose"][1] < area["mouth_right"][1]


def test_a_small_face_is_found_in_place_of_retinaface() -> None:
    picture = np.zeros((1500, 2000, 3), np.uint8)
    picture[500:1012, 700:1212] = WOMAN
    with pytest.raises(ValueError, match="no face found"):
        DeepFace.extract_faces(picture, "yunet")  # which reads a sixth of the padded sides
    with pytest.warns(DeepFaceWarning):
        (face,) = DeepFace.extract_faces(picture, "retinaface")
    assert np.abs(np.subtract(face["facial_area"]["nose"], (925, 625))).max() <= 10


@pytest.mark.parametrize("call", [DeepFace.extract_faces, DeepFace.analyze])
def test_replacing_a_detector_can_be_an_error(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_DEEPFACE_STRICT", "1")
    with pytest.raises(ValueError, match=r"'retinaface' is not in faceattr.*makes this an error"):
        call(WOMAN, detector_backend="retinaface")
