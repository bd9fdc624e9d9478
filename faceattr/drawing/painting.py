"""Pixels of labels, boxes and hidden faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from faceattr.drawing.labels import PLATE, Bar, Label, Word
from faceattr.fonts import render
from faceattr.palette import Color, to_bgr
from faceattr.types import BBox, BGRImage, Landmarks

BAR = 6  # length of a bar, as a multiple of the height of capital letters
GROOVE = "#505050"  # in which a bar lies
PAD = 0.35  # around text, as a share of the height of capital letters,
DESCENT = 0.3  # and below their line for letters such as g
HIDDEN_CELLS = 5  # along the shorter side of a hidden face
HIDDEN_MARGIN = 0.2  # around its box, as a share of its sides: hair, chin and ears
OUTLINED = 16  # pixels; on a smaller face, every pixel counts
MARK = 0.02  # radius of a landmark, as a share of the face's shorter side


def size_of_label(label: Label, height: int) -> tuple[int, int]:
    """Return the width and height in pixels of a label.

    Args:
        label: Lines of words.
        height: Height of capital letters in pixels.
    """
    widths = (sum(_width(word, height) for word in line) for line in label)
    return max(widths), _line_height(height) * len(label)


def _width(word: Word, height: int) -> int:
    bar = 0 if word.bar is None else BAR * height + _pad(height)
    return _paint_word(word._replace(bar=None), height).shape[1] + bar


@lru_cache(maxsize=128)  # those of a few faces; larger ones take hundreds of kilobytes
def paint_label(label: Label, height: int) -> BGRImage:
    """Return (H, W, 3) pixels of a label; they are shared and not to be written to.

    Args:
        label: Lines of words.
        height: Height of capital letters in pixels.
    """
    width, rows = size_of_label(label, height)
    painted = np.empty((rows, width, 3), np.uint8)
    for row, line in zip(np.split(painted, len(label)), label, strict=True):
        row[:] = to_bgr(line[-1].plate)
        left = 0
        for word in line:
            part = _paint_word(word._replace(bar=None), height)
            paste(row, part, left, 0)
            left += part.shape[1]
            if word.bar is not None:
                _paint_bar(row, word.bar, height)
    painted.flags.writeable = False
    return painted


def _paint_bar(row: BGRImage, bar: Bar, height: int) -> None:
    """Draw a bar at the right end of a line."""
    pad, length = _pad(height), BAR * height
    groove = row[pad : pad + height, row.shape[1] - pad - length : row.shape[1] - pad]
    groove[:] = to_bgr(GROOVE)
    groove[:, : round(bar.share * length)] = to_bgr(bar.color)


@lru_cache(maxsize=512)
def _paint_word(word: Word, height: int) -> BGRImage:
    letters = render(word.text, height)
    pad = _pad(height)
    shape = _line_height(height), max(letters.advance, 1) + 2 * pad
    alpha = np.zeros((*shape, 1), np.float32)
    top, left = pad + height + letters.top, pad + letters.left
    y1, x1 = max(top, 0), max(left, 0)
    part = letters.alpha[y1 - top : shape[0] - top, x1 - left : shape[1] - left]
    alpha[y1 : y1 + part.shape[0], x1 : x1 + part.shape[1], 0] = part
    plate, ink = (np.array(to_bgr(color), np.float32) for color in (word.plate, word.ink))
    return np.rint(plate + alpha * (ink - plate)).astype(np.uint8)


def _line_height(height: int) -> int:
    return height + round(DESCENT * height) + 2 * _pad(height)


def _pad(height: int) -> int:
    return max(2, round(PAD * height))


def paste(image: BGRImage, part: BGRImage, left: int, top: int) -> None:
    """Copy a part into the image, as far as it lies inside."""
    rows, columns = image.shape[:2]
    height, width = min(part.shape[0], rows - top), min(part.shape[1], columns - left)
    if height > 0 and width > 0:
        image[top : top + height, left : left + width] = part[:height, :width]


def paint_box(image: BGRImage, box: Sequence[int], color: Color, thickness: int) -> None:
    """Draw the outline of a box, x1, y1, x2, y2 in pixels, with a thin dark one around it."""
    x1, y1, x2, y2 = box
    if min(x2 - x1, y2 - y1) >= OUTLINED:
        rim = thickness // 2 + 1
        cv2.rectangle(image, (x1 - rim, y1 - rim), (x2 + rim, y2 + rim), to_bgr(PLATE), 1)
    cv2.rectangle(image, (x1, y1), (x2, y2), to_bgr(color), thickness)


def paint_landmarks(image: BGRImage, landmarks: Landmarks, bbox: BBox, color: Color) -> None:
    """Draw a dot at each landmark, of a size that suits the face."""
    side = min(bbox[2] - bbox[0], bbox[3] - bbox[1])
    radius = max(1, round(MARK * side))
    for x, y in landmarks:
        center = round(float(x)), round(float(y))
        cv2.circle(image, center, radius, to_bgr(color), cv2.FILLED, cv2.LINE_AA)


def hide_faces(image: BGRImage, boxes: Sequence[BBox]) -> None:
    """Replace each face and a margin around it by a mosaic, which cannot be undone."""
    rows, columns = image.shape[:2]
    mosaics = []
    for x1, y1, x2, y2 in boxes:
        x, y = HIDDEN_MARGIN * (x2 - x1), HIDDEN_MARGIN * (y2 - y1)
        left, right = (int(np.clip(value, 0, columns)) for value in (x1 - x, x2 + x + 1))
        top, bottom = (int(np.clip(value, 0, rows)) for value in (y1 - y, y2 + y + 1))
        part = image[top:bottom, left:right]
        if part.size:
            mosaics.append((part, _mosaic(part)))
    for part, mosaic in mosaics:  # all of them are made from the original
        part[:] = mosaic


def _mosaic(part: BGRImage) -> BGRImage:
    height, width = part.shape[:2]
    cell = max(1.0, min(height, width) / HIDDEN_CELLS)
    cells = max(1, round(width / cell)), max(1, round(height / cell))
    small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(mosaic, np.uint8)


def blank(height: int, width: int) -> BGRImage:
    """Return an image in the color of plates."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = to_bgr(PLATE)
    return image
