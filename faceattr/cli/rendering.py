"""What the command shows: text in any locale, tables, messages.

Rich is imported by the functions that need it, as it takes a moment.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

import typer

from faceattr.cli.progress import progress_bar as progress_bar
from faceattr.cli.progress import with_progress as with_progress
from faceattr.cli.text import say as say
from faceattr.cli.text import say_unless_quiet
from faceattr.errors import FaceattrError, SinkError
from faceattr.images import printable
from faceattr.streaming.statistics import TrackTable

if TYPE_CHECKING:
    from faceattr.evaluation.tables import Table as Figures

UNLIMITED = 10_000  # columns, of what is no terminal


def prepare_streams() -> None:
    """Let standard output and standard error take any text, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def standard_output() -> TextIO:
    """Return standard output.

    Raises:
        SinkError: It is closed.
    """
    if sys.stdout is None:
        raise SinkError("standard output: cannot be written: it is closed")
    return sys.stdout


def show(text: str) -> None:
    """Print text on standard output.

    Raises:
        SinkError: It cannot be written.
    """
    with _writing() as stream:
        print(text, file=stream)


@contextmanager
def _writing() -> Iterator[TextIO]:
    """Yield standard output, and flush it; a failure is a `SinkError`."""
    stream = standard_output()
    try:
        yield stream
        stream.flush()
    except OSError as error:
        with suppress(OSError):  # Python would try again at its end, and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SinkError(f"standard output: cannot be written: {error.strerror or error}") from error


def finish_output(status: int) -> int:
    """Flush standard output, and return the exit status: 1 in the place of 0 if that fails."""
    try:
        if sys.stdout is not None:
            with _writing():
                pass
    except SinkError as error:
        if not status:
            say(str(error))
        return status or 1
    return status


def print_table(
    header: Sequence[str] | None,
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    numbers: bool = False,
) -> None:
    """Print a table of text, which is shown and never obeyed: no markup, no escapes.

    Args:
        header: Titles of the columns; None for a table without lines.
        rows: Cells.
        title: Of the table.
        numbers: Whether all columns but the first are aligned to the right.

    Raises:
        SinkError: It cannot be written.
    """
    from rich.box import HEAVY_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=header is not None, box=HEAVY_HEAD if header else None)
    for index, name in enumerate(header or ()):
        table.add_column(Text(printable(name)), justify="right" if numbers and index else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    with _writing() as stream:
        limited = stream.isatty() or "COLUMNS" in os.environ
        console = Console(file=stream, width=None if limited else UNLIMITED)
        if title is not None:
            console.print(Text(printable(title)))
        console.print(table)


def print_tracks(tracks: TrackTable) -> None:
    """Print one row per track: when it was seen, and what it showed for how much of the time.

    What was seen in a single frame is shown as on a picture.
    """
    summaries = tracks.summaries
    names = dict.fromkeys(name for track in summaries.values() for name in track)
    rows = []
    for track_id, (first, last, num_frames) in tracks.presence.items():
        summary, face = summaries[track_id], tracks.last_faces[track_id]
        texts = {name: face.text(name) for name in summary} if num_frames == 1 else summary
        cells = [str(texts.get(name, "")) for name in names]
        rows.append([f"#{track_id}", f"{first:.1f}–{last:.1f} s", str(num_frames), *cells])
    if rows:
        is_summed_up = any(one.num_frames > 1 for one in tracks.presence.values())
        title = "shares of the time; medians ± spread" if is_summed_up else None
        print_table(["face", "seen", "frames", *names], rows, title=title)


def print_figures(figures: Figures) -> None:
    """Print a table of an evaluation."""
    print_table(figures.header, figures.rows, title=figures.title, numbers=True)


def exit_with(
    errors: Sequence[FaceattrError], *, status: int = 1, closing: str | None = None
) -> None:
    """Print the errors and then a closing message; exit with a status, if there are errors."""
    for error in errors:
        say(str(error))
    if closing is not None:
        say_unless_quiet(closing)
    if errors:
        raise typer.Exit(status)
