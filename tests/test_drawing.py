from __future__ import annotations

import numpy as np
import pytest

from faceattr.drawing import draw_faces
from faceattr.types import Attribute, BBox, Classification, Estimate, Face

ATTRIBUTES: dict[str, Attribute] = {
    "emotion": Classification({"happy": 1.0}),
    "age": Estimate(30, unit="years"),
}


def test_the_picture_itself_is_left_alone() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    drawn = draw_faces(image, [Face((50, 50, 150, 150), 1.0, attributes=ATTRIBUTES)])
    assert not image.any()
    assert drawn.any()


@pytest.mark.parametrize("bbox", [(0, 0, 30, 30), (270, 170, 300, 200), (0, 0, 300, 200)])
def test_text_stays_inside_the_picture(bbox: BBox) -> None:
    def count_text(size: tuple[int, int], bbox: BBox) -> int:
        image = np.zeros((*size, 3), np.uint8)
        drawn = draw_faces(image, [Face(bbox, 1.0, attributes=ATTRIBUTES)])
        return int((drawn > 140).all(axis=2).sum())

    amid_much_room = count_text((200, 300), (100, 20, 130, 50))
    assert amid_much_room > 50
    assert count_text((200, 300), bbox) == amid_much_room


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (100, 3000), (3000, 100)])
def test_pictures_of_any_size_can_be_drawn_on(size: tuple[int, int]) -> None:
    face = Face((0, 0, size[1], size[0]), 1.0, np.zeros((5, 2), np.float32), ATTRIBUTES)
    assert draw_faces(np.zeros((*size, 3), np.uint8), [face]).shape == (*size, 3)
