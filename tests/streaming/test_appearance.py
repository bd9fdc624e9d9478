from __future__ import annotations

import numpy as np
import pytest

from faceattr.streaming.appearance import describe_appearance
from faceattr.types import BGRImage, Detection


def people(*colors: tuple[int, int, int]) -> tuple[BGRImage, list[Detection]]:
    """People with gray faces and clothes of these colors, side by side."""
    image = np.full((300, 200 * len(colors), 3), 30, np.uint8)
    detections = []
    for index, color in enumerate(colors):
        left = 200 * index + 60
        image[50:130, left : left + 80] = 160
        image[130:300, left - 30 : left + 110] = color
        detections.append(Detection((left, 50, left + 80, 130), 0.9))
    return image, detections


def test_people_look_like_themselves_and_not_like_others() -> None:
    image, detections = people((200, 40, 40), (40, 40, 200), (200, 40, 40))
    blue, red, twin = describe_appearance(image, detections)
    assert blue @ blue == pytest.approx(1, abs=1e-5)
    assert blue @ twin > 0.98
    assert blue @ red < 0.8


def test_a_face_outside_the_picture_has_no_colors() -> None:
    image, _ = people((200, 40, 40))
    assert not describe_appearance(image, [Detection((900, 900, 950, 950), 0.9)]).any()
    assert describe_appearance(image, []).shape == (0, 192)
