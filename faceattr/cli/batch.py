"""`faceattr batch`: any number of pictures, on one machine or many."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from faceattr.cli.flags import Without, with_flags
from faceattr.cli.progress import REPORT, ProgressBar, in_minutes, progress_bar
from faceattr.cli.rendering import exit_with
from faceattr.cli.signals import INTERRUPTED
from faceattr.cli.text import counted, say, say_unless_quiet
from faceattr.errors import FaceattrError
from faceattr.options import PipelineOptions, option

if TYPE_CHECKING:
    from faceattr.batch import Counts, Progress


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Who does the work, and in which pieces."""

    engine: str = option(
        "local", "Who does the work: processes, or Ray.", "basic", metavar="local|ray"
    )
    address: str | None = option(
        None,
        "Address of the Ray cluster.",
        "basic",
        metavar="HOST:PORT",
        shown_default="RAY_ADDRESS, or this machine",
    )
    workers: int | None = option(
        None, "Processes, or Ray actors.", "basic", shown_default="one a core"
    )
    chunk: str | None = option(
        None,
        "Do only this share of the chunks, 3/8 for the third of eight; for arrays of jobs.",
        "basic",
        metavar="I/N",
        shown_default="all",
    )
    chunk_size: int = option(256, "Pictures in a chunk and part.", "advanced")


@with_flags
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, folders, globs, tar files, videos; lists of these, as text (.txt, "
            "@FILE) or Parquet. Paths, or URIs such as s3://bucket/folder.",
        ),
    ],
    options: Annotated[PipelineOptions, Without({"engine"})],
    how: BatchOptions,
    to: Annotated[str, typer.Option(metavar="DIR", help="Folder of the parts, a path or URI.")],
) -> None:
    """Write what is on many pictures to a folder of Parquet files, one part per chunk.

    Run it again to go on after an interruption: what is there is not done again. The exit status
    is 0 if all parts are there; pictures that cannot be read are rows with an error.

    Examples:
        faceattr batch archive/ --to faces
        faceattr batch s3://bucket/in --to s3://bucket/out --engine ray
        faceattr batch list.parquet --to faces -a emotion,age --workers 8
        faceattr batch 'shards/*.tar' --to faces --chunk 3/8
    """
    from faceattr.batch import run

    try:
        with progress_bar("starting", None) as bar:
            summary = run(
                inputs,
                to,
                options,
                engine=how.engine,
                address=how.address,
                workers=how.workers,
                chunk=how.chunk,
                chunk_size=how.chunk_size,
                on_progress=_to_teller(bar),
            )
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    parts = f"{counted(summary.chunks, 'part')} in {to}, {summary.new:,} of them new"
    exit_with(
        [FaceattrError(one) for one in summary.errors],
        closing=f"{_describe(summary.counts)}, {summary.seconds:.1f} s; {parts}",
    )


def _to_teller(bar: ProgressBar) -> Callable[[Progress], None]:
    """Return what shows how far the run is: on the terminal, and now and then in a log."""
    told = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal told
        left = progress.seconds_left
        of_all = f" of {progress.total:,}" if progress.total is not None else ""
        text = (
            f"{progress.chunks:,}{of_all} chunks; {_describe(progress.counts)}, "
            f"{progress.rate:.1f} pictures/s"
        )
        text += f", {in_minutes(left)} left" if left is not None else ""
        bar(progress.chunks, text)
        is_due = time.monotonic() - told >= REPORT and progress.chunks != progress.total
        if is_due and not sys.stderr.isatty():
            told = time.monotonic()
            say_unless_quiet(text)

    return tell


def _describe(counts: Counts) -> str:
    parts = [counted(counts.pictures, "picture"), counted(counts.faces, "face")]
    parts += [f"{counts.empty:,} without a face"] if counts.empty else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    return ", ".join(parts)
