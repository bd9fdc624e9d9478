"""Faces and their attributes, drawn onto an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from faceattr.arguments import explained
from faceattr.fonts import Letters, render
from faceattr.images import ImageSource, load_image, printable
from faceattr.types import BGRImage, Face

Color: TypeAlias = tuple[int, int, int]
"""Blue, green, red in [0, 255]."""

Line: TypeAlias = Sequence[tuple[str, Color]]
"""Words from left to right, each with its color."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
COLORS: Sequence[Color] = (  # tracks take them in turn, faces without a track the first
    (96, 200, 72),
    (240, 160, 70),
    (50, 165, 255),
    (205, 120, 225),
    (85, 225, 240),
    (230, 220, 110),
    (110, 110, 255),
    (180, 235, 180),
)
PLATE_COLOR = (40, 40, 40)
TEXT_COLOR = (255, 255, 255)
FAINT_COLOR = (170, 170, 170)


@explained
def draw_faces(image: ImageSource, faces: Sequence[Face]) -> BGRImage:
    """Return a copy of the image with each face's box, landmarks and attributes.

    The text is large enough to read where the whole image is seen, and stays inside it. Each
    track has a color and a number. Beside a frozen attribute, its seconds are counted down.

    Args:
        image: As in `load_image`.
        faces: Faces of that image.

    Raises:
        ImageError: The image cannot be read.
    """
    drawn = load_image(image).copy()
    for face in faces:
        _draw_box(drawn, face)
    for face in faces:  # text last, so that no box crosses it
        _draw_plate(drawn, _describe(face), near=face)
    return drawn


def draw_status(image: BGRImage, text: str) -> BGRImage:
    """Return a copy of the image with a line of text in its upper left corner."""
    drawn = image.copy()
    _draw_plate(drawn, [[(printable(text), TEXT_COLOR)]] if text else [])
    return drawn


def _draw_box(image: BGRImage, face: Face) -> None:
    x1, y1, x2, y2 = (round(value) for value in face.bbox)
    thickness = max(1, round(2 * _unit(image)))
    cv2.rectangle(image, (x1, y1), (x2, y2), _color(face), thickness, cv2.LINE_AA)
    for x, y in () if face.landmarks is None else face.landmarks:
        center = round(float(x)), round(float(y))
        cv2.circle(image, center, thickness, _color(face), cv2.FILLED, cv2.LINE_AA)


def _describe(face: Face) -> list[Line]:
    lines: list[Line] = []
    if face.track_id is not None:
        lines.append([(f"#{face.track_id}", _color(face))])
    for name in face.attributes:
        words = [(printable(face.text(name)), TEXT_COLOR)]
        if name in face.frozen:
            words.append((f"{math.ceil(face.frozen[name])}s", FAINT_COLOR))
        lines.append(words)
    return lines


def _color(face: Face) -> Color:
    return COLORS[((face.track_id or 1) - 1) % len(COLORS)]


def _draw_plate(image: BGRImage, lines: Sequence[Line], *, near: Face | None = None) -> None:
    """Write lines on a plate: by a face where there is room, else in the upper left corner."""
    if not lines:
        return
    scale = max(0.35, 0.6 * _unit(image))
    thickness = max(1, round(1.2 * _unit(image)))
    (space, height), _ = cv2.getTextSize("M", FONT, scale, thickness)
    widths = [
        [_text_width(word, scale, thickness, height) + space for word, _ in line] for line in lines
    ]
    step, pad = round(1.7 * height), round(0.6 * height)
    size = max(map(sum, widths)) - space + 2 * pad, step * len(lines) + pad
    left, top = _place(image, size, near) if near else (0, 0)
    _darken(image, left, top, *size)
    for row, (line, line_widths) in enumerate(zip(lines, widths, strict=True), start=1):
        x, y = left + pad, top + row * step
        for (word, color), width in zip(line, line_widths, strict=True):
            if word.isascii():
                cv2.putText(image, word, (x, y), FONT, scale, color, thickness, cv2.LINE_AA)
            else:
                _draw_letters(image, render(word, height), (x, y), color)
            x += width


def _text_width(word: str, scale: float, thickness: int, height: int) -> int:
    if word.isascii():
        return cv2.getTextSize(word, FONT, scale, thickness)[0][0]
    return render(word, height).advance


def _draw_letters(image: BGRImage, letters: Letters, origin: tuple[int, int], color: Color) -> None:
    """Blend letters into the image, as far as they lie inside it."""
    rows, columns = image.shape[:2]
    x, y = origin[0] + letters.left, origin[1] + letters.top
    x1, y1 = max(x, 0), max(y, 0)
    alpha = letters.alpha[y1 - y : rows - y, x1 - x : columns - x, np.newaxis]
    if alpha.size:
        part = image[y1 : y1 + alpha.shape[0], x1 : x1 + alpha.shape[1]]
        part[:] = np.rint(part + alpha * (np.array(color, np.float32) - part))


def _place(image: BGRImage, size: tuple[int, int], face: Face) -> tuple[int, int]:
    """Return the top left corner of a plate under the face, else above it, inside the image."""
    width, height = size
    rows, columns = image.shape[:2]
    x1, y1, _, y2 = (round(value) for value in face.bbox)
    top = y2 if y2 + height <= rows or y1 < height else y1 - height
    return max(0, min(x1, columns - width)), max(0, min(top, rows - height))


def _darken(image: BGRImage, left: int, top: int, width: int, height: int) -> None:
    """Darken a rectangle, so that text on it is readable on any background."""
    part = image[top : top + height, left : left + width]
    part[:] = cv2.addWeighted(part, 0.3, np.full_like(part, PLATE_COLOR), 0.7, 0)


def _unit(image: BGRImage) -> float:
    """Return the scale of lines and text: 1 if the longer side has 1000 pixels."""
    return max(image.shape[0], image.shape[1]) / 1000
