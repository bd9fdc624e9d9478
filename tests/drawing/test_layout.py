from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from time import process_time

import numpy as np
import pytest

from faceattr.drawing.layout import (
    MEMORY,
    PATIENCE,
    Boxes,
    Placement,
    Sizes,
    SteadyLayout,
    place_labels,
)

CANVAS = 640, 480
FULL, SHORT, NUMBER = (90, 45), (60, 15), (18, 15)
GAP = 2


def sizes_of(count: int) -> Sizes:
    return np.array([[form] * count for form in (FULL, SHORT, NUMBER)], np.int64)


def place(boxes: Sequence[Sequence[int]], **options: Boxes) -> list[Placement | None]:
    return place_labels(np.array(boxes), sizes_of(len(boxes)), CANVAS, gap=GAP, **options)


def overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def check(boxes: Boxes, places: Sequence[Placement | None], sizes: Sizes) -> None:
    """Check that labels have their sizes, overlap nothing, and lie inside the canvas."""
    placed = [(index, one) for index, one in enumerate(places) if one is not None]
    for index, one in placed:
        left, top, right, bottom = one.rect
        assert (right - left, bottom - top) == tuple(sizes[one.form, index])
        assert left >= 0
        assert top >= 0
        assert right <= CANVAS[0]
        assert bottom <= CANVAS[1]
        others = np.delete(boxes, index, axis=0)
        assert not any(overlap(one.rect, box) for box in others.tolist())
    assert not any(
        overlap(one.rect, other.rect) for (_, one), (_, other) in combinations(placed, 2)
    )


def grid(columns: int, rows: int) -> list[tuple[int, int, int, int]]:
    """Return boxes between which there is room for numbers only."""
    return [
        (250 + 50 * x, 200 + 45 * y, 275 + 50 * x, 225 + 45 * y)
        for x, y in np.ndindex(columns, rows)
    ]


def random_boxes(seed: int, count: int) -> Boxes:
    rng = np.random.default_rng(seed)
    corners = rng.integers(-20, 600, (count, 2))
    return np.hstack([corners, corners + rng.integers(5, 120, (count, 2))])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [1, 6, 60])
def test_labels_overlap_neither_labels_nor_other_faces_and_stay_inside(
    seed: int, count: int
) -> None:
    boxes = random_boxes(seed, count)
    check(boxes, place_labels(boxes, sizes_of(count), CANVAS, gap=GAP), sizes_of(count))


def test_a_label_goes_below_its_face_and_begins_where_the_face_begins() -> None:
    (below,) = place([(100, 100, 150, 160)])
    assert below == Placement(0, 0, (100, 162, 190, 207))


@pytest.mark.parametrize(
    ("box", "rect"),
    [
        ((100, 400, 150, 475), (100, 353, 190, 398)),  # at the bottom: above
        ((20, -10, 70, 490), (72, 0, 162, 45)),  # from top to bottom: at the right
        ((590, 0, 640, 480), (498, 0, 588, 45)),  # the same, at the right border: at the left
        ((0, 0, 640, 480), (2, 433, 92, 478)),  # all of the picture: inside the face
        ((600, 100, 660, 160), (550, 162, 640, 207)),  # it would cross the border: moved along
        ((700, 100, 760, 160), (550, 162, 640, 207)),  # outside: at the border
    ],
)
def test_a_label_goes_where_there_is_room(
    box: Sequence[int], rect: tuple[int, int, int, int]
) -> None:
    (found,) = place([box])
    assert found is not None
    assert found.rect == rect


def test_all_labels_are_full_where_there_is_room_for_all() -> None:
    boxes = [(20 + 100 * x, 20 + 110 * y, 60 + 100 * x, 70 + 110 * y) for x, y in np.ndindex(6, 4)]
    assert {one.form for one in place(boxes) if one} == {0}


def test_labels_become_shorter_only_where_faces_are_close() -> None:
    crowd = grid(6, 4)
    alone, *close = place([(40, 40, 90, 100), *crowd])
    assert alone is not None
    assert alone.form == 0
    forms = [one.form for one in close if one]
    assert len(forms) == len(crowd)
    assert max(forms) == 2


def test_the_face_with_the_fewest_choices_chooses_first() -> None:
    wall = [(0, 0, 290, 480), (380, 0, 640, 480), (290, 0, 380, 200), (290, 320, 380, 480)]
    free, enclosed = (300, 260, 370, 310), (300, 205, 370, 214)
    places = place_labels(
        np.array([free, enclosed]),
        np.array([[(60, 20), (60, 20)]]),
        CANVAS,
        gap=GAP,
        obstacles=np.array(wall),
    )
    assert all(places)


def test_faces_without_labels_are_not_covered() -> None:
    (found,) = place([(100, 100, 150, 160)], obstacles=np.array([(90, 170, 200, 300)]))
    assert found is not None
    assert found.rect == (100, 53, 190, 98)


def test_a_face_covered_by_another_has_no_label() -> None:
    assert place([(0, 0, 640, 480), (0, 0, 640, 480)]) == [None, None]


def test_no_faces_have_no_labels() -> None:
    assert place_labels(np.empty((0, 4), np.int64), np.empty((1, 0, 2), np.int64), CANVAS) == []
    assert (
        SteadyLayout().place([], np.empty((0, 4), np.int64), np.empty((1, 0, 2), np.int64), CANVAS)
        == []
    )


def test_a_crowd_takes_little_time() -> None:
    begin = process_time()
    place_labels(random_boxes(0, 300), sizes_of(300), CANVAS, gap=GAP)
    assert process_time() - begin < 10


def jittered(boxes: Boxes, seed: int) -> Boxes:
    return boxes + np.random.default_rng(seed).integers(-3, 4, boxes.shape)


def count_changes(frames: Sequence[Sequence[int]]) -> list[int]:
    """Return for each label in how many frames it is elsewhere than in the one before."""
    return [sum(one != other for one, other in pairwise(row)) for row in np.transpose(frames)]


def slots(layout: SteadyLayout, boxes: Boxes, *, keys: Sequence[int] | None = None) -> list[int]:
    count = len(boxes)
    places = layout.place(keys or range(count), boxes, sizes_of(count), CANVAS, gap=GAP)
    check(boxes, places, sizes_of(count))
    return [-1 if one is None else one.form * 100 + one.slot for one in places]


def test_labels_of_a_stream_stay_where_they_are_though_boxes_tremble() -> None:
    boxes = np.array([(x, 380, x + 50, 433) for x in (20, 160, 300, 440)])
    steady = SteadyLayout()
    assert max(count_changes([slots(steady, jittered(boxes, seed)) for seed in range(100)])) <= 1
    fresh = [slots(SteadyLayout(), jittered(boxes, seed)) for seed in range(100)]
    assert min(count_changes(fresh)) > 10  # below or above, as it comes


def test_a_label_of_a_stream_moves_at_once_when_a_face_comes_too_close() -> None:
    layout = SteadyLayout()
    face, other = (100, 100, 150, 160), (110, 190, 160, 240)
    (before,) = slots(layout, np.array([face]))
    after, _ = slots(layout, np.array([face, other]))
    assert before == 0
    assert after != before


def test_a_label_of_a_stream_becomes_fuller_only_after_a_while() -> None:
    layout = SteadyLayout()
    crowd, middle = np.array(grid(3, 3)), 4
    assert slots(layout, crowd)[middle] >= 100
    alone = crowd[middle : middle + 1]
    forms = [slots(layout, alone, keys=[middle])[0] // 100 for _ in range(PATIENCE + 1)]
    assert forms[0] > 0
    assert forms[-1] == 0
    assert len(set(forms[: PATIENCE - 1])) == 1


def test_a_face_that_comes_back_has_its_label_in_the_same_place() -> None:
    none = np.empty((0, 4), np.int64)
    for missed, is_remembered in ((MEMORY, True), (MEMORY + 1, False)):
        layout = SteadyLayout()
        near_border = np.array([(100, 390, 150, 450)])
        away = np.array([(100, 100, 150, 160)])
        above = slots(layout, near_border)
        for _ in range(missed):
            layout.place([], none, np.empty((1, 0, 2), np.int64), CANVAS)
        assert (slots(layout, away) == above) is is_remembered
