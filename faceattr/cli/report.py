"""`faceattr report`: a page that shows what was read off the faces of pictures or of a video."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from faceattr.batch.reading import Parts, holds_parts
from faceattr.cli.flags import with_flags
from faceattr.cli.inputs import StandardInput, expand_arguments, find_sources, to_image_source
from faceattr.cli.progress import progress_bar
from faceattr.cli.rendering import exit_with
from faceattr.cli.signals import INTERRUPTED
from faceattr.cli.summary import Tally
from faceattr.cli.text import counted
from faceattr.errors import FaceattrError, ImageError, OptionError
from faceattr.images import load_image
from faceattr.options import PipelineOptions, ReportOptions, StreamOptions, option
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline
from faceattr.reporting.pictures import MOST_THUMBNAILS, PictureReport
from faceattr.streaming.sources import VIDEOS, open_source


@dataclass(frozen=True, slots=True)
class ReportOutput:
    """Where the report goes."""

    to: Path = option(
        Path("report.html"),
        "The page to write.",
        "output",
        shown_default="report.html",
        short="-o",
    )
    thumbnails: int = option(
        MOST_THUMBNAILS,
        "Show at most this many faces of pictures; 0 for a page without faces.",
        "output",
    )
    overwrite: bool = option(False, "Replace the page if it exists; inputs never.", "output")


@with_flags
def report(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders, globs or http(s) URLs of pictures; - for standard input; @FILE "
            "for a list, one of these per line. Or one video; or a folder of `faceattr batch`.",
        ),
    ],
    options: ReportOptions,
    output: ReportOutput,
) -> None:
    """Write a page on the faces of pictures or of a video: counts, charts, faces, a table.

    The page is one HTML file that loads nothing from the network. After Ctrl-C it shows what was
    done until then, and says so.

    Examples:
        faceattr report holiday/
        faceattr report holiday/ --to holiday.html --actions emotion
        faceattr report @list.txt --to numbers.html --thumbnails 0
        faceattr report party.mp4 --to party.html
    """
    arguments = expand_arguments(paths)
    if len(arguments) == 1 and holds_parts(arguments[0]):
        _report_parts(arguments[0], output)
        return
    videos = [one for one in arguments if Path(one).suffix.lower() in VIDEOS]
    if not videos:
        _report_pictures(arguments, options, output)
    elif len(arguments) == 1:
        _report_video(videos[0], options, output)
    else:
        raise OptionError(
            f"{videos[0]}: is a video, and a report is on pictures or on one video; run the "
            "command for the video alone"
        )


def _report_pictures(
    arguments: Sequence[str], options: PipelineOptions, output: ReportOutput
) -> None:
    begun = time.monotonic()
    errors: list[FaceattrError] = []
    sources = find_sources(arguments, on_error=errors.append)
    paths = [one for one in sources if not isinstance(one, StandardInput)]
    pipeline = Pipeline.from_options(options)
    page = PictureReport(
        output.to,
        pipeline.outputs,
        settings=pipeline.settings,
        thumbnails=output.thumbnails,
        total=len(sources),
        outputs=Outputs(inputs=paths, overwrite=output.overwrite),
    )
    status, tally = 1, Tally()
    try:
        with page, progress_bar("loading", len(sources), unit="pictures") as update:
            results = pipeline.analyze_each([to_image_source(one) for one in sources])
            for source, result in zip(sources, results, strict=True):
                page.add(result, source)
                tally.add(result)
                errors += [result.error] if result.error else []
                update(tally.pictures, os.path.basename(source))
    except KeyboardInterrupt:
        status = INTERRUPTED
        done = f"{tally.pictures} of {len(sources)} pictures are done"
        errors.append(FaceattrError(f"interrupted; {done}"))
    said = tally.describe(time.monotonic() - begun, written=output.to)
    exit_with(errors, status=status, closing=said if tally.pictures else None)


def _report_parts(folder: str, output: ReportOutput) -> None:
    """Write the page from what `faceattr batch` has read; pictures are opened for thumbnails."""
    begun = time.monotonic()
    parts = Parts(folder)
    tally = Tally()
    with PictureReport(
        output.to,
        parts.outputs,
        settings=parts.settings,
        thumbnails=output.thumbnails,
        outputs=Outputs(overwrite=output.overwrite),
    ) as page:
        for result in parts:
            if result.faces and page.num_faces < output.thumbnails:
                with suppress(ImageError):  # it is there no more, or a frame of a video
                    result = replace(result, image=load_image(result.source))
            page.add(result)
            tally.add(result)
    exit_with([], closing=tally.describe(time.monotonic() - begun, written=output.to))


def _report_video(path: str, options: PipelineOptions, output: ReportOutput) -> None:
    from faceattr.reporting.video import VideoReport
    from faceattr.streaming.analysis import LiveAnalysis, play  # SciPy takes a moment

    begun = time.monotonic()
    given = {one.name: getattr(options, one.name) for one in fields(options)}
    live = LiveAnalysis.from_options(StreamOptions(**given))
    source = open_source(path)
    page = VideoReport(
        output.to,
        video=path,
        settings=Pipeline.from_options(options).settings,
        thumbnails=output.thumbnails > 0,
        outputs=Outputs(inputs=source.paths, overwrite=output.overwrite),
    )
    errors: list[FaceattrError] = []
    status = 1
    try:
        with (
            closing(play(live, source, [page])) as results,
            progress_bar("loading", source.num_frames, unit="frames") as update,
        ):
            for frame, _ in results:
                update(frame.index + 1, f"{counted(live.num_tracks, 'face')} so far")
    except KeyboardInterrupt:
        status = INTERRUPTED
        errors.append(FaceattrError(f"interrupted after {live.num_frames} frames"))
    except FaceattrError as error:
        if not page.num_frames:
            raise
        errors.append(FaceattrError(f"{error}; {live.num_frames} frames are done"))
    counts = f"{counted(page.num_frames, 'frame')}, {counted(len(page.tracks), 'face')}"
    said = f"{counts}, {time.monotonic() - begun:.1f} s; wrote {output.to}"
    exit_with(errors, status=status, closing=said if page.num_frames else None)
