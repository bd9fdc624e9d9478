from __future__ import annotations

from pathlib import Path

from skimage import data

import faceattr
from faceattr.testing import check_detector, contract_test
from faceattr_quality.profile import ProfileDetector

ASTRONAUT = faceattr.load_image(Path(data.__path__[0]) / "astronaut.png")

test_profile_keeps_the_rules = contract_test(ProfileDetector)


def test_profile_keeps_the_rules_on_a_photograph() -> None:
    check_detector(ProfileDetector(), [ASTRONAUT])


def test_a_face_that_looks_left_looks_right_in_the_mirror() -> None:
    (face,) = faceattr.detect(ASTRONAUT, detector="profile")  # by its name: it is installed
    x1, y1, x2, y2 = face.bbox
    assert x1 < 225 < x2  # the nose
    assert y1 < 125 < y2
    (mirrored,) = faceattr.detect(ASTRONAUT[:, ::-1], detector="profile")
    assert abs(512 - mirrored.bbox[2] - x1) < 10
