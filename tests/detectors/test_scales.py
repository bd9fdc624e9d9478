from __future__ import annotations

import math

import numpy as np
import pytest

from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.haar import HaarDetector
from faceattr.detectors.scales import levels, resize, scale_to
from faceattr.engines import create_engine


def test_the_smallest_face_gets_the_size_that_the_network_needs() -> None:
    assert scale_to(20, (480, 640), 10) == 2
    assert scale_to(20, (480, 640), 40) == 0.5


@pytest.mark.parametrize("min_face", [1e-9, 0.01, 1])
def test_no_level_is_too_large_for_memory(min_face: float) -> None:
    assert 480 * 640 * scale_to(20, (480, 640), min_face) ** 2 == pytest.approx(32e6)


def test_a_detector_that_enlarges_answers_however_small_the_face() -> None:
    detector = LoadedDetector(HaarDetector(min_face=1e-3), create_engine())
    assert detector.detect(np.full((30, 40, 3), 128, np.uint8)) == []


def test_levels_share_all_sizes_of_faces() -> None:
    first, *_, last = found = levels(
        (480, 640), 2.0, step=4.0, last_side=320.0, good_sizes=(30.0, 200.0)
    )
    assert [level.scale for level in found] == [2.0, 0.5]
    assert (first.smallest, last.largest) == (0, math.inf)
    assert last.reports(61)
    assert not last.reports(59)
    assert first.reports(np.array([59, 61, 401])).tolist() == [True, True, False]


def test_the_last_level_is_not_made_of_one_that_is_hardly_larger() -> None:
    for last_side, scales in ((320, [1, 0.5]), (240, [1, 0.375]), (160, [1, 0.5, 0.25])):
        found = levels(
            (480, 640), 1.0, step=2.0, last_side=last_side, last_step=1.5, good_sizes=(40, 160)
        )
        assert [level.scale for level in found] == scales


def test_a_level_has_a_px_at_least() -> None:
    assert resize(np.zeros((3, 500, 3), np.uint8), 0.01).shape == (1, 5, 3)
