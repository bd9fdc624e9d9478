"""How faces are cut out and given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN, Told
from numpy.typing import NDArray

from faceattr.deepface import DeepFace
from faceattr.errors import NoFaceError


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


@pytest.mark.parametrize("images", [[WOMAN, NOBODY], np.stack([NOBODY, NOBODY, NOBODY])])
def test_several_pictures_give_a_list_of_faces_each(images: Any) -> None:
    results = DeepFace.extract_faces(images, "skip", normalize_face=False)
    assert [face["face"].shape for (face,) in results] == [image.shape for image in images]


@pytest.mark.parametrize("backend", ["opencv", "mtcnn", "yunet", "dlib"])
def test_nobody_is_an_error_or_the_whole_picture(backend: str) -> None:
    if backend == "dlib":
        pytest.importorskip("dlib")
    with pytest.raises(NoFaceError, match="no face found"):
        DeepFace.extract_faces(NOBODY, backend)
    (face,) = DeepFace.extract_faces(NOBODY, backend, enforce_detection=False)
    assert face["face"].shape == NOBODY.shape
    assert (face["facial_area"]["w"], face["facial_area"]["h"]) == (79, 99)


def test_faces_are_turned_until_the_eyes_are_level(finds: Callable[..., Told]) -> None:
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
