"""Text in any script, rendered to pixels; OpenCV's own fonts have ASCII only."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SHIPPED = "dejavu-sans.ttf"  # Latin, Greek, Cyrillic, Hebrew and Arabic letters of DejaVu Sans 2.37
SYSTEM_FONTS = (  # with Chinese, Japanese, Korean and more, where they are installed
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc"),
    *("DroidSansFallbackFull.ttf", "ipagp.ttf", "NanumGothic.ttf", "DejaVuSans.ttf"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf"),
    *("msyh.ttc", "YuGothM.ttc", "msgothic.ttc", "malgun.ttf", "segoeui.ttf", "Nirmala.ttf"),
)
CAP_HEIGHT = 0.729  # of the shipped font, as a share of its size
UNASSIGNED = "\U000ffffd"  # for private use, so fonts draw their box for missing letters


class Letters(NamedTuple):
    """Text as pixels.

    Attributes:
        alpha: (H, W) float32 in [0, 1], 1 where the text covers the pixel.
        left: Pixels from the start of the text to the left edge, often 0.
        top: Pixels from the baseline to the upper edge, below 0.
        advance: Pixels from the start of the text to the start of what follows.
    """

    alpha: NDArray[np.float32]
    left: int
    top: int
    advance: int


def render(text: str, height: int) -> Letters:
    """Return text as pixels; a letter that no font on this machine has is shown as its code.

    Args:
        text: One line.
        height: Height of capital letters in pixels.
    """
    from PIL import Image, ImageDraw  # takes a moment, and most text is ASCII

    size = max(1, round(height / CAP_HEIGHT))
    font, missing = _choose_font("".join(sorted(set(text))), size)
    text = "".join(f"\\u{ord(letter):04x}" if letter in missing else letter for letter in text)
    left, top, right, bottom = map(int, font.getbbox(text, anchor="ls"))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255, anchor="ls")
    alpha = np.asarray(image, np.float32) / np.float32(255)
    return Letters(alpha, left, top, round(font.getlength(text)))


@lru_cache(maxsize=512)
def _choose_font(letters: str, size: int) -> tuple[FreeTypeFont, frozenset[str]]:
    """Return the font that has most of the letters, and the letters that it lacks."""
    fonts = [_load_font(SHIPPED, size)]
    missing = [_missing(fonts[0], letters)]
    for name in SYSTEM_FONTS if missing[0] else ():
        with suppress(OSError):  # the system does not have it
            fonts.append(_load_font(name, size))
            missing.append(_missing(fonts[-1], letters))
        if not missing[-1]:
            break
    best = min(range(len(fonts)), key=lambda index: len(missing[index]))
    return fonts[best], missing[best]


@lru_cache(maxsize=64)
def _load_font(name: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    if name == SHIPPED:
        data = (files("faceattr.assets") / name).read_bytes()
        return ImageFont.truetype(io.BytesIO(data), size)
    return ImageFont.truetype(name, size)


def _missing(font: FreeTypeFont, letters: str) -> frozenset[str]:
    """Return the letters that the font draws as its box for missing letters."""
    box = bytes(font.getmask(UNASSIGNED))
    return frozenset(letter for letter in letters if bytes(font.getmask(letter)) == box)
