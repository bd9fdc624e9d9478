"""`faceattr report`: a page that shows what was read off the faces of pictures or of a video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from faceattr.cli.flags import with_flags
from faceattr.cli.rendering import exit_with, progress_bar, say
from faceattr.cli.signals import INTERRUPTED
from faceattr.errors import FaceattrError, OptionError
from faceattr.images import find_images, printable
from faceattr.options import PipelineOptions, ReportOptions, StreamOptions, option
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline
from faceattr.reporting.page import plural
from faceattr.reporting.pictures import MOST_THUMBNAILS, PictureReport
from faceattr.streaming.sources import VIDEOS, open_source


@dataclass(frozen=True, slots=True)
class ReportOutput:
    """Where the report goes."""

    to: Path = option(Path("report.html"), "The page to write.", "output")
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
            metavar="PATH...", help="Pictures, folders, globs or http(s) URLs; or one video."
        ),
    ],
    options: ReportOptions,
    output: ReportOutput,
) -> None:
    """Write a page on the faces of pictures, or of a video: counts, distributions, faces, a table.

    The page is one HTML file that loads nothing from the network. After Ctrl-C it shows what was
    done until then, and says so.
    """
    videos = [path for path in paths if Path(path).suffix.lower() in VIDEOS]
    if not videos:
        _report_pictures(paths, options, output)
    elif len(paths) == 1:
        _report_video(videos[0], options, output)
    else:
        raise OptionError(
            f"{videos[0]}: is a video, and a report is on pictures or on one video; run the "
            "command for the video alone"
        )


def _report_pictures(paths: Sequence[str], options: PipelineOptions, output: ReportOutput) -> None:
    errors: list[FaceattrError] = []
    sources = find_images(paths, on_error=errors.append)
    pipeline = Pipeline.from_options(options)
    status = 1
    page = PictureReport(
        output.to,
        pipeline.outputs,
        settings=pipeline.settings,
        thumbnails=output.thumbnails,
        total=len(sources),
        outputs=Outputs(inputs=sources, overwrite=output.overwrite),
    )
    try:
        with page, progress_bar("analyzing", len(sources)) as update:
            for source, result in zip(sources, pipeline.analyze_each(sources), strict=True):
                page.add(result, source)
                errors += [result.error] if result.error else []
                update(page.num_pictures, "analyzing")
    except KeyboardInterrupt:
        status = INTERRUPTED
        done = f"{page.num_pictures} of {len(sources)} pictures are done"
        errors.append(FaceattrError(f"interrupted; {done}"))
    if page.num_pictures:
        counts = [plural(page.num_pictures, "picture"), plural(page.num_faces, "face")]
        counts += [f"{page.num_empty:,} without a face"] if page.num_empty else []
        say(f"{output.to}: {', '.join(counts)}; open it in a browser")
    exit_with(errors, status=status)


def _report_video(path: str, options: PipelineOptions, output: ReportOutput) -> None:
    from faceattr.reporting.video import VideoReport
    from faceattr.streaming.analysis import LiveAnalysis, play  # SciPy takes a moment

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
            progress_bar("loading", source.num_frames) as update,
        ):
            for frame, _ in results:
                update(frame.index + 1, printable(f"{plural(live.num_tracks, 'face')} so far"))
    except KeyboardInterrupt:
        status = INTERRUPTED
        errors.append(FaceattrError(f"interrupted after {live.num_frames} frames"))
    except FaceattrError as error:
        if not page.num_frames:
            raise
        errors.append(FaceattrError(f"{error}; {live.num_frames} frames are done"))
    if page.num_frames:
        counts = f"{plural(page.num_frames, 'frame')}, {plural(len(page.tracks), 'face')}"
        say(f"{output.to}: {counts}; open it in a browser")
    exit_with(errors, status=status)
