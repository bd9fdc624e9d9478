"""What the command shows: text in any locale, tables, a progress bar, messages.

Rich is imported by the functions that need it, as it takes a moment.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

import typer

from faceattr.errors import FaceattrError, SinkError
from faceattr.images import printable
from faceattr.results import ImageResult
from faceattr.streaming.statistics import TrackTable

if TYPE_CHECKING:
    from faceattr.evaluation.tables import Table as Figures

T = TypeVar("T")


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


def say(message: str) -> None:
    """Print a message on standard error, in one line, if there is anyone to read it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"faceattr: {printable(message)}", file=sys.stderr, flush=True)


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
        console = Console(file=stream)
        if title is not None:
            console.print(Text(printable(title)))
        console.print(table)


class FaceTable:
    """Collects faces, and prints one row per face at the end of a ``with``, also after an error."""

    def __init__(self) -> None:
        self._results: list[ImageResult] = []

    def add(self, result: ImageResult) -> None:
        """Add the faces of an image, if it could be read."""
        if result.error is None:
            self._results.append(replace(result, image=None))  # many would fill the memory

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(self, *_: object) -> None:
        names = dict.fromkeys(
            name for result in self._results for face in result.faces for name in face.attributes
        )
        rows = []
        for result in self._results:
            picture = Path(result.source).name
            for index, face in enumerate(result.faces):
                box = ", ".join(f"{value:.0f}" for value in face.bbox)
                attributes = [face.text(name) for name in names]
                rows.append([picture, str(index), box, f"{face.confidence:.0%}", *attributes])
            if not result.faces:
                rows.append([picture, "nobody"])
        if rows:
            print_table(["picture", "face", "x1, y1, x2, y2", "confidence", *names], rows)


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


def with_progress(results: Iterable[T], count: int, description: str) -> Iterator[T]:
    """Yield the results, with a bar on a terminal."""
    with progress_bar(description, count) as update:
        for num_done, result in enumerate(results, start=1):
            update(num_done, description)
            yield result


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """Show how far the work is, if standard error is a terminal.

    Args:
        description: What is shown at first.
        total: Number of pictures or frames, if it is known.

    Yields:
        A function that takes the number of them so far, and what to show.
    """
    if sys.stderr is None or not sys.stderr.isatty() or total == 1:
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
    if total:
        left = TextColumn("left")
        columns += [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True), left]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done, text: progress.update(task, completed=done, description=printable(text))


def exit_with(errors: Sequence[FaceattrError], *, status: int = 1) -> None:
    """Print the errors and exit with a status, if there are any."""
    for error in errors:
        say(str(error))
    if errors:
        raise typer.Exit(status)
