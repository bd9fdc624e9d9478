"""What notebooks show of a value, as HTML: pictures, and tables with bars."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import cv2

if TYPE_CHECKING:
    from faceattr.types import BGRImage

BAR = "height:.8em;background:#4477aa"  # Paul Tol's blue, which is seen on white and on black
BAR_WIDTH = 100  # pixels of a probability of 1
LEFT = "text-align:left"
NUM_BARS = 5  # labels of one attribute


class Line(NamedTuple):
    """A line of a table.

    Attributes:
        name: What the line is about; empty if that of the line before goes on.
        text: What there is to say.
        share: Length of its bar, in [0, 1]; None for no bar.
    """

    name: str
    text: str
    share: float | None = None


def to_table(title: str, lines: Sequence[Line], thumbnail: BGRImage | None = None) -> str:
    """Return a table, beside a picture if there is one; all text is escaped.

    Args:
        title: Above the table.
        lines: Of the table.
        thumbnail: (H, W, 3) BGR uint8.
    """
    picture = "" if thumbnail is None else to_picture(thumbnail, side=96)
    rows = "".join(map(_to_row, lines))
    return (
        '<div style="display:flex;gap:1em;align-items:flex-start;margin:.5em 0">'
        f'{picture}<table style="margin:0"><caption style="{LEFT}">{escape(title)}</caption>'
        f"{rows}</table></div>"
    )


def to_picture(image: BGRImage, *, side: int) -> str:
    """Return an image whose longer side has that many pixels at most."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", smaller)[1].tobytes()).decode()
    return f'<img width="{size[0]}" height="{size[1]}" alt="" src="data:image/jpeg;base64,{data}">'


def _to_row(line: Line) -> str:
    bar = ""
    if line.share is not None:
        width = round(BAR_WIDTH * min(max(line.share, 0.0), 1.0))
        bar = f'<div style="{BAR};width:{width}px"></div>'
    return (
        f'<tr><th style="{LEFT}">{escape(line.name)}</th>'
        f'<td style="{LEFT}">{escape(line.text)}</td>'
        f'<td style="{LEFT};min-width:{BAR_WIDTH}px">{bar}</td></tr>'
    )
