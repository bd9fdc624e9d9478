from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

import faceattr
from faceattr import BGRImage, Classification, CropGeometry
from faceattr.alignment import MEAN_FACE
from faceattr.testing import contract_test
from faceattr_quality.quality import QualityAnalyzer, pose

test_quality_keeps_the_rules = contract_test(QualityAnalyzer)

ASTRONAUT = faceattr.load_image(Path(data.__path__[0]) / "astronaut.png")


def quality(image: BGRImage) -> Classification:
    (face,) = faceattr.analyze(image, actions=["quality"])  # by its name: it is installed
    found = face.attributes["quality"]
    assert isinstance(found, Classification)
    return found


def test_a_good_picture_is_good() -> None:
    assert quality(ASTRONAUT).label == "good"
    assert quality(ASTRONAUT).confidence > 0.9


@pytest.mark.parametrize(
    "fault, worse",
    [
        ("blurred", cv2.GaussianBlur(ASTRONAUT, (0, 0), 2)),
        ("badly lit", (ASTRONAUT * 0.15).astype(np.uint8)),
        ("small", cv2.resize(ASTRONAUT, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)),
    ],
)
def test_a_worse_picture_says_what_is_wrong(fault: str, worse: BGRImage) -> None:
    assert quality(worse).label == fault


def test_a_face_that_looks_aside_is_turned() -> None:
    straight = (MEAN_FACE * 100).astype(np.float32)
    assert pose(CropGeometry(straight)) == 1
    aside = straight.copy()
    aside[2, 0] += 20  # the nose, by 0.45 of the distance of the eyes
    assert pose(CropGeometry(aside)) == pytest.approx(0.29, abs=0.02)


def test_a_face_that_only_leans_is_not() -> None:
    matrix = cv2.getRotationMatrix2D((50, 50), 40, 1)
    leaning = MEAN_FACE * 100 @ matrix[:, :2].T + matrix[:, 2]
    assert pose(CropGeometry(leaning.astype(np.float32))) == pytest.approx(1)


def test_landmarks_that_coincide_are_not_straight() -> None:
    assert pose(CropGeometry(np.zeros((5, 2), np.float32))) == 0
