from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceattr.drawing import LEGIBLE, TINY, FramePainter, draw_faces, draw_status
from faceattr.errors import OptionError
from faceattr.options import DrawOptions
from faceattr.palette import color_of, to_bgr, track_color
from faceattr.types import Attribute, BBox, BGRImage, Classification, Estimate, Face

ATTRIBUTES: dict[str, Attribute] = {
    "emotion": Classification({"happy": 1.0}),
    "age": Estimate(30, unit="years"),
}
BOX = (50, 50, 150, 150)
FACE = Face(BOX, 1.0, np.full((5, 2), 100, np.float32), ATTRIBUTES)
TRACKED = Face((5, 5, 20, 20), 1.0, attributes=ATTRIBUTES, track_id=1, frozen={"age": 3.2})
HAPPY = np.array(to_bgr(color_of("happy")))


def black(height: int = 200, width: int = 300) -> BGRImage:
    return np.zeros((height, width, 3), np.uint8)


def count_letters(image: BGRImage) -> int:
    """Return how many pixels are as bright as the letters on dark plates."""
    return int((image > 200).all(axis=2).sum())


def crowd(count: int) -> list[Face]:
    """Return faces so close together that there is room for numbers only."""
    places = [(20 + 40 * (index % 6), 10 + 30 * (index // 6)) for index in range(count)]
    return [replace(FACE, bbox=(x, y, x + 16, y + 16), landmarks=None) for x, y in places]


def test_the_picture_itself_is_left_alone() -> None:
    for blur in (False, True):
        image = black()
        assert draw_faces(image, [FACE], blur=blur).any()
        assert not image.any()


def test_a_box_has_the_color_of_its_first_label() -> None:
    assert (draw_faces(black(), [FACE])[100, 50] == HAPPY).all()


@pytest.mark.parametrize("track_id", [1, 2, 7, 9])
def test_a_box_has_the_color_of_its_track(track_id: int) -> None:
    drawn = draw_faces(black(), [replace(FACE, track_id=track_id)])
    assert tuple(drawn[100, 50]) == to_bgr(track_color(track_id))


@pytest.mark.parametrize("bbox", [(0, 0, 30, 30), (270, 170, 300, 200), (0, 0, 70, 200)])
def test_text_stays_inside_the_picture(bbox: BBox) -> None:
    def count(bbox: BBox) -> int:
        return count_letters(draw_faces(black(), [replace(FACE, bbox=bbox, landmarks=None)]))

    amid_much_room = count((100, 20, 130, 50))
    assert amid_much_room > 30
    assert count(bbox) == amid_much_room


@pytest.mark.parametrize("corner", [(0, 0), (270, 0), (0, 170), (270, 170), (400, 300), (-90, -90)])
def test_number_and_countdown_stay_inside_the_picture(corner: tuple[int, int]) -> None:
    def count(x: float, y: float) -> int:
        return count_letters(draw_faces(black(), [replace(TRACKED, bbox=(x, y, x + 30, y + 30))]))

    assert count(*corner) == count(100, 50) > 30


@pytest.mark.parametrize("size", [(100, 3000), (3000, 100), (201, 10)])
def test_pictures_of_any_shape_can_be_drawn_on(size: tuple[int, int]) -> None:
    face = replace(FACE, bbox=(0, 0, size[1], size[0]))
    drawn = draw_faces(black(*size), [face], landmarks=True, keep_size=True)
    assert drawn.shape == (*size, 3)
    assert draw_faces(black(*size), [face]).any()


@pytest.mark.parametrize(
    ("side", "expected"), [(1, 400), (8, 400), (60, 420), (120, 480), (199, 597)]
)
def test_tiny_pictures_are_enlarged_by_a_whole_factor(side: int, expected: int) -> None:
    image = np.full((side, max(1, side // 2), 3), 90, np.uint8)
    drawn = draw_faces(image, [replace(FACE, bbox=(0, 0, side / 2, side / 2))])
    assert drawn.shape == (expected, expected // side * image.shape[1], 3)
    assert expected >= LEGIBLE


def test_boxes_and_landmarks_of_tiny_pictures_are_enlarged_too() -> None:
    landmarks = np.full((5, 2), 30, np.float32)
    face = replace(FACE, bbox=(20, 20, 40, 40), landmarks=landmarks, attributes={})
    drawn = draw_faces(black(100, 100), [face], landmarks=True)
    ys, xs = np.nonzero(drawn[:, :, 0] > 128)
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == pytest.approx((80, 160, 80, 160), abs=2)
    assert drawn[120, 120].any()


def test_pictures_of_usual_size_are_not_enlarged() -> None:
    assert draw_faces(black(TINY, 10), []).shape == (TINY, 10, 3)
    assert draw_faces(black(60, 60), [], keep_size=True).shape == (60, 60, 3)


def test_text_grows_with_the_face_and_the_picture() -> None:
    def letters(side: int, scale: int) -> int:
        face = replace(FACE, bbox=(0, 0, side, side), landmarks=None)
        return count_letters(draw_faces(black(800 * scale, 800 * scale), [face]))

    assert letters(40, 1) < letters(200, 1) < letters(200, 3)


def test_labels_without_room_become_numbers_with_a_legend_below() -> None:
    faces = crowd(30)
    drawn = draw_faces(black(), faces)
    assert drawn.shape[0] > 200
    assert drawn.shape[1] == 300
    assert count_letters(drawn[200:]) > 300
    assert draw_faces(black(), faces[:1]).shape == (200, 300, 3)


def test_a_high_picture_has_its_legend_at_the_right() -> None:
    faces = crowd(30)
    drawn = draw_faces(black(600, 260), faces)
    assert drawn.shape[0] == 600
    assert drawn.shape[1] > 260


def test_a_legend_that_is_wider_than_the_picture_is_at_its_right() -> None:
    long = replace(FACE, attributes={"mood": Classification({"word " * 30: 1.0})}, landmarks=None)
    drawn = draw_faces(black(200, 220), [replace(long, bbox=(50, 50, 90, 90))])
    assert drawn.shape[0] == 200
    assert drawn.shape[1] > 2 * 220


@pytest.mark.parametrize("size", [(5, 300), (300, 5)])
def test_a_narrow_picture_can_have_a_legend(size: tuple[int, int]) -> None:
    rows, columns = draw_faces(black(*size), [replace(FACE, bbox=(0, 0, 5, 5))]).shape[:2]
    assert rows > 20
    assert columns > 60


def test_the_size_of_text_can_be_chosen() -> None:
    few, usual, many = (
        count_letters(draw_faces(black(400, 500), [FACE], label_size=size)) for size in (0.7, 1, 3)
    )
    assert few < usual < many / 3
    drawn = draw_faces(black(400, 500), [FACE], label_size=3)
    np.testing.assert_array_equal(
        drawn, FramePainter(DrawOptions(label_size=3)).draw(black(400, 500), [FACE])
    )
    with pytest.raises(OptionError, match="label_size is 0; it must be above 0 and at most 10"):
        draw_faces(black(), [FACE], label_size=0)


def test_without_a_legend_the_size_is_kept() -> None:
    assert draw_faces(black(), crowd(30), keep_size=True).shape == (200, 300, 3)


def test_labels_can_be_left_out() -> None:
    drawn = draw_faces(black(), crowd(30), labels=False)
    assert drawn.shape == (200, 300, 3)
    assert not count_letters(drawn)
    assert (drawn == HAPPY).all(axis=2).any()


def test_landmarks_are_drawn_only_on_request() -> None:
    assert not draw_faces(black(), [FACE])[90:110, 90:110].any()
    assert draw_faces(black(), [FACE], landmarks=True)[100, 100].any()
    without = replace(FACE, landmarks=None)
    np.testing.assert_array_equal(
        draw_faces(black(), [without], landmarks=True), draw_faces(black(), [without])
    )


def test_bars_are_drawn_on_request_and_where_there_is_room() -> None:
    mood = Classification({"angry": 0.2, "sad": 0.3, "fear": 0.5})
    face = replace(FACE, attributes={"mood": mood}, landmarks=None)
    colors = [to_bgr(color_of(label)) for label in ("angry", "sad")]  # none of them is the box's
    plain, drawn = (draw_faces(black(400, 500), [face], bars=bars) for bars in (False, True))
    for color in colors:
        assert not (plain == color).all(axis=2).any()
        assert (drawn == color).all(axis=2).any()
    np.testing.assert_array_equal(
        drawn, FramePainter(DrawOptions(bars=True)).draw(black(400, 500), [face])
    )
    large = replace(face, bbox=(20, 20, 190, 190))
    np.testing.assert_array_equal(
        draw_faces(black(205, 205), [large], bars=True), draw_faces(black(205, 205), [large])
    )


def test_hidden_faces_have_boxes_and_labels_still() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    drawn = draw_faces(image, [FACE], blur=True)
    assert (drawn[100, 50] == HAPPY).all()
    assert len(np.unique(drawn[60:140, 60:140].reshape(-1, 3), axis=0)) <= 25


def draw_label(label: str) -> BGRImage:
    face = replace(FACE, attributes={"mood": Classification({label: 1.0})}, landmarks=None)
    return draw_faces(np.full((300, 600, 3), 90, np.uint8), [face])


@pytest.mark.parametrize("label", ["fröhlich", "21 °C", "счастье", "سعيد", "嬉しい", "ʘ‿ʘ"])
def test_labels_of_any_script_are_drawn(label: str) -> None:
    marks = "".join(letter if letter.isascii() else "?" for letter in label)
    assert not np.array_equal(draw_label(label), draw_label(marks))
    assert not np.array_equal(draw_label(label), draw_label(label[:-1]))
    assert not np.array_equal(draw_label("快樂"), draw_label("悲傷"))


def test_control_characters_are_shown_not_obeyed() -> None:
    drawn, shown = draw_label("a\x1b\u202e"), draw_label(r"a\x1b\u202e")
    np.testing.assert_array_equal((drawn == 0).all(axis=2), (shown == 0).all(axis=2))


def test_uncertain_labels_are_drawn_as_uncertain() -> None:
    unsure = replace(FACE, uncertain=frozenset({"emotion"}))
    assert not np.array_equal(draw_faces(black(), [FACE]), draw_faces(black(), [unsure]))


def test_what_is_frozen_has_a_countdown() -> None:
    def draw(seconds: float) -> BGRImage:
        return draw_faces(black(), [replace(TRACKED, frozen={"age": seconds})])

    np.testing.assert_array_equal(draw(2.1), draw(3.0))
    assert not np.array_equal(draw(2.0), draw(3.0))


def test_a_box_that_is_no_number_is_refused() -> None:
    with pytest.raises(OptionError, match="bbox of a Face"):
        draw_faces(black(), [replace(FACE, bbox=(float("nan"), 0, 1, 1))])
    assert draw_faces(black(), [replace(FACE, bbox=(-1e300, 10, 1e300, 50))]).any()


def label_tops(painter: FramePainter, heights: list[int]) -> list[int]:
    """Return where the plate of a face's label begins in frames that are more or less high."""
    tops = []
    for height in heights:
        face = replace(TRACKED, bbox=(50, height - 90, 110, height - 28), frozen={})
        drawn = painter.draw(black(240), [face])
        tops.append(int(np.argwhere((drawn == 32).all(axis=2))[:, 0].min()) - height)
    return tops


def test_labels_of_frames_stay_on_their_side() -> None:
    trembling = [240 + 12 * (index % 2) for index in range(20)]
    steady = label_tops(FramePainter(), trembling)
    assert len(set(steady[1:])) == 1
    assert len({label_tops(FramePainter(), [height])[0] for height in trembling}) == 2


def test_text_of_frames_keeps_its_size_while_a_face_changes_little() -> None:
    def draw(painter: FramePainter, width: int) -> int:
        face = replace(TRACKED, bbox=(20, 20, 20 + width, 80), frozen={})
        return count_letters(painter.draw(black(400, 500), [face]))

    painter = FramePainter()
    assert draw(painter, 60) < draw(painter, 300) == draw(FramePainter(), 300)
    painter = FramePainter()
    assert len({draw(painter, 100 + 10 * (index % 2)) for index in range(10)}) == 1
    assert len({draw(FramePainter(), width) for width in (100, 110)}) == 2


def test_frames_keep_their_size() -> None:
    for options in (None, DrawOptions(labels=False), DrawOptions(landmarks=True, blur=True)):
        painter = FramePainter(options)
        assert painter.draw(black(20, 20), [FACE]).shape == (20, 20, 3)
        assert painter.draw(black(), crowd(30)).shape == (200, 300, 3)
        assert painter.draw(black(), []).shape == (200, 300, 3)


@pytest.mark.parametrize(("side", "has_number"), [(44, True), (20, False)])
def test_a_track_without_room_for_words_shows_its_number(side: int, has_number: bool) -> None:
    face = replace(TRACKED, bbox=(4, 4, 18, 18), attributes=ATTRIBUTES)
    plain = FramePainter(DrawOptions(labels=False)).draw(black(side, side), [face])
    drawn = FramePainter().draw(black(side, side), [face])
    beyond = (drawn != plain).any(axis=2)
    assert beyond.any() == has_number
    assert not (drawn == HAPPY).all(axis=2).any()  # the color of the words' plate
    assert (drawn[beyond] == to_bgr(track_color(1))).all(axis=1).any() == has_number


def test_frames_are_drawn_as_their_options_say() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    plain = FramePainter().draw(image, [FACE])
    without = FramePainter(DrawOptions(labels=False)).draw(image, [FACE])
    assert (plain != without).any(axis=2).any(axis=1).nonzero()[0].min() >= 150
    hidden = FramePainter(DrawOptions(blur=True)).draw(image, [FACE])
    assert len(np.unique(hidden[60:140, 60:140].reshape(-1, 3), axis=0)) <= 25
    assert (FramePainter(DrawOptions(landmarks=True)).draw(image, [FACE]) != plain)[100, 100].any()


def test_a_status_is_written_into_the_upper_left_corner() -> None:
    image = black()
    drawn = draw_status(image, "25 fps")
    assert drawn[:20, :60].max() == 255
    assert not drawn[30:].any()
    assert not image.any()
    assert not draw_status(image, "").any()
    assert draw_status(black(3, 5), "25 fps").shape == (3, 5, 3)


def test_an_rgb_array_is_drawn_on_in_the_same_colors() -> None:
    image = np.full((90, 120, 3), (200, 100, 0), np.uint8)
    face = Face((20, 20, 60, 70), 0.9)
    rgb = np.ascontiguousarray(image[..., ::-1])
    assert np.array_equal(draw_faces(rgb, [face], color="rgb"), draw_faces(image, [face]))
