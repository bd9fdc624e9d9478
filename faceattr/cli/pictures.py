"""`faceattr analyze` and `faceattr detect`: what is on pictures."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from faceattr.cli.flags import Without, flags_given, with_flags
from faceattr.cli.inputs import (
    StandardInput,
    expand_arguments,
    find_sources,
    to_image_source,
)
from faceattr.cli.progress import ProgressBar, progress_bar
from faceattr.cli.rendering import exit_with, show, standard_output
from faceattr.cli.signals import INTERRUPTED
from faceattr.cli.summary import Tally
from faceattr.cli.table import FaceTable, columns_of
from faceattr.cli.text import say_unless_quiet
from faceattr.errors import FaceattrError, ImageError, OptionError, SinkError
from faceattr.images import printable
from faceattr.options import DrawOptions, PipelineOptions, option
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
from faceattr.streaming.sources import VIDEOS

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
    save: Path | None = option(
        None, "Write annotated pictures here.", "output", metavar="DIR", short="-s"
    )
    boxes: bool = option(False, "Show the corners of the boxes in the table, in pixels.", "output")
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

    def open(
        self, outputs: Outputs, columns: Sequence[str], drawing: DrawOptions
    ) -> Iterator[ResultWriter]:
        """Yield the writers that were asked for.

        Args:
            outputs: The files of the run.
            columns: As in `Pipeline.columns`.
            drawing: What is drawn on annotated pictures.
        """
        if self.save:  # first, so that each row of a table has its picture
            yield PictureFolder(self.save, drawing=drawing, outputs=outputs)
        if self.form == "csv":
            yield CsvTable(self.output or standard_output(), columns=columns, outputs=outputs)
        elif self.form == "json":
            yield JsonList(self.output or standard_output(), outputs=outputs)
        elif self.form == "jsonl":
            yield JsonLines(self.output or standard_output(), columns=columns, outputs=outputs)


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Files, folders, globs or http(s) URLs; - for a picture on standard input; @FILE for "
        "a list, one of these per line.",
    ),
]


@with_flags
def analyze(
    paths: Paths, options: PipelineOptions, output: PictureOutput, drawing: DrawOptions
) -> None:
    """Find the faces of pictures and read their attributes.

    A picture that cannot be read is reported, the others go on, and the exit status is 1.

    Examples:
        faceattr analyze photo.jpg holiday/ 'more/*.png'
        faceattr analyze holiday/ -a emotion,age,gender --save annotated
        faceattr analyze archive/ -o faces.csv
        faceattr analyze archive/ -o faces.csv --resume
        faceattr analyze @list.txt --jsonl > faces.jsonl
        curl -s https://example.org/photo.jpg | faceattr analyze -
        faceattr analyze holiday/ -l good=happy+surprise,bad=sad+angry
    """
    _run(Pipeline.from_options(with_gallery(options)), paths, output, drawing)


@with_flags
def detect(
    paths: Paths,
    options: Annotated[
        PipelineOptions, Without({"actions", "labels", "min_confidence", "gallery"})
    ],
    output: Annotated[PictureOutput, Without({"boxes"})],
    drawing: Annotated[DrawOptions, Without({"labels", "label_size"})],
) -> None:
    """Find the faces of pictures, without reading anything off them.

    Examples:
        faceattr detect photo.jpg
        faceattr detect crowd.jpg --min-face 24 --tile-size 1000 --save annotated
        faceattr detect archive/ -o faces.csv
    """
    pipeline = Pipeline.from_options(replace(options, actions=()))
    _run(pipeline, paths, replace(output, boxes=True), drawing)


def _run(
    pipeline: Pipeline, paths: Sequence[str], output: PictureOutput, drawing: DrawOptions
) -> None:
    """Put pictures through the pipeline, and write each result as it comes."""
    if not output.save and (flags := flags_given(drawing)):
        raise OptionError(f"{flags}: there are no annotated pictures without --save DIR; add it")
    begun = time.monotonic()
    errors: list[FaceattrError] = []
    arguments = expand_arguments(paths)
    sources = find_sources(arguments, on_error=errors.append)
    if output.resume and any(isinstance(one, StandardInput) for one in sources):
        raise OptionError("--resume cannot tell what was on standard input; name files instead")
    if output.resume and output.save:
        sources = without_copies(sources, arguments, output.save)
    outputs = Outputs(
        inputs=[one for one in sources if not isinstance(one, StandardInput)],
        overwrite=output.overwrite,
        resume=output.resume,
        options=pipeline.settings | {"drawing": asdict(drawing)},
    )
    num_done, status, closing = 0, 1, None
    tally = Tally()
    try:
        with ExitStack() as stack:
            writers = output.open(outputs, pipeline.columns, drawing)
            files = [stack.enter_context(one) for one in writers]
            remaining = begin(files, sources)
            if output.resume:
                num_done = len(sources) - len(remaining)
                say_unless_quiet(f"{num_done} of {len(sources)} pictures are there already")
            bar = stack.enter_context(
                progress_bar("loading", len(sources), unit="pictures", done=num_done)
            )
            table = None if output.form else _Printer(pipeline, sources, output, bar)
            for result in _analyze(pipeline, remaining):
                errors += _write(result, files, tally)
                num_done += 1
                bar(num_done, os.path.basename(result.source))
                if table:
                    table.print(result)
            for file in files:
                file.finish()
        closing = tally.describe(time.monotonic() - begun, written=output.output)
    except KeyboardInterrupt:
        status = INTERRUPTED
        errors.append(FaceattrError(f"interrupted; {num_done} of {len(sources)} pictures are done"))
    except FaceattrError as error:
        done = f"; {num_done} of {len(sources)} pictures are done" if num_done else ""
        errors.append(FaceattrError(f"{error}{done}"))
    exit_with(errors, status=status, closing=closing if sources else None)


def _analyze(pipeline: Pipeline, sources: Sequence[str]) -> Iterator[ImageResult]:
    """Yield the results; the error of a video says which command takes it."""
    for result in pipeline.analyze_each([to_image_source(one) for one in sources]):
        if result.error is not None and _is_video(result.source):
            advice = f"faceattr video {shlex.quote(result.source)}"
            name = printable(result.source)
            yield replace(
                result, error=ImageError(f"{name}: a video, not a picture; use `{advice}`")
            )
        else:
            yield result


def _is_video(source: str) -> bool:
    return os.path.splitext(source)[1].lower() in VIDEOS and os.path.isfile(source)


def _write(
    result: ImageResult, files: Sequence[ResultWriter], tally: Tally
) -> Iterator[FaceattrError]:
    """Write and count a result; yield the errors that do not stop the others."""
    tally.add(result)
    if result.error is not None:
        yield result.error
    for file in files:
        try:
            copy = file.write(result)
        except SinkError as error:
            if not isinstance(file, PictureFolder):
                raise
            yield error  # a picture that cannot be saved costs no result
        else:
            if copy is not None:
                tally.add_copy(copy)


class _Printer:
    """Prints the table of faces, result by result, above the progress bar.

    Args:
        pipeline: Gives the results.
        sources: All pictures.
        output: Whether there are boxes.
        bar: Hidden while something is printed.
    """

    def __init__(
        self, pipeline: Pipeline, sources: Sequence[str], output: PictureOutput, bar: ProgressBar
    ) -> None:
        stream = standard_output()
        self._table = FaceTable(
            sources,
            pipeline.outputs,
            boxes=output.boxes,
            width=columns_of(stream),
            stream=stream,
        )
        self._bar = bar
        self._is_begun = False

    def print(self, result: ImageResult) -> None:
        """Print the rows of a result, below the header if they are the first.

        Raises:
            SinkError: They cannot be written.
        """
        lines = list(self._table.rows(result))
        if not lines:
            return
        if not self._is_begun:
            lines = [*self._table.header(), *lines]
            self._is_begun = True
        with self._bar.hidden():
            show("\n".join(lines))
