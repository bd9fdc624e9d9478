"""How far the work is: one line on a terminal, now and then a line in a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from faceattr.cli.text import as_written, elide, encodable, pad, say_unless_quiet, width_of
from faceattr.cli.verbosity import is_quiet
from faceattr.images import printable

T = TypeVar("T")

BAR_WIDTH = 20  # columns
REDRAW = 0.1  # seconds between two states on a terminal
REPORT = 30.0  # seconds between two lines in a log


class ProgressBar:
    """Shows how far the work is, on standard error.

    On a terminal it is one line, which is overwritten and at the end removed. Elsewhere, where it
    counts something, it is a line every half minute.

    Args:
        description: What is shown at first.
        total: Number of things to do, if it is known.
        unit: What is counted, for the rate; None to show no rate, and nothing in a log.
        done: Number of things done by an earlier run.
        clock: Returns seconds.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        *,
        unit: str | None = None,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._unit = unit
        self._first = self._done = done
        self._text = description
        self._clock = clock
        self._begun = clock()
        self._shown = -REDRAW if self._is_drawn else self._begun  # when it was shown last
        self._drawn = 0  # columns of the line on the terminal

    def __call__(self, done: int, text: str) -> None:
        """Tell the number of things done so far, and what to show beside it."""
        self._done, self._text = done, text
        now = self._clock()
        if now - self._shown < (REDRAW if self._is_drawn else REPORT):
            return
        self._shown = now
        if self._is_drawn:
            self.draw()
        elif self._unit and self._total and done < self._total:
            say_unless_quiet(describe_progress(done, self._total, self._rate, unit=self._unit))

    def draw(self) -> None:
        """Show the line, where standard error is a terminal."""
        if not self._is_drawn:
            return
        columns = shutil.get_terminal_size().columns - 1  # the last one would break the line
        line = self._line(columns)
        self._write("\r" + pad(line, max(self._drawn, width_of(line))))
        self._drawn = width_of(line)

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Remove the line for as long as something is printed on the same terminal."""
        if not (self._drawn and sys.stdout is not None and sys.stdout.isatty()):
            yield
            return
        self.clear()
        yield
        self.draw()

    @property
    def _is_drawn(self) -> bool:
        stream = sys.stderr
        return stream is not None and stream.isatty() and self._total != 1 and not is_quiet()

    @property
    def _rate(self) -> float:
        """Things done per second; 0 if that is not known yet."""
        seconds = self._clock() - self._begun
        return (self._done - self._first) / seconds if seconds > 0 else 0.0

    def _line(self, columns: int) -> str:
        text = as_written(printable(self._text), sys.stderr)
        full, empty, mark = "━─…" if encodable("━─…", sys.stderr) else ("#", "-", "...")
        if not self._total:
            return elide(text, columns, mark)
        filled = min(self._done * BAR_WIDTH // self._total, BAR_WIDTH)
        bar = full * filled + empty * (BAR_WIDTH - filled)
        parts = [bar, f"{self._done}/{self._total}"]
        if self._unit and self._rate:
            parts.append(f"{self._rate:.1f} {self._unit}/s")
        if self._rate:
            parts.append(f"{in_minutes((self._total - self._done) / self._rate)} left")
        line = "  ".join(parts)
        rest = columns - width_of(line) - 2
        return f"{line}  {elide(text, rest, mark)}" if rest >= 8 else elide(line, columns, mark)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone
            self._drawn = 0


def describe_progress(done: int, total: int, rate: float, *, unit: str) -> str:
    """Return how far the work is, for a log.

    Args:
        done: Number of things done.
        total: Number of things to do.
        rate: Things done per second.
        unit: What is counted.
    """
    text = f"{done} of {total} {unit}"
    if not rate:
        return text
    return f"{text}, {rate:.1f} {unit}/s, {in_minutes((total - done) / rate)} left"


def in_minutes(seconds: float) -> str:
    """Return a time as ``0:07``, ``12:05`` or ``3:00:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def progress_bar(
    description: str, total: int | None, *, unit: str | None = None, done: int = 0
) -> Iterator[ProgressBar]:
    """Show how far the work is, as `ProgressBar` does, and remove the line at the end."""
    bar = ProgressBar(description, total, unit=unit, done=done)
    bar.draw()
    try:
        yield bar
    finally:
        bar.clear()


def with_progress(
    results: Iterable[T], count: int, description: str, *, unit: str = "pictures"
) -> Iterator[T]:
    """Yield the results, and show how many there are so far."""
    with progress_bar(description, count, unit=unit) as update:
        for num_done, result in enumerate(results, start=1):
            update(num_done, description)
            yield result
