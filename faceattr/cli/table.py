"""The table of faces on a terminal or in a pipe, whose rows are printed as results come."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

from faceattr.cli.text import as_written, elide, encodable, pad, width_of
from faceattr.forms import Labels, Output, Unit, Vector
from faceattr.images import printable
from faceattr.results import ImageResult
from faceattr.types import UNCERTAIN, Classification, Face

GAP = "  "  # between columns
MIN_NAME = 12  # columns of a terminal for a picture's name, however narrow it is
NOBODY = "nobody"
PERCENT = 5  # columns of " 100%"
NUMBER = 3  # columns of an estimate, usually
NAME = 12  # columns of the name of a person, usually


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        title: First line.
        width: Columns of a terminal; a wider cell moves what follows it.
        right: Whether cells end below each other rather than begin.
    """

    title: str
    width: int
    right: bool = True

    def lay_out(self, cell: str) -> str:
        """Return the cell in the width of the column."""
        return pad(cell, self.width, right=self.right)


class FaceTable:
    """Lays out one row per face; the picture's name is on the first row of a picture.

    Args:
        sources: Paths or URLs of the pictures that will come. A name without its folder stands
            for them, if it is not that of two.
        forms: Form of each attribute, as in `Pipeline.outputs`.
        boxes: Whether there are columns for the corners of the boxes, in pixels.
        width: Columns of the terminal, into which the table fits by shortening names; None to
            shorten nothing.
        stream: Where the table will be printed, whose encoding it keeps to.
    """

    def __init__(
        self,
        sources: Sequence[str],
        forms: Mapping[str, Output],
        *,
        boxes: bool = False,
        width: int | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._stream = stream
        self._boxes = boxes
        self._forms = forms
        distinct = dict.fromkeys(sources)
        self._frequent = {
            name for name, count in Counter(map(_base_name, distinct)).items() if count > 1
        }
        self._columns = [
            Column("face", 4),
            *(Column(name, 5) for name in ("x1", "y1", "x2", "y2") if boxes),
            Column("detected", 8),
            *(_column_of(name, form) for name, form in forms.items()),
        ]
        names = [width_of(self._name(source)) for source in distinct]
        longest = max([len("picture"), *names])
        if width is not None:
            taken = sum(column.width + len(GAP) for column in self._columns)
            longest = min(longest, max(width - taken, MIN_NAME))
        self._first = Column("picture", longest, right=False)

    def header(self) -> Iterator[str]:
        """Yield the first lines."""
        columns = [self._first, *self._columns]
        titles = GAP.join(column.lay_out(column.title) for column in columns)
        yield titles.rstrip()
        yield ("─" if encodable("─", self._stream) else "-") * width_of(titles)

    def rows(self, result: ImageResult) -> Iterator[str]:
        """Yield a line per face, or one that says that there is none; none after an error."""
        if result.error is not None:
            return
        mark = "…" if encodable("…", self._stream) else "..."
        name = self._first.lay_out(elide(self._name(result.source), self._first.width, mark))
        if not result.faces:
            yield f"{name}{GAP}{NOBODY}"
        for index, face in enumerate(result.faces):
            cells = [str(index), *self._cells(face)]
            laid_out = [one.lay_out(cell) for one, cell in zip(self._columns, cells, strict=True)]
            yield GAP.join([name, *laid_out]).rstrip()
            name = " " * self._first.width

    def _cells(self, face: Face) -> Iterator[str]:
        if self._boxes:
            yield from (f"{value:.0f}" for value in face.bbox)
        yield f"{face.confidence:.0%}"
        for name, form in self._forms.items():
            yield as_written(printable(_cell_of(face, name, form)), self._stream)

    def _name(self, source: str) -> str:
        name = _base_name(source)
        name = source if name in self._frequent else name
        return as_written(printable(name), self._stream)


def columns_of(stream: TextIO) -> int | None:
    """Return the columns into which a table fits; None if it may be as wide as it likes."""
    if stream.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _base_name(source: str) -> str:
    return os.path.basename(source.rstrip("/")) or source


def _column_of(name: str, form: Output) -> Column:
    """Return a column into which the values of an attribute fit, as far as that is known."""
    title = printable(name)
    if isinstance(form, Labels):
        width = max(max(map(width_of, form.names)) + PERCENT, len(UNCERTAIN))
    elif isinstance(form, Unit):
        width = NUMBER + 1 + width_of(form.name)
    elif isinstance(form, Vector):
        width = len(f"{form.size} numbers")
    else:
        width = NAME + PERCENT
    return Column(title, max(width, width_of(title)), right=isinstance(form, Unit | Vector))


def _cell_of(face: Face, name: str, form: Output) -> str:
    attribute = face.attributes.get(name)
    if attribute is None:
        return ""
    if not isinstance(attribute, Classification) or name in face.uncertain:
        return face.text(name)
    width = max(map(width_of, form.names)) if isinstance(form, Labels) else 0
    return f"{pad(attribute.label, width)}{attribute.confidence:>{PERCENT}.0%}"
