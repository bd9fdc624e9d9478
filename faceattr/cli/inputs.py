"""The pictures that arguments name: paths, ``-`` for standard input, ``@FILE`` for a list."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO

from faceattr.errors import ImageError, OptionError
from faceattr.images import find_images, printable

STANDARD_INPUT = "-"
LIST_PREFIX = "@"
COMMENT = "#"


class StandardInput(str):
    """The name under which the picture on standard input is reported."""

    __slots__ = ()


class _Reader:
    """Reads standard input when the picture is loaded, not before; a file with a name.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, size: int) -> bytes:
        return _standard_input().read(size)


def expand_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with lists replaced by their lines, and ``-`` by `StandardInput`.

    ``@FILE`` stands for the lines of a file, ``@-`` for those of standard input: a path, folder,
    glob or URL each, relative to the current folder. Empty lines and those that begin with ``#``
    are skipped. A file whose name begins with ``@`` is itself, if it is there.

    Raises:
        OptionError: Standard input is named twice or is not there, or a list cannot be read.
    """
    _check_standard_input(arguments)
    expanded: list[str] = []
    for argument in arguments:
        if argument == STANDARD_INPUT:
            expanded.append(StandardInput("stdin"))
        elif argument.startswith(LIST_PREFIX) and not os.path.exists(argument):
            expanded += _read_list(argument)
        else:
            expanded.append(argument)
    return expanded


def find_sources(arguments: Sequence[str], *, on_error: Callable[[ImageError], None]) -> list[str]:
    """Return the pictures that expanded arguments name, in their order.

    Args:
        arguments: As `expand_arguments` returns them.
        on_error: As in `find_images`.
    """
    found: list[str] = []
    for one in arguments:
        is_path = not isinstance(one, StandardInput)
        found += find_images([one], on_error=on_error) if is_path else [one]
    return found


def to_image_source(source: str) -> str | BinaryIO:
    """Return what `load_image` reads the picture from."""
    return _Reader(source) if isinstance(source, StandardInput) else source  # type: ignore[return-value]


def _check_standard_input(paths: Sequence[str]) -> None:
    named = [path for path in paths if path in (STANDARD_INPUT, LIST_PREFIX + STANDARD_INPUT)]
    if len(named) > 1:
        raise OptionError(f"{' '.join(named)}: standard input can be read only once; name it once")
    if named and (sys.stdin is None or sys.stdin.closed):
        raise OptionError(f"{named[0]}: standard input is closed")
    if named == [STANDARD_INPUT] and sys.stdin.isatty():
        raise OptionError("-: standard input is the terminal; put a picture there: … - < photo.jpg")


def _read_list(argument: str) -> list[str]:
    """Return the lines of the list that an argument names."""
    name = argument.removeprefix(LIST_PREFIX)
    try:
        if name == STANDARD_INPUT:
            data = _standard_input().read()
        else:
            with open(name, "rb") as file:
                data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(
            f"{printable(argument)}: the list cannot be read: {reason}; name a file with one path "
            "or URL per line"
        ) from error
    if b"\0" in data:
        raise OptionError(
            f"{printable(argument)}: not a list, which is text with one path or URL per line"
        )
    text = data.removeprefix(codecs.BOM_UTF8).decode(sys.getfilesystemencoding(), "surrogateescape")
    lines = text.split("\n")  # a name may hold the other characters of splitlines()
    named = [line.removesuffix("\r") for line in lines]
    paths = [line for line in named if line.strip() and not line.startswith(COMMENT)]
    if not paths:
        raise OptionError(f"{printable(argument)}: the list names no pictures")
    return paths


def _standard_input() -> BinaryIO:
    return sys.stdin.buffer
