from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.palette import (
    COLORS,
    LABEL_COLORS,
    TRACK_COLORS,
    UNCERTAIN_COLOR,
    color_of,
    contrast,
    ink_on,
    to_bgr,
    track_color,
)

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
VISIONS = {  # on linear red, green and blue; Machado et al., TVCG 2009, severity 1
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def to_lab(color: str, vision: str) -> NDArray[np.float64]:
    """Return CIE L*a*b* of a color as someone with that vision sees it."""
    value = np.array(to_bgr(color)[::-1]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISIONS[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("labels", [EMOTIONS, ["woman", "man"], list("abcdefg")])
def test_labels_are_told_apart_by_everyone(vision: str, labels: list[str]) -> None:
    seen = [to_lab(color_of(label, labels), vision) for label in labels]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 13


def test_text_is_readable_on_every_color() -> None:
    for color in (*COLORS, *LABEL_COLORS.values(), UNCERTAIN_COLOR):
        assert contrast(ink_on(color), color) >= 4.5


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_each_label_of_a_classification_has_its_own_color() -> None:
    labels = ["happy", "calm", "woman", "tired", "bored"]
    colors = [color_of(label, labels) for label in labels]
    assert len(set(colors)) == len(labels)
    assert colors[0] == color_of("happy")
    assert colors == [color_of(label, iter(labels)) for label in labels]


def test_a_label_alone_has_the_same_color_in_every_process() -> None:
    assert color_of("calm") == "#332288"


def test_more_labels_than_colors_share_them() -> None:
    labels = [f"label {number}" for number in range(40)]
    assert {color_of(label, labels) for label in labels} == set(COLORS)


def test_tracks_take_colors_in_turn() -> None:
    assert [track_color(number) for number in range(1, 8)] == list(TRACK_COLORS)
    assert track_color(8) == track_color(1)


def test_colors_become_blue_green_red() -> None:
    assert to_bgr("#0102ff") == (255, 2, 1)
