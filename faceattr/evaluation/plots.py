"""Figures as pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.metrics import ClassificationReport
from faceattr.types import BGRImage

FONT = cv2.FONT_HERSHEY_DUPLEX
LARGE, MEDIUM, SMALL = 0.62, 0.5, 0.38  # sizes of text
CELL, PAD, LINE = 84, 28, 30  # px: least side of a cell, room around, height of a line of text
AXES = "row: what is true, column: the answer"
FINER = 4  # drawn so many times larger, then averaged
WHITE, INK, FAINT = (255, 255, 255), (56, 46, 40), (142, 132, 124)  # BGR
DEEPEST = (138, 78, 20)  # BGR of a share of 1


def draw_confusion(report: ClassificationReport, *, title: str) -> BGRImage:
    """Return a picture of the confusion matrix: a row is what is true, a column the answer.

    A cell has its share of the row, the darker the larger, and the count.
    """
    widest = max(_width(label, MEDIUM) for label in report.labels)
    cell = max(CELL, widest + PAD // 2)
    left, top = PAD + widest + PAD // 2, PAD + 3 * LINE
    side = cell * len(report.labels)
    canvas = _Canvas(
        max(left + side, PAD + _width(title, LARGE), PAD + _width(AXES, SMALL)) + PAD,
        top + side + PAD,
    )
    canvas.write(title, PAD, PAD + LINE // 2, LARGE, INK)
    canvas.write(AXES, PAD, PAD + 1.5 * LINE, SMALL, FAINT)
    shares = report.confusion / np.maximum(report.support, 1)[:, None]
    for row, label in enumerate(report.labels):
        y = top + cell * (row + 0.5)
        canvas.write(label, left - PAD // 2, y, MEDIUM, INK, align=1)
        canvas.write(label, left + cell * (row + 0.5), top - LINE / 2, MEDIUM, INK, align=0.5)
        for column, share in enumerate(shares[row]):
            x = left + cell * (column + 0.5)
            dark = share > 0.45
            canvas.fill(x - cell / 2, y - cell / 2, cell, _shade(share))
            canvas.write(f"{share:.0%}", x, y - 8, LARGE, WHITE if dark else INK, align=0.5)
            count = str(report.confusion[row, column])
            canvas.write(count, x, y + 16, SMALL, WHITE if dark else FAINT, align=0.5)
    return canvas.picture()


class _Canvas:
    """A white picture to draw on, in px of the result.

    Args:
        width: In px.
        height: In px.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._image = np.full((height * FINER, width * FINER, 3), 255, np.uint8)

    def fill(self, x: float, y: float, side: float, color: NDArray[np.uint8]) -> None:
        """Fill a square, but for a thin line around it."""
        x1, y1, x2, y2 = (round(value * FINER) for value in (x, y, x + side, y + side))
        self._image[y1 + FINER : y2 - FINER, x1 + FINER : x2 - FINER] = color

    def write(
        self,
        text: str,
        x: float,
        y: float,
        scale: float,
        color: tuple[int, int, int],
        *,
        align: float = 0.0,
    ) -> None:
        """Write text in the middle of a line, from x on (align 0), around x, or up to x (1)."""
        height = cv2.getTextSize("X", FONT, scale, 1)[0][1]
        origin = (x - align * _width(text, scale)) * FINER, (y + height / 2) * FINER
        cv2.putText(
            self._image,
            text,
            (round(origin[0]), round(origin[1])),
            FONT,
            scale * FINER,
            color,
            FINER,
            cv2.LINE_AA,
        )

    def picture(self) -> BGRImage:
        """Return what was drawn."""
        return np.asarray(cv2.resize(self._image, self._size, interpolation=cv2.INTER_AREA))


def _width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, FONT, scale, 1)[0][0])


def _shade(share: float) -> NDArray[np.uint8]:
    """Return white for 0, and the deepest color for 1."""
    mixed = np.array(WHITE) + share**0.7 * (np.array(DEEPEST) - WHITE)
    return mixed.astype(np.uint8)
