"""How much answers change with what should not change them."""

from __future__ import annotations

import numpy as np
import pytest

from faceattr.types import Face
from models.stability import CHANGES, pairs


@pytest.mark.parametrize(
    "change, box",
    [
        ("half size", (10, 20, 30, 50)),
        ("quarter size", (5, 10, 15, 25)),
        ("JPEG 30", (20, 40, 60, 100)),
        ("mirrored", (140, 40, 180, 100)),
    ],
)
def test_a_face_is_found_again_in_the_changed_picture(
    change: str, box: tuple[float, float, float, float]
) -> None:
    face, again = Face((20, 40, 60, 100), 0.9), Face(box, 0.8)
    elsewhere = Face((70, 0, 75, 5), 0.9)
    found = pairs([face], [elsewhere, again], CHANGES[change], 200)
    assert list(found) == [(face, again)]


def test_a_lost_face_has_no_partner() -> None:
    face = Face((20, 40, 60, 100), 0.9)
    assert list(pairs([face], [], CHANGES["JPEG 30"], 200)) == [(face, None)]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_have_the_size_that_is_said(change: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    changed = CHANGES[change].apply(image)
    assert changed.shape == (
        round(40 * CHANGES[change].scale),
        round(60 * CHANGES[change].scale),
        3,
    )
