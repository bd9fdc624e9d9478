"""Colors of labels and tracks, which people who are color-blind can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias
from zlib import crc32

Color: TypeAlias = str
"""Red, green and blue in hexadecimal, as in ``"#56b4e9"``."""

COLORS: tuple[Color, ...] = (
    # Okabe and Ito, Color Universal Design, 2008, without black
    *("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
    # Paul Tol, Colour Schemes, 2021, "muted", for more than seven
    *("#882255", "#44aa99", "#332288", "#999933"),
)
TRACK_COLORS = COLORS[:7]  # tracks take them in turn
FACE_COLOR = COLORS[0]  # where there is neither a track nor a classification
UNCERTAIN_COLOR = "#999999"
LABEL_COLORS: dict[str, Color] = {
    "angry": "#d55e00",
    "disgust": "#009e73",
    "fear": "#cc79a7",
    "happy": "#f0e442",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
    "neutral": "#dddddd",
    "woman": "#e69f00",
    "man": "#44aa99",
    "other": UNCERTAIN_COLOR,
}
BLACK, WHITE = "#000000", "#ffffff"


def color_of(label: str, labels: Iterable[str] = ()) -> Color:
    """Return the color of a label, the same in every picture, diagram and report.

    Args:
        label: A label of a classification.
        labels: All labels of that classification in their order, so that each gets a color of its
            own; without them, two labels that faceattr does not know may share one.
    """
    return _colors(tuple(labels)).get(label) or _color_alone(label)


def track_color(track_id: int) -> Color:
    """Return the color of a track; tracks are numbered from 1."""
    return TRACK_COLORS[(track_id - 1) % len(TRACK_COLORS)]


@lru_cache(maxsize=256)
def ink_on(color: Color) -> Color:
    """Return black or white, whichever is easier to read on a color; the contrast is ≥ 4.58."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, color))


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colors, from 1 to 21; text needs 4.5 (WCAG 2.2, 1.4.3)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(maxsize=256)
def to_bgr(color: Color) -> tuple[int, int, int]:
    """Return blue, green and red in [0, 255]."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return blue, green, red


@lru_cache(maxsize=256)
def _colors(labels: tuple[str, ...]) -> dict[str, Color]:
    known = {label: LABEL_COLORS[label] for label in labels if label in LABEL_COLORS}
    free = [color for color in COLORS if color not in known.values()] or COLORS
    others = [label for label in dict.fromkeys(labels) if label not in known]
    return known | {label: free[index % len(free)] for index, label in enumerate(others)}


def _color_alone(label: str) -> Color:
    return LABEL_COLORS.get(label) or COLORS[crc32(label.encode()) % len(COLORS)]


def _luminance(color: Color) -> float:
    """Return the relative luminance of WCAG 2.2, in [0, 1]."""
    blue, green, red = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in to_bgr(color))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
