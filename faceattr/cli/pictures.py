"""`faceattr analyze` and `faceattr detect`: what is on pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from faceattr.cli.flags import Without, with_flags
from faceattr.cli.rendering import (
    FaceTable,
    exit_with,
    progress_bar,
    say,
    standard_output,
)
from faceattr.cli.signals import INTERRUPTED
from faceattr.errors import FaceattrError, OptionError, SinkError
from faceattr.images import find_images
from faceattr.options import PipelineOptions, option
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline
from faceattr.recognition.gallery import with_gallery
from faceattr.results import (
    CsvTable,
    ImageResult,
    JsonLines,
    JsonList,
    PictureFolder,
    ResultWriter,
    begin,
    without_copies,
)

FORMS = ("json", "jsonl", "csv")


@dataclass(frozen=True, slots=True)
class PictureOutput:
    """Where the results of pictures go: a table on the terminal, unless a form is named."""

    json: bool = option(False, "Print a JSON list.", "output")
    jsonl: bool = option(False, "Print one JSON object per line and picture.", "output")
    csv: bool = option(False, "Print a CSV table, one row per face.", "output")
    output: Path | None = option(
        None, "Write to this .json, .jsonl or .csv file instead.", "output", short="-o"
    )
    save: Path | None = option(None, "Write annotated pictures here.", "output", metavar="DIR")
    resume: bool = option(
        False,
        "Go on with the --output file and the --save folder of an interrupted run; its options "
        "must be the same.",
        "output",
    )
    overwrite: bool = option(False, "Replace files that exist; inputs never.", "output")

    def __post_init__(self) -> None:
        forms = [form for form in FORMS if getattr(self, form)]
        if len(forms) > 1:
            raise OptionError(f"--{' and --'.join(forms)} exclude each other; choose one")
        if self.output and not self.form:
            raise OptionError(f"{self.output}: in which form? Add --json, --jsonl or --csv")
        if self.resume and self.overwrite:
            raise OptionError("--resume and --overwrite exclude each other; choose one")
        if self.resume and not (self.output or self.save):
            raise OptionError("--resume goes on with a file or folder; add --output or --save")

    @property
    def form(self) -> str | None:
        """``"json"``, ``"jsonl"``, ``"csv"``, or None for a table on the terminal."""
        suffix = self.output.suffix[1:].lower() if self.output else None
        named = (form for form in FORMS if getattr(self, form))
        return next(named, suffix if suffix in FORMS else None)

    def open(self, outputs: Outputs, columns: Sequence[str]) -> Iterator[ResultWriter]:
        """Yield the writers that were asked for.

        Args:
            outputs: The files of the run.
            columns: As in `Pipeline.columns`.
        """
        if self.save:  # first, so that each row of a table has its picture
            yield PictureFolder(self.save, outputs=outputs)
        if self.form == "csv":
            yield CsvTable(self.output or standard_output(), columns=columns, outputs=outputs)
        elif self.form == "json":
            yield JsonList(self.output or standard_output(), outputs=outputs)
        elif self.form == "jsonl":
            yield JsonLines(self.output or standard_output(), columns=columns, outputs=outputs)


Paths = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs or http(s) URLs.")
]


@with_flags
def analyze(paths: Paths, options: PipelineOptions, output: PictureOutput) -> None:
    """Find the faces of pictures and read their attributes.

    A picture that cannot be read is reported, the others go on, and the exit status is 1.
    """
    _run(Pipeline.from_options(with_gallery(options)), paths, output)


@with_flags
def detect(
    paths: Paths,
    options: Annotated[
        PipelineOptions, Without({"actions", "labels", "min_confidence", "gallery"})
    ],
    output: PictureOutput,
) -> None:
    """Find the faces of pictures, without reading anything off them."""
    _run(Pipeline.from_options(replace(options, actions=())), paths, output)


def _run(pipeline: Pipeline, paths: Sequence[str], output: PictureOutput) -> None:
    """Put pictures through the pipeline, and write each result as it comes."""
    errors: list[FaceattrError] = []
    sources = find_images(paths, on_error=errors.append)
    if output.resume and output.save:
        sources = without_copies(sources, paths, output.save)
    outputs = Outputs(
        inputs=sources,
        overwrite=output.overwrite,
        resume=output.resume,
        options=pipeline.settings,
    )
    num_done, status = 0, 1
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(one) for one in output.open(outputs, pipeline.columns)]
            remaining = begin(files, sources)
            if output.resume:
                num_done = len(sources) - len(remaining)
                say(f"{num_done} of {len(sources)} pictures are there already")
            table = None if output.form else stack.enter_context(FaceTable())
            update = stack.enter_context(progress_bar("analyzing", len(sources)))
            for result in pipeline.analyze_each(remaining):
                errors += _write(result, files)
                if table:
                    table.add(result)
                num_done += 1
                update(num_done, "analyzing")
            for file in files:
                file.finish()
    except KeyboardInterrupt:
        status = INTERRUPTED
        errors.append(FaceattrError(f"interrupted; {num_done} of {len(sources)} pictures are done"))
    except FaceattrError as error:
        done = f"; {num_done} of {len(sources)} pictures are done" if num_done else ""
        errors.append(FaceattrError(f"{error}{done}"))
    exit_with(errors, status=status)


def _write(result: ImageResult, files: Sequence[ResultWriter]) -> Iterator[FaceattrError]:
    """Write a result; yield the errors that do not stop the others."""
    if result.error is not None:
        yield result.error
    for file in files:
        try:
            file.write(result)
        except SinkError as error:
            if not isinstance(file, PictureFolder):
                raise
            yield error  # a picture that cannot be saved costs no result
