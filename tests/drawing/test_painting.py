from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import faceattr
from faceattr.drawing.labels import Bar, Word
from faceattr.drawing.painting import (
    HIDDEN_CELLS,
    HIDDEN_MARGIN,
    hide_faces,
    paint_box,
    paint_label,
    paint_landmarks,
    paste,
    size_of_label,
)
from faceattr.types import BGRImage

RED, BLUE = "#ff0000", "#0000ff"


def noise(*size: int) -> BGRImage:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def test_a_label_is_a_plate_per_word_with_text_on_it() -> None:
    label = ((Word("H", "#ffffff", RED), Word("H", "#000000", BLUE)), (Word("HH", RED, "#00ff00"),))
    painted = paint_label(label, 10)
    assert painted[0, 0].tolist() == [0, 0, 255]
    assert painted[0, -1].tolist() == [255, 0, 0]
    assert painted[-1, 0].tolist() == [0, 255, 0]
    assert (painted == 255).all(axis=2).any()
    assert (painted == 0).all(axis=2).any()


def test_bars_are_as_long_as_their_shares_and_end_together() -> None:
    shares = (0.0, 0.5, 1.0)
    names = ("sad", "happy", "surprise")
    label = tuple((Word(name, bar=Bar(one, RED)),) for name, one in zip(names, shares, strict=True))
    rows = np.split(paint_label(label, 10), 3)
    lengths = [int((row == (0, 0, 255)).all(axis=2).any(axis=0).sum()) for row in rows]
    assert lengths == [0, 30, 60]
    ends = {int((row.max(axis=2) > 70).any(axis=0).nonzero()[0].max()) for row in rows}
    assert len(ends) == 1


def test_a_label_is_as_high_as_its_text_and_lines() -> None:
    line = (Word("happy"),)
    (one, width), (two, _) = (paint_label((line,) * count, 20).shape[:2] for count in (1, 2))
    assert two == 2 * one
    assert 30 < one < 50
    assert size_of_label((line, line), 20) == (width, two)
    assert paint_label((line,), 40).shape[1] == pytest.approx(2 * width, rel=0.05)


def test_painted_labels_are_shared_and_cannot_be_written_to() -> None:
    painted = paint_label(((Word("happy"),),), 12)
    assert painted is paint_label(((Word("happy"),),), 12)
    with pytest.raises(ValueError, match="read-only"):
        painted[0, 0] = 1


def test_letters_that_reach_beyond_their_line_are_cut_off_at_it() -> None:
    painted = paint_label(((Word("Ấ̂g̣̣"),),), 12)
    assert painted.max() > 100


def test_parts_are_pasted_as_far_as_they_lie_inside() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    paste(image, np.full((4, 8, 3), 9, np.uint8), 5, 8)
    assert (image[8:, 5:] == 9).all()
    assert image.sum() == 2 * 5 * 3 * 9
    paste(image, np.full((4, 8, 3), 9, np.uint8), 10, 0)
    assert image.sum() == 2 * 5 * 3 * 9


def test_boxes_of_larger_faces_have_a_dark_line_around_them() -> None:
    for side, dark in ((40, 32), (10, 255)):
        image = np.full((60, 60, 3), 255, np.uint8)
        paint_box(image, (10, 10, 10 + side, 10 + side), RED, 1)
        assert image[15, 10].tolist() == [0, 0, 255]
        assert image[15, 9].tolist() == [dark] * 3
        assert image[15, 11].tolist() == [255] * 3


def test_landmarks_are_dots_that_grow_with_the_face() -> None:
    def area(side: int) -> int:
        image = np.zeros((400, 400, 3), np.uint8)
        paint_landmarks(image, np.array([[200, 200]], np.float32), (0, 0, side, side), RED)
        return int(np.count_nonzero(image[:, :, 2] > 128))

    assert 1 <= area(10) < 10 < area(400)


@pytest.mark.parametrize("side", [12, 100, 900])
def test_a_hidden_face_is_a_mosaic_of_few_cells(side: int) -> None:
    image = noise(1400, 1400)
    hide_faces(image, [(200, 200, 200 + side, 200 + side)])
    part = image[200 : 200 + side, 200 : 200 + side]
    colors = np.unique(part.reshape(-1, 3), axis=0)
    assert len(colors) <= HIDDEN_CELLS**2
    steps = (np.diff(part.astype(int), axis=1) != 0).any(axis=(0, 2))
    assert steps.sum() <= HIDDEN_CELLS


def test_a_margin_is_hidden_too_and_the_rest_is_left_alone() -> None:
    before = noise(300, 300)
    image = before.copy()
    hide_faces(image, [(100, 100, 200, 200)])
    changed = (image != before).any(axis=2)
    margin = round(100 * HIDDEN_MARGIN)
    (top, left), (bottom, right) = (
        np.argwhere(changed).min(axis=0),
        np.argwhere(changed).max(axis=0),
    )
    assert (top, left, bottom, right) == (100 - margin, 100 - margin, 200 + margin, 200 + margin)


def test_what_two_hidden_faces_share_comes_from_neither_original() -> None:
    before = noise(300, 300)
    image = before.copy()
    hide_faces(image, [(50, 50, 150, 150), (100, 50, 200, 150)])
    assert (image[50:150, 50:200] == before[50:150, 50:200]).all(axis=2).mean() < 0.001


@pytest.mark.parametrize("box", [(-50, -50, 20, 20), (90, 90, 300, 300), (200, 0, 300, 90)])
def test_faces_at_and_beyond_the_border_can_be_hidden(box: tuple[float, ...]) -> None:
    image = noise(100, 100)
    x1, y1, x2, y2 = box
    hide_faces(image, [(x1, y1, x2, y2)])
    assert image.shape == (100, 100, 3)


def test_a_hidden_face_is_found_by_no_detector(astronaut: Path) -> None:
    image = faceattr.load_image(astronaut)
    (face,) = faceattr.detect(image)
    hide_faces(image, [face.bbox])
    assert faceattr.detect(image) == []
    assert faceattr.detect(image, detector="mtcnn") == []
