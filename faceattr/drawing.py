"""Faces and their attributes, drawn onto a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from faceattr.types import BGRImage, Face

FONT = cv2.FONT_HERSHEY_SIMPLEX
BOX_COLOR = (96, 200, 72)  # BGR
PLATE_COLOR = (40, 40, 40)
TEXT_COLOR = (255, 255, 255)


def draw_faces(image: BGRImage, faces: Sequence[Face]) -> BGRImage:
    """Return a copy of the picture with each face's box, landmarks and attributes.

    The text is large enough to read where the whole picture is seen, and stays inside it.
    """
    drawn = image.copy()
    unit = max(image.shape[0], image.shape[1]) / 1000  # px of a picture 1000 px long
    for face in faces:
        _draw_box(drawn, face, unit)
    for face in faces:  # text last, so that no box crosses it
        _draw_text(drawn, face, unit)
    return drawn


def _draw_box(image: BGRImage, face: Face, unit: float) -> None:
    x1, y1, x2, y2 = (round(value) for value in face.bbox)
    thickness = max(1, round(2 * unit))
    cv2.rectangle(image, (x1, y1), (x2, y2), BOX_COLOR, thickness, cv2.LINE_AA)
    for x, y in () if face.landmarks is None else face.landmarks:
        cv2.circle(image, (round(x), round(y)), thickness, BOX_COLOR, cv2.FILLED, cv2.LINE_AA)


def _draw_text(image: BGRImage, face: Face, unit: float) -> None:
    """Write one line per attribute on a plate under the box, or where there is room."""
    lines = [str(attribute) for attribute in face.attributes.values()]
    if not lines:
        return
    scale = max(0.35, 0.6 * unit)
    thickness = max(1, round(1.2 * unit))
    sizes = [cv2.getTextSize(line, FONT, scale, thickness)[0] for line in lines]
    step = round(1.6 * max(height for _, height in sizes))
    pad = step // 3
    width, height = max(width for width, _ in sizes) + 2 * pad, step * len(lines) + pad
    left, top = _place_plate(image, face, width, height)
    _draw_plate(image, left, top, width, height)
    for index, line in enumerate(lines, start=1):
        origin = (left + pad, top + index * step - pad // 2)
        cv2.putText(image, line, origin, FONT, scale, TEXT_COLOR, thickness, cv2.LINE_AA)


def _place_plate(image: BGRImage, face: Face, width: int, height: int) -> tuple[int, int]:
    """Return the top left corner of a plate, under the face, else above it, in the picture."""
    rows, columns = image.shape[:2]
    x1, y1, _, y2 = (round(value) for value in face.bbox)
    top = y2 if y2 + height <= rows or y1 < height else y1 - height
    return max(0, min(x1, columns - width)), max(0, min(top, rows - height))


def _draw_plate(image: BGRImage, left: int, top: int, width: int, height: int) -> None:
    """Darken a rectangle, so that text on it is readable on any ground."""
    part = image[top : top + height, left : left + width]
    part[:] = cv2.addWeighted(part, 0.3, np.full_like(part, PLATE_COLOR), 0.7, 0)
