from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceattr.drawing import COLORS, draw_faces, draw_status
from faceattr.types import Attribute, BBox, BGRImage, Classification, Estimate, Face

ATTRIBUTES: dict[str, Attribute] = {
    "emotion": Classification({"happy": 1.0}),
    "age": Estimate(30, unit="years"),
}


TRACKED = Face((5, 5, 20, 20), 1.0, attributes=ATTRIBUTES, track_id=1, frozen={"age": 3.2})


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


@pytest.mark.parametrize(("track_id", "index"), [(None, 0), (1, 0), (2, 1), (9, 0)])
def test_each_track_has_a_color(track_id: int | None, index: int) -> None:
    face = Face((50, 20, 150, 120), 1.0, track_id=track_id)
    drawn = draw_faces(np.zeros((200, 300, 3), np.uint8), [face])
    np.testing.assert_allclose(drawn[70, 50], COLORS[index], atol=30)  # lines are smooth


def draw_label(label: str) -> BGRImage:
    face = Face((50, 50, 150, 150), 1.0, attributes={"mood": Classification({label: 1.0})})
    return draw_faces(np.full((300, 600, 3), 90, np.uint8), [face])


@pytest.mark.parametrize("label", ["fröhlich", "21 °C", "счастье", "سعيد", "嬉しい", "ʘ‿ʘ"])
def test_labels_of_any_script_are_drawn(label: str) -> None:
    marks = "".join(letter if letter.isascii() else "?" for letter in label)
    assert not np.array_equal(draw_label(label), draw_label(marks))
    assert not np.array_equal(draw_label(label), draw_label(label[:-1]))
    assert not np.array_equal(draw_label("快樂"), draw_label("悲傷"))


def test_letters_of_any_script_are_as_high_as_those_of_opencv() -> None:
    def rows(label: str) -> int:
        rows, _ = np.nonzero(draw_label(label).min(axis=2) > 200)
        return int(np.ptp(rows))

    assert rows("HÉ") == pytest.approx(rows("HE"), abs=4)  # and the accent


def test_control_characters_are_shown_not_obeyed() -> None:
    np.testing.assert_array_equal(draw_label("a\x1b\u202e"), draw_label(r"a\x1b\u202e"))


@pytest.mark.parametrize("bbox", [(0, 0, 30, 30), (270, 170, 300, 200), (-90, -90, -60, -60)])
def test_letters_of_any_script_stay_inside_the_image(bbox: BBox) -> None:
    def draw(size: tuple[int, int]) -> BGRImage:
        label = Classification({"größer als das Bild, viel größer": 1.0})
        face = Face(bbox, 1.0, attributes={"mood": label})
        return draw_faces(np.zeros((*size, 3), np.uint8), [face])

    assert (draw((200, 300)) > 140).all(axis=2).sum() > 100
    assert draw((8, 8)).shape == (8, 8, 3)


def test_uncertain_labels_are_drawn_as_uncertain() -> None:
    known = Face((50, 50, 150, 150), 1.0, attributes={"mood": Classification({"sad": 0.4})})
    unsure = replace(known, uncertain=frozenset({"mood"}))
    image = np.zeros((200, 300, 3), np.uint8)
    assert not np.array_equal(draw_faces(image, [known]), draw_faces(image, [unsure]))


def test_what_is_frozen_has_a_countdown() -> None:
    def draw(seconds: float) -> BGRImage:
        face = replace(TRACKED, frozen={"age": seconds})
        return draw_faces(np.zeros((200, 300, 3), np.uint8), [face])

    np.testing.assert_array_equal(draw(2.1), draw(3.0))
    assert not np.array_equal(draw(2.0), draw(3.0))
    assert not np.array_equal(draw(3.0), draw_faces(np.zeros((200, 300, 3), np.uint8), []))


@pytest.mark.parametrize("corner", [(0, 0), (270, 0), (0, 170), (270, 170), (400, 300), (-90, -90)])
def test_number_and_countdown_stay_inside_the_picture(corner: tuple[int, int]) -> None:
    def count_text(x: float, y: float) -> int:
        face = replace(TRACKED, bbox=(x, y, x + 30, y + 30))
        drawn = draw_faces(np.zeros((200, 300, 3), np.uint8), [face])
        return int((drawn > 140).all(axis=2).sum())

    assert count_text(*corner) == count_text(100, 50) > 100


def test_a_status_is_written_into_the_upper_left_corner() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    drawn = draw_status(image, "25 fps")
    assert drawn[:20, :60].max() == 255
    assert not drawn[30:].any()
    assert not image.any()
    assert not draw_status(image, "").any()
