from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from faceattr.detectors import detectors
from faceattr.errors import PluginError
from faceattr.images import load_image
from faceattr.testing import FixedDetector, check_detector
from faceattr.types import BGRImage, Detection

BUILT_IN = ("haar", "mtcnn", "whole")  # those that download nothing


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_detector_keeps_the_contract(name: str, astronaut: Path) -> None:
    check_detector(detectors.get(name)(), [load_image(astronaut)])


def test_a_fixed_detector_finds_the_same_in_every_picture() -> None:
    face = Detection((1, 2, 30, 40), 0.5)
    assert FixedDetector([face]).detect(np.zeros((50, 50, 3), np.uint8)) == [face]


def test_a_detector_that_writes_into_the_picture_is_found_out() -> None:
    class Painter(FixedDetector):
        def find(self, image: BGRImage, min_face: float | None) -> Sequence[Detection]:
            image[:] = 7
            return []

    with pytest.raises(PluginError, match="changed the picture"):
        check_detector(Painter([]))


def test_a_confidence_above_one_is_found_out() -> None:
    with pytest.raises(PluginError):
        check_detector(FixedDetector([Detection((0, 0, 1, 1), 1.5)]))
