"""Text on a terminal: messages, and what fits into how many columns."""

from __future__ import annotations

import sys
import unicodedata
from contextlib import suppress
from typing import TextIO

from faceattr.cli.verbosity import is_quiet
from faceattr.images import printable


def say(message: str) -> None:
    """Print a message on standard error, in one line, if there is anyone to read it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"faceattr: {printable(message)}", file=sys.stderr, flush=True)


def say_unless_quiet(message: str) -> None:
    """Print a message that is no error, unless the user wants none."""
    if not is_quiet():
        say(message)


def counted(number: int, noun: str) -> str:
    """Return ``1 face`` or ``2 faces``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def width_of(text: str) -> int:
    """Return the columns that a text takes: two for each wide character, as of Chinese."""
    if text.isascii():
        return len(text)
    return sum(_width_of_letter(letter) for letter in text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return the text with spaces after it, or to the right of as many, up to a width."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces


def elide(text: str, width: int, mark: str = "…") -> str:
    """Return the text, its middle left out if it is wider than so many columns."""
    if width_of(text) <= width:
        return text
    rest = max(width - width_of(mark), 0)
    begin = _cut(text, rest - rest // 2)
    end = _cut(text[::-1], rest - width_of(begin))[::-1]
    return begin + mark + end


def encodable(text: str, stream: TextIO | None) -> bool:
    """Return whether a stream can write the text in its encoding."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def as_written(text: str, stream: TextIO | None) -> str:
    """Return the text as a stream writes it, escapes in place of what its encoding lacks."""
    if encodable(text, stream):
        return text
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _cut(text: str, width: int) -> str:
    """Return the first letters that fit."""
    taken = 0
    for index, letter in enumerate(text):
        taken += _width_of_letter(letter)
        if taken > width:
            return text[:index]
    return text


def _width_of_letter(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
