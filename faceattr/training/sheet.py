"""Pictures with doubted labels, side by side on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from faceattr.errors import FaceattrError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.fonts import render
from faceattr.images import load_image
from faceattr.training.training import Doubt
from faceattr.types import BGRImage

TILE, COLUMNS, MOST = 160, 6, 48  # pixels of a picture's side; pictures in a row, and on a sheet
TEXT, LINE, PAD = 10, 20, 6  # pixels: height of capitals, distance of lines, room around
PAPER, INK = 255, 40  # levels


def draw_sheet(doubts: Sequence[Doubt], data: LabelledSet) -> BGRImage:
    """Return a sheet of the pictures, each with its label, what is likely, and its name.

    Args:
        doubts: At least one; the first `MOST` are shown.
        data: The set that they are in.
    """
    shown = doubts[:MOST]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    height, width = TILE + 3 * LINE + 2 * PAD, TILE + 2 * PAD
    sheet = np.full((rows * height, columns * width, 3), PAPER, np.uint8)
    for index, doubt in enumerate(shown):
        row, column = divmod(index, columns)
        cell = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        _show(cell[PAD : PAD + TILE, PAD : PAD + TILE], data, doubt)
        lines = (f"{doubt.given} → {doubt.likely}", _quote(doubt), _short_name(doubt.source))
        for number, text in enumerate(lines):
            _write(cell[PAD + TILE + number * LINE :, PAD:], text)
    return sheet


def _show(cell: BGRImage, data: LabelledSet, doubt: Doubt) -> None:
    """Fill the middle of the cell with the picture."""
    try:
        image = load_image(data.pictures[doubt.row])
    except FaceattrError:  # it was there when it was read first
        return
    scale = TILE / max(image.shape[:2])
    height, width = (max(round(side * scale), 1) for side in image.shape[:2])
    shrinks = scale < 1
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    top, left = (TILE - height) // 2, (TILE - width) // 2
    cell[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=method
    )


def _write(cell: BGRImage, text: str) -> None:
    """Write a line at the top of the cell; what does not fit is cut off."""
    alpha = render(text, TEXT).alpha[: cell.shape[0] - PAD, : cell.shape[1] - PAD, None]
    part = cell[PAD : PAD + alpha.shape[0], : alpha.shape[1]]
    part[:] = (part * (1 - alpha) + INK * alpha).astype(np.uint8)


def _quote(doubt: Doubt) -> str:
    return f"{doubt.confidence:.0%} sure" if doubt.confidence <= 1 else f"{doubt.confidence:.1f} σ"


def _short_name(source: str) -> str:
    name = source.replace("\\", "/").rpartition("/")[2]
    return name if len(name) <= 24 else f"…{name[-23:]}"
