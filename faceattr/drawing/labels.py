"""What is written beside a face, in fuller and shorter forms, and in which color."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from faceattr.images import printable
from faceattr.palette import (
    FACE_COLOR,
    UNCERTAIN_COLOR,
    WHITE,
    Color,
    color_of,
    ink_on,
    track_color,
)
from faceattr.types import Classification, Face

PLATE = "#202020"  # under what has no color of its own
MOST_LETTERS = 40  # of an attribute; longer ones are cut off
MOST_BARS = 7  # of a classification; those of the likeliest labels
FAINT = "#b4b4b4"  # for what matters less


class Bar(NamedTuple):
    """A share, in [0, 1], shown as a length."""

    share: float
    color: Color


class Word(NamedTuple):
    """Text on a plate of one color; a bar that belongs to it lies at the end of the line."""

    text: str
    ink: Color = WHITE
    plate: Color = PLATE
    bar: Bar | None = None


Label: TypeAlias = tuple[tuple[Word, ...], ...]
"""Lines of words."""


def face_color(face: Face) -> Color:
    """Return the color of its track, else of its first label, else of all faces."""
    if face.track_id is not None:
        return track_color(face.track_id)
    name = _first_label(face)
    return FACE_COLOR if name is None else _plate(face, name)


def forms_of(face: Face, *, bars: bool = False) -> list[Label]:
    """Return what to write beside a face: everything, its first line, or its first words.

    There are none if nothing is known about it.

    Args:
        face: The face.
        bars: Begin with a form that has bars for the scores of the first classification too.
    """
    number = () if face.track_id is None else (_number(f"#{face.track_id}", face),)
    names = list(face.attributes)
    if not names:
        return [(number,)] * (4 if bars else 3) if number else []
    first, *others = ((*_words(face, name),) for name in names)
    short = _word(face, names[0], _without_confidence(face, names[0]))
    full = ((*number, *first), *others)
    fullest = [(*full, *_bars(face))] if bars else []
    return [*fullest, full, ((*number, *first),), ((*number, short),)]


def _bars(face: Face) -> Label:
    """Return a line for each label of the first classification, in the labels' own order."""
    name = _first_label(face)
    if name is None:
        return ()
    classification = face.classification(name)
    scores, likeliest = classification.scores, dict(classification.top(MOST_BARS))
    return tuple(
        (Word(_shortened(label), bar=Bar(round(scores[label], 2), color_of(label, scores))),)
        for label in scores
        if label in likeliest
    )


def number_of(face: Face, index: int) -> Label:
    """Return the number that stands for a face: of its track, else among the faces of a picture."""
    return ((_number(f"{index}" if face.track_id is None else f"#{face.track_id}", face),),)


def legend_of(face: Face, index: int) -> Label:
    """Return the line about a face in the legend: its number and everything that is known."""
    known = (word for name in face.attributes for word in _words(face, name))
    return ((*number_of(face, index)[0], *known),)


def status_line(text: str) -> Label:
    """Return a line of text as a label."""
    return ((Word(printable(text)),),)


def _number(text: str, face: Face) -> Word:
    color = face_color(face)
    return Word(text, ink_on(color), color)


def _words(face: Face, name: str) -> Sequence[Word]:
    words = [_word(face, name, face.text(name))]
    if name in face.frozen:
        words.append(Word(f"{math.ceil(face.frozen[name])}s", FAINT))
    return words


def _word(face: Face, name: str, text: str) -> Word:
    if _first_label(face) != name:
        return Word(_shortened(text))
    plate = _plate(face, name)
    return Word(_shortened(text), ink_on(plate), plate)


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _without_confidence(face: Face, name: str) -> str:
    attribute = face.attributes[name]
    if isinstance(attribute, Classification) and name not in face.uncertain:
        return attribute.label
    return face.text(name)


def _first_label(face: Face) -> str | None:
    """Return the name of the first classification, which gives the face its color."""
    known = face.attributes.items()
    return next((name for name, one in known if isinstance(one, Classification)), None)


def _plate(face: Face, name: str) -> Color:
    attribute = face.attributes[name]
    if name in face.uncertain or not isinstance(attribute, Classification):
        return UNCERTAIN_COLOR
    return color_of(attribute.label, attribute.scores)
