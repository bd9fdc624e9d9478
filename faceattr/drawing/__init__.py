"""Faces and their attributes, drawn onto an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from faceattr.arguments import explained
from faceattr.drawing.labels import (
    Label,
    face_color,
    forms_of,
    legend_of,
    number_of,
    status_line,
)
from faceattr.drawing.layout import Boxes, Placement, Sizes, SteadyLayout, place_labels
from faceattr.drawing.painting import (
    blank,
    hide_faces,
    paint_box,
    paint_label,
    paint_landmarks,
    paste,
    size_of_label,
)
from faceattr.images import ChannelOrder, ImageSource, load_image
from faceattr.options import DrawOptions
from faceattr.types import BGRImage, Face

TINY = 200  # pixels; a picture whose longer side is shorter is enlarged,
LEGIBLE = 400  # by the smallest whole factor that makes it as long as this
USUAL_SIDE = 900  # pixels of a square picture that is seen at its own size; larger ones are shrunk
LEAST_TEXT, MOST_TEXT = 7, 11  # pixels of capital letters on a picture of that size
TEXT_OF_FACE = 0.09  # height of capital letters, as a share of the face's width
LINE_OF_FACE = 0.02  # thickness of a box, as a share of its shorter side
MOST_LINE = 2  # pixels of it on a picture of the usual size
STATUS_TEXT = 9
SHORT_FORMS = 2  # of a label, for which the smallest text is large enough
STEADY_TEXT = 0.25  # by which the size of text must change before a stream follows
FARTHEST = 1e6  # pixels; boxes that reach farther are cut there


@explained
def draw_faces(
    image: ImageSource,
    faces: Sequence[Face],
    *,
    labels: bool = True,
    label_size: float = 1.0,
    landmarks: bool = False,
    blur: bool = False,
    bars: bool = False,
    keep_size: bool = False,
    color: ChannelOrder = "bgr",
) -> BGRImage:
    """Return a copy of the image with each face's box and attributes.

    Boxes have the color of the face's track, else of the label of its first classification; the
    colors can be told apart by people who are color-blind. No label covers another one or another
    face. Where there is no room for all attributes, a label shows the first; where there is none
    for that, the face's number, and a legend is added below the image, or at its right. The number
    is that of the track, else the face's index among the faces, as in tables. Beside a frozen
    attribute, its seconds are counted down.

    Capital letters are 7 to 11 pixels high, as suits the face, on an image of up to 900×900 pixels,
    and in proportion on a larger one. An image whose longer side is less than 200 pixels is
    enlarged by a whole factor, to 400 or more, so that text on it is legible.

    Args:
        image: As in `load_image`.
        faces: Faces of that image.
        labels: Write the attributes.
        label_size: Size of text, in (0, 10]; 1 for one that suits the image and the face.
        landmarks: Draw the landmarks.
        blur: Hide each of the faces, and a margin around it, behind a coarse mosaic, which cannot
            be undone. Faces that were not found stay visible.
        bars: Draw the scores of a face's first classification as bars, where there is room.
        keep_size: Neither enlarge the image nor add a legend; labels without room are left out.
        color: As in `load_image`; the copy is BGR.

    Raises:
        ImageError: The image cannot be read.
        OptionError: The size is out of range.
    """
    options = DrawOptions(labels, label_size, landmarks, blur, bars)
    return annotate(load_image(image, color=color), faces, options, keep_size=keep_size)


def annotate(
    image: BGRImage, faces: Sequence[Face], options: DrawOptions, *, keep_size: bool = False
) -> BGRImage:
    """Return a copy of the image with its faces drawn on it, as by `draw_faces`."""
    drawn = _hide(image, faces, options)
    if not keep_size:
        drawn, faces = _enlarge(drawn, faces)
    scene = _Scene(drawn, faces, options)
    scene.paint_boxes()
    if not options.labels:
        return drawn
    numbers = None if keep_size else [number_of(face, index) for index, face in enumerate(faces)]
    forms = scene.forms(numbers)
    places = place_labels(
        scene.boxes[scene.labelled],
        _sizes(forms),
        scene.canvas,
        gap=scene.gap,
        obstacles=scene.boxes[scene.silent],
    )
    scene.paint_labels(forms, places)
    if numbers is None:
        return drawn
    unsaid = [
        index
        for index, own, place in zip(scene.labelled, forms, places, strict=True)
        if place is None or place.form == len(own) - 1
    ]
    legend = [legend_of(faces[index], index) for index in unsaid]
    return _with_legend(drawn, legend, scene.least) if legend else drawn


class FramePainter:
    """Draws faces onto the frames of a stream, whose size is kept.

    A label stays on the same side of its face for as long as there is room, and keeps its size
    while that of the face changes little. Where there is no room for its first words, it is the
    number of the face's track; where there is none for that either, the box in the track's color
    stands alone.

    Args:
        options: What to draw.
    """

    def __init__(self, options: DrawOptions | None = None) -> None:
        self._options = options or DrawOptions()
        self._layout = SteadyLayout()
        self._heights: dict[int, int] = {}

    def draw(self, image: BGRImage, faces: Sequence[Face]) -> BGRImage:
        """Return a copy of the image of the next frame with its faces drawn on it."""
        drawn = _hide(image, faces, self._options)
        scene = _Scene(drawn, faces, self._options)
        scene.paint_boxes()
        if not self._options.labels:
            return drawn
        scene.keep_heights(self._heights)
        forms = scene.forms(scene.track_numbers())
        places = self._layout.place(
            [scene.keys[index] for index in scene.labelled],
            scene.boxes[scene.labelled],
            _sizes(forms),
            scene.canvas,
            gap=scene.gap,
            obstacles=scene.boxes[scene.silent],
        )
        scene.paint_labels(forms, places)
        self._heights |= dict(zip(scene.keys, scene.heights, strict=True))
        self._heights = {key: one for key, one in self._heights.items() if key in self._layout}
        return drawn


def draw_status(image: BGRImage, text: str) -> BGRImage:
    """Return a copy of the image with a line of text in its upper left corner."""
    drawn = image.copy()
    if text:
        height = round(STATUS_TEXT * _unit(image))
        paste(drawn, paint_label(status_line(text), height), 0, 0)
    return drawn


class _Scene:
    """An image and its faces.

    Args:
        image: Painted on.
        faces: Faces of the image.
        options: What is drawn.
    """

    def __init__(self, image: BGRImage, faces: Sequence[Face], options: DrawOptions) -> None:
        self.image = image
        self.faces = faces
        self._options = options
        self.canvas = image.shape[1], image.shape[0]
        unit = _unit(image)
        boxes = [[round(min(max(one, -FARTHEST), FARTHEST)) for one in face.bbox] for face in faces]
        self.boxes: Boxes = np.array(boxes, np.int64).reshape(-1, 4)
        widths, heights = (self.boxes[:, 2:] - self.boxes[:, :2]).T
        most = round(MOST_LINE * unit)
        lines = np.clip(LINE_OF_FACE * np.minimum(widths, heights), 1, most)
        self._lines: list[int] = np.rint(lines).astype(int).tolist()
        self.gap = max(self._lines, default=1) // 2 + 1
        texts = options.label_size * np.clip(
            TEXT_OF_FACE * widths, LEAST_TEXT * unit, MOST_TEXT * unit
        )
        self.least = max(1, round(options.label_size * LEAST_TEXT * unit))
        self.heights: list[int] = np.rint(texts).astype(int).clip(min=1).tolist()
        self._texts = [forms_of(face, bars=options.bars) for face in faces]
        self.labelled = [index for index, texts in enumerate(self._texts) if texts]
        self.silent = [index for index, texts in enumerate(self._texts) if not texts]

    @property
    def keys(self) -> list[int]:
        """Identity of each face over time: its track, else its index, counted backwards."""
        return [
            ~index if face.track_id is None else face.track_id
            for index, face in enumerate(self.faces)
        ]

    def keep_heights(self, known: Mapping[int, int]) -> None:
        """Take heights of text of the frame before, by key, where they still fit."""
        for index, key in enumerate(self.keys):
            height = self.heights[index]
            before = known.get(key, height)
            if abs(before - height) <= STEADY_TEXT * height:
                self.heights[index] = before

    def paint_boxes(self) -> None:
        """Draw the boxes, and the landmarks if they are asked for."""
        for face, box, line in zip(self.faces, self.boxes.tolist(), self._lines, strict=True):
            color = face_color(face)
            paint_box(self.image, box, color, line)
            if self._options.landmarks and face.landmarks is not None:
                paint_landmarks(self.image, face.landmarks, face.bbox, color)

    def track_numbers(self) -> list[Label]:
        """Return the number of each face's track; of a face without a track its shortest text."""
        return [
            texts[-1] if face.track_id is None and texts else number_of(face, index)
            for index, (face, texts) in enumerate(zip(self.faces, self._texts, strict=True))
        ]

    def forms(self, numbers: Sequence[Label] | None = None) -> list[list[_Form]]:
        """Return the forms of each label, the fullest and largest first.

        Args:
            numbers: The last form of each face, if it has one more.
        """
        return [
            [
                _Form(text, height)
                for text in self._texts[index][:-SHORT_FORMS]
                for height in (self.heights[index], self.least)
            ]
            + [_Form(text, self.least) for text in self._texts[index][-SHORT_FORMS:]]
            + ([_Form(numbers[index], self.least)] if numbers else [])
            for index in self.labelled
        ]

    def paint_labels(
        self, forms: Sequence[Sequence[_Form]], places: Sequence[Placement | None]
    ) -> None:
        """Paint each label in its place."""
        for own, place in zip(forms, places, strict=True):
            if place is not None:
                paste(self.image, paint_label(*own[place.form]), *place.rect[:2])


class _Form(NamedTuple):
    """A label, and the height of its capital letters in pixels."""

    label: Label
    height: int


def _hide(image: BGRImage, faces: Sequence[Face], options: DrawOptions) -> BGRImage:
    """Return a copy of the image, its faces hidden if that is asked for."""
    copy = image.copy()
    if options.blur:
        hide_faces(copy, [face.bbox for face in faces])
    return copy


def _enlarge(image: BGRImage, faces: Sequence[Face]) -> tuple[BGRImage, Sequence[Face]]:
    """Return a tiny image and its faces, larger."""
    longer = max(image.shape[:2])
    if longer >= TINY:
        return image, faces
    factor = math.ceil(LEGIBLE / longer)
    size = image.shape[1] * factor, image.shape[0] * factor
    enlarged = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return enlarged, [_scaled(face, factor) for face in faces]


def _scaled(face: Face, factor: int) -> Face:
    x1, y1, x2, y2 = face.bbox
    landmarks = None if face.landmarks is None else face.landmarks * factor
    bbox = x1 * factor, y1 * factor, x2 * factor, y2 * factor
    return replace(face, bbox=bbox, landmarks=landmarks)


def _with_legend(image: BGRImage, legend: Sequence[Label], height: int) -> BGRImage:
    """Return the image with lines below it, or at its right if it is higher than wide.

    Args:
        image: The image.
        legend: The lines.
        height: Height of capital letters in pixels.
    """
    rows, columns = image.shape[:2]
    lines = [paint_label(line, height) for line in legend]
    width = max(line.shape[1] for line in lines) + 2 * height
    step = lines[0].shape[0] + round(0.5 * height)
    num_columns = columns // width if columns >= rows else 0
    if num_columns:
        num_rows = math.ceil(len(lines) / num_columns)
        drawn, left, top = blank(rows + num_rows * step + height, columns), 0, rows
    else:
        num_rows = max(1, (rows - height) // step)
        num_columns = math.ceil(len(lines) / num_rows)
        least = num_rows * step + height
        drawn, left, top = blank(max(rows, least), columns + num_columns * width), columns, 0
    paste(drawn, image, 0, 0)
    for index, line in enumerate(lines):
        column, row = divmod(index, num_rows)
        paste(drawn, line, left + height + column * width, top + round(0.75 * height) + row * step)
    return drawn


def _sizes(forms: Sequence[Sequence[_Form]]) -> Sizes:
    """Return (L, N, 2) width and height of each label in each form."""
    sizes = [[size_of_label(*form) for form in own] for own in forms]
    return np.array(sizes, np.int64).swapaxes(0, 1) if sizes else np.empty((1, 0, 2), np.int64)


def _unit(image: BGRImage) -> float:
    """Return how much larger than usual an image is, at least 1."""
    return max(1.0, math.sqrt(image.shape[0] * image.shape[1]) / USUAL_SIDE)
