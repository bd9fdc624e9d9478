"""The command line: arguments to the library, results to the terminal."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import cv2
import typer

from faceattr.analyzers import analyzers
from faceattr.cli.description import weights_of
from faceattr.detectors import detectors
from faceattr.errors import FaceattrError, OptionError, UnknownNameError, WeightsError
from faceattr.images import find_images
from faceattr.pipeline import ImageResult, Pipeline
from faceattr.registry import Registry
from faceattr.streaming.sinks import (
    CsvSink,
    FrameRate,
    JsonLinesSink,
    ParquetSink,
    PictureFolder,
    Sink,
    TrackTable,
    VideoSink,
    WindowSink,
    to_json,
    write_csv,
)
from faceattr.streaming.sources import Source, open_source
from faceattr.weights import Weights, cache_folder, clear, fetch, find, import_file, verify

if TYPE_CHECKING:
    from faceattr.evaluation.evaluate import Evaluation
    from faceattr.evaluation.tables import Table as Figures
    from faceattr.streaming.analysis import LiveAnalysis

T = TypeVar("T")

Actions: TypeAlias = Annotated[
    str, typer.Option(help="Analyzers, with commas between; see `faceattr list`.")
]
DetectorName: TypeAlias = Annotated[str, typer.Option(help="What finds the faces.")]
EngineName: TypeAlias = Annotated[
    str | None, typer.Option(help="openvino or tensorflow.", show_default="openvino")
]
PrecisionName: TypeAlias = Annotated[
    str | None, typer.Option(help="auto or f32.", show_default="auto")
]
Labels: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Labels to keep, happy,sad,neutral, or groups, good=happy+surprise,bad=sad+fear.",
        show_default="all",
    ),
]
MinConfidence: TypeAlias = Annotated[
    float, typer.Option(help="Show no label that is less sure, 0 to 1.")
]
FreezeName: TypeAlias = Annotated[
    str,
    typer.Option(
        help="What stands still after a look of a heavy analyzer: what it said of the face, the "
        "frame, or nothing (off)."
    ),
]
FrameThreshold: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Frames in a row before a heavy analyzer looks at a face.")
]
TimeThreshold: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0, help="Seconds between two of its looks.", show_default="5"),
]
Refresh: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SECONDS", help="The same for one attribute: age=2; 0 for always."),
]
Smoothing: TypeAlias = Annotated[
    float, typer.Option(min=0, help="Seconds after which an answer counts half; 0 for none.")
]
DetectEvery: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Look for faces in every n-th frame only.")
]
MaxFrames: TypeAlias = Annotated[int | None, typer.Option(min=0, help="Stop after so many.")]
MaxFps: TypeAlias = Annotated[float | None, typer.Option(help="Leave out frames that are faster.")]
VideoPath: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write an annotated video.")
]
JsonLinesPath: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write one JSON object per frame.")
]
PerFace: TypeAlias = Annotated[
    bool, typer.Option("--per-face", help="Write one JSON object per face and frame instead.")
]
CsvPath: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a table, one row per face and frame.")
]
ParquetPath: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the same as a Parquet table.")
]

app = typer.Typer(
    help="Read attributes off faces in pictures and videos: emotion and others' plugins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


weights_app = typer.Typer(help="Bring, check and remove downloaded weights.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="As `faceattr list` has them.")
]


def main() -> None:
    """Run the command; a refusal is one line and exit status 1, not a traceback."""
    gc.freeze()  # what is imported stays, so looking for garbage in it only takes time
    logging.basicConfig(level=logging.INFO, format="faceattr: %(message)s")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors say it better
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # and FFmpeg's are not for users
    try:
        app()
    except FaceattrError as error:
        sys.exit(f"faceattr: {error}")


@app.command()
def analyze(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs or http(s) URLs.")],
    actions: Actions = "emotion",
    detector: DetectorName = "mtcnn",
    engine: EngineName = None,
    precision: PrecisionName = None,
    labels: Labels = None,
    min_confidence: MinConfidence = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated pictures here.")
    ] = None,
) -> None:
    """Find the faces of pictures and read their attributes.

    A picture that cannot be read is reported, the others go on, and the exit status is 1.
    """
    pipeline = Pipeline(
        _split(actions),
        detector=detector,
        engine=engine,
        precision=precision,
        labels=labels,
        min_confidence=min_confidence,
    )
    _run(pipeline, paths, as_json=as_json, as_csv=as_csv, save=save)


@app.command()
def detect(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs or http(s) URLs.")],
    detector: DetectorName = "mtcnn",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Smallest confidence of a face.")
    ] = None,
    min_face: Annotated[
        float | None,
        typer.Option(help="Smallest face in px, or below 1 as a share of the shorter side."),
    ] = None,
    max_faces: Annotated[int | None, typer.Option(help="Only the most confident ones.")] = None,
    tile_size: Annotated[
        int | None, typer.Option(help="Search large pictures in tiles of so many px.")
    ] = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated pictures here.")
    ] = None,
) -> None:
    """Find the faces of pictures, without reading anything off them."""
    finder = detectors.create(
        detector, threshold=threshold, min_face=min_face, max_faces=max_faces, tile_size=tile_size
    )
    pipeline = Pipeline([], detector=finder, engine=engine, precision=precision)
    _run(pipeline, paths, as_json=as_json, as_csv=as_csv, save=save)


@app.command()
def stream(
    source: Annotated[
        str, typer.Argument(help="Number of a camera, address of a stream, or a file.")
    ] = "0",
    actions: Actions = "emotion",
    detector: DetectorName = "mtcnn",
    freeze: FreezeName = "face",
    frame_threshold: FrameThreshold = 5,
    time_threshold: TimeThreshold = None,
    refresh: Refresh = None,
    smoothing: Smoothing = 0.5,
    detect_every: Annotated[
        str,
        typer.Option(
            metavar="N|auto",
            help="Look for faces in every n-th frame only; auto: in the background of a live "
            "source, as often as the budget allows.",
        ),
    ] = "1",
    budget: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, help="Share of a live source's time for work in the background."
        ),
    ] = 0.5,
    max_frames: MaxFrames = None,
    max_fps: MaxFps = None,
    display: Annotated[bool, typer.Option(help="Show a window.")] = True,
    record: VideoPath = None,
    jsonl: JsonLinesPath = None,
    per_face: PerFace = False,
    csv: CsvPath = None,
    parquet: ParquetPath = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
    labels: Labels = None,
    min_confidence: MinConfidence = 0.0,
) -> None:
    """Watch a camera or stream; in the window q quits, space pauses, s saves a picture."""
    from faceattr.streaming.analysis import (
        LiveAnalysis,  # SciPy takes a moment, for these commands only
    )

    live = LiveAnalysis(
        _split(actions),
        detector=detector,
        freeze=freeze,
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
        refresh=_parse_refresh(refresh),
        smoothing=smoothing,
        detect_every=_parse_every(detect_every),
        budget=budget,
        engine=engine,
        precision=precision,
        labels=labels,
        min_confidence=min_confidence,
    )
    frames = open_source(source)
    rate = FrameRate()
    sinks: list[Sink] = [WindowSink(status=lambda: _status(live, rate))] if display else []
    sinks += _open_sinks(frames, record, jsonl, csv, parquet, per_face=per_face)
    _follow(live, frames, sinks, rate, max_frames=max_frames, max_fps=max_fps)


@app.command()
def video(
    path: Annotated[str, typer.Argument(help="A video, or a folder or glob of pictures.")],
    actions: Actions = "emotion",
    detector: DetectorName = "mtcnn",
    freeze: FreezeName = "face",
    frame_threshold: FrameThreshold = 5,
    time_threshold: TimeThreshold = None,
    refresh: Refresh = None,
    smoothing: Smoothing = 0.5,
    detect_every: DetectEvery = 1,
    max_frames: MaxFrames = None,
    max_fps: MaxFps = None,
    save: VideoPath = None,
    jsonl: JsonLinesPath = None,
    per_face: PerFace = False,
    csv: CsvPath = None,
    parquet: ParquetPath = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw each track's attributes over time.")
    ] = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
    labels: Labels = None,
    min_confidence: MinConfidence = 0.0,
) -> None:
    """Follow the faces of a video and read their attributes; the table has one row per track."""
    from faceattr.streaming.analysis import LiveAnalysis
    from faceattr.streaming.sinks.timeline import TimelineSink

    live = LiveAnalysis(
        _split(actions),
        detector=detector,
        freeze=freeze,
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
        refresh=_parse_refresh(refresh),
        smoothing=smoothing,
        detect_every=detect_every,
        engine=engine,
        precision=precision,
        labels=labels,
        min_confidence=min_confidence,
    )
    frames = open_source(path)
    sinks = _open_sinks(frames, save, jsonl, csv, parquet, per_face=per_face)
    if plot:
        sinks.append(TimelineSink(plot))
    sinks.append(tracks := TrackTable())
    _follow(live, frames, sinks, FrameRate(), max_frames=max_frames, max_fps=max_fps)
    _print_tracks(tracks)


@app.command("eval")
def evaluate_analyzer(
    action: Annotated[str, typer.Argument(help="Analyzer; see `faceattr list`.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="A folder with a folder of pictures per label; a CSV file with the columns path "
            "and label; FER2013 as csv or npz; UTKFace as pictures or npz."
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="Part of the set: PublicTest.", show_default="all")
    ] = None,
    crops: Annotated[
        bool | None,
        typer.Option(
            "--crops/--pictures",
            help="Take the pictures as crops of faces, or find the faces first.",
            show_default="crops for npz and FER2013's csv",
        ),
    ] = None,
    detector: DetectorName = "mtcnn",
    engine: EngineName = None,
    precision: PrecisionName = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels or groups as for analyze.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write confusion matrices here, as PNG.")
    ] = None,
) -> None:
    """Measure an analyzer on labelled pictures: accuracy, errors, confusion, calibration."""
    from faceattr.evaluation.datasets import load_labelled_set
    from faceattr.evaluation.evaluate import evaluate
    from faceattr.evaluation.tables import tables_of

    if save:
        import faceattr.evaluation.plots  # noqa: F401  # fail before the work without Matplotlib
    pictures = PictureFolder(save) if save else None
    attribute = analyzers.get(action).attribute
    labelled = load_labelled_set(data, attribute=attribute, split=split)
    if crops is not None:
        labelled = replace(labelled, are_crops=crops)
    evaluation = evaluate(
        Pipeline([action], detector=detector, engine=engine, precision=precision, labels=labels),
        labelled,
        attribute=attribute,
        labels=labels,
        progress=lambda answers: _with_progress(answers, len(labelled), "measuring"),
    )
    if as_json:
        print(json.dumps({"analyzer": action, "split": split, **evaluation.to_dict()}, indent=2))
    else:
        for table in tables_of(evaluation):
            _print_figures(table)
    if pictures:
        _save_charts(evaluation, action, pictures)


@app.command("list")
def list_plugins() -> None:
    """Show the analyzers and detectors that --actions and --detector know."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    registry: Registry[Any]
    for title, registry in (("Analyzers", analyzers), ("Detectors", detectors)):
        table = Table("name", "what it does", "weights", "from", title=title, title_justify="left")
        for name, plugin in registry.working():
            table.add_row(name, *map(escape, _describe(plugin)), registry.origin(name))
        Console().print(table)


@app.command("info")
def show_info(
    name: Annotated[str, typer.Argument(help="Analyzer or detector; see `faceattr list`.")],
    engine: EngineName = None,
    precision: PrecisionName = None,
) -> None:
    """Show what an analyzer or detector is, where it comes from, and what it costs here."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from faceattr.cli.description import describe

    table = Table(show_header=False, box=None)
    for row in describe(name, engine=engine, precision=precision):
        table.add_row(*map(Text, row))
    Console().print(table)


def _run(
    pipeline: Pipeline, paths: Sequence[str], *, as_json: bool, as_csv: bool, save: Path | None
) -> None:
    """Let pictures through the pipeline and print what comes out."""
    if as_json and as_csv:
        raise OptionError("--json and --csv exclude each other; choose one")
    sources = find_images(paths)
    pictures = PictureFolder(save) if save else None
    results, errors = [], []
    for result in _with_progress(pipeline.analyze_each(sources), len(sources), "analyzing"):
        if result.error is not None:
            errors.append(result.error)
        elif pictures:
            try:
                pictures.write(result)
            except FaceattrError as error:
                errors.append(error)
        results.append(replace(result, image=None))  # the px of many pictures fill the memory
    if as_json:
        print(to_json(results))
    elif as_csv:
        write_csv(results, sys.stdout)
    else:
        _print_table(results)
    _exit_with(errors)


@weights_app.command("list")
def list_weights() -> None:
    """Show what can be downloaded, how large it is, under which terms, and what is here."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "file", "size", "here", "license")
    for name, weights in _downloads():
        copy = find(weights)
        here = "no" if copy is None else f"{copy.path}{' (trusted by you)' * copy.trusted}"
        size = f"{weights.num_bytes / 1e6:.3g} MB"
        table.add_row(name, weights.filename, size, here, weights.license)
    Console().print(table)


@weights_app.command("fetch")
def fetch_weights(names: Annotated[list[str], typer.Argument(metavar="NAME...")]) -> None:
    """Download weights, unless they are here already."""
    for _, weights in _chosen(names):
        print(fetch(weights))


@weights_app.command("verify")
def verify_weights(names: Names = None) -> None:
    """Read the weights that are here anew and compare their digests."""
    errors = []
    for name, weights in _chosen(names):
        if names or find(weights):
            try:
                copy = verify(weights)
            except WeightsError as error:
                errors.append(error)
            else:
                print(f"{name}: {copy.path} is intact{', trusted by you' * copy.trusted}")
    _exit_with(errors)


@weights_app.command("path")
def show_path(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print where the weights lie."""
    for _, weights in _chosen([name]):
        copy = find(weights)
        if copy is None:
            raise WeightsError(
                f"{weights} is not here; bring it with `faceattr weights fetch {name}`"
            )
        print(copy.path)


@weights_app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Whose weights; else by file name.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Take it although its digest is not the published one.")
    ] = False,
) -> None:
    """Keep a file that was brought by hand."""
    name, weights = _meant(file, name)
    copy = import_file(file, weights, trust=trust)
    print(f"{name}: {copy.path}{' (trusted by you)' * copy.trusted}")


@weights_app.command("clear")
def clear_weights(names: Names = None) -> None:
    """Remove downloaded weights, and what was converted of them."""
    for _, weights in _chosen(names):
        for path in clear(weights):
            print(f"removed {path}")
    shutil.rmtree(cache_folder() / "compiled", ignore_errors=True)  # made again when needed


def _downloads() -> list[tuple[str, Weights]]:
    """Return the weights of each plugin that downloads some, with the plugin's name."""
    downloads = []
    registry: Registry[Any]
    for registry in (analyzers, detectors):
        for name, plugin in registry.working():
            downloads += [(name, weights) for weights in weights_of(plugin)]
    return downloads


def _chosen(names: Sequence[str] | None) -> list[tuple[str, Weights]]:
    downloads = _downloads()
    known = dict(downloads)
    for name in names or ():
        if name not in known:
            raise UnknownNameError(
                f"{name!r} has no weights to download; those that have: {', '.join(known)}"
            )
    return [one for one in downloads if not names or one[0] in names]


def _meant(file: Path, name: str | None) -> tuple[str, Weights]:
    """Return whose weights a file holds, by the plugin's name if there is one, else by its own."""
    downloads = _chosen(None if name is None else [name])
    fitting = [one for one in downloads if one[1].filename == file.name]
    if name is not None and len(downloads) == 1:
        fitting = downloads
    if not fitting and name is None:
        raise OptionError(f"{file.name} is no published file name; say whose it is with --as")
    if not fitting:
        filenames = ", ".join(weights.filename for _, weights in downloads)
        raise OptionError(f"{name} has several files; name yours as one of them: {filenames}")
    return fitting[0]


def _exit_with(errors: Sequence[FaceattrError]) -> None:
    """Name the errors on stderr and exit with status 1, if there are any."""
    if errors:
        print(*(f"faceattr: {error}" for error in errors), sep="\n", file=sys.stderr)
        raise typer.Exit(1)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _parse_refresh(options: Sequence[str] | None) -> dict[str, float]:
    refresh = {}
    for option in options or ():
        name, _, seconds = option.partition("=")
        try:
            refresh[name] = float(seconds)
        except ValueError as error:
            raise OptionError(f"--refresh {option}: write it like age=2") from error
    return refresh


def _parse_every(option: str) -> int | str:
    return int(option) if option.isdecimal() else option


def _open_sinks(
    source: Source,
    video: Path | None,
    jsonl: Path | None,
    csv: Path | None,
    parquet: Path | None,
    *,
    per_face: bool,
) -> list[Sink]:
    sinks: list[Sink] = []
    if video:
        sinks.append(VideoSink(video, fps=source.fps or 25))
    if jsonl:
        sinks.append(JsonLinesSink(jsonl, per_face=per_face))
    if csv:
        sinks.append(CsvSink(csv))
    if parquet:
        sinks.append(ParquetSink(parquet))
    return sinks


def _follow(
    live: LiveAnalysis,
    source: Source,
    sinks: Sequence[Sink],
    rate: FrameRate,
    *,
    max_frames: int | None,
    max_fps: float | None,
) -> None:
    """Run to the end, a key or a signal, with a line that says how it goes."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from faceattr.streaming.analysis import play

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # close files then too
    columns = [TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()]
    progress = Progress(
        *(columns if source.num_frames else columns[:1]),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    results = play(live, source, [rate, *sinks], max_frames=max_frames, max_fps=max_fps)
    try:
        with closing(results), progress:
            task = progress.add_task("loading", total=max_frames or source.num_frames)
            for frame, _ in results:
                progress.update(task, completed=frame.index + 1, description=_status(live, rate))
    except KeyboardInterrupt:
        pass  # how one ends a stream
    looks = ", ".join(f"{name} {count}" for name, count in live.looks.items())
    print(
        f"frames: {live.num_frames} ({source.num_dropped} dropped); "
        f"faces: {live.num_tracks}; looks: {looks or 'none'}"
    )


def _status(live: LiveAnalysis, rate: FrameRate) -> str:
    return f"{rate.fps:.0f} fps   {live.status}"


def _with_progress(results: Iterable[T], count: int, description: str) -> Iterable[T]:
    if count < 2 or not sys.stderr.isatty():
        return results
    from rich.console import Console
    from rich.progress import track

    return track(
        results, total=count, description=description, console=Console(stderr=True), transient=True
    )


def _print_table(results: Sequence[ImageResult]) -> None:
    """Print one row per face: what it is, where it is, what was read off it."""
    from rich.console import Console
    from rich.table import Table

    readable = [result for result in results if result.error is None]
    names = dict.fromkeys(
        name for result in readable for face in result.faces for name in face.attributes
    )
    table = Table("picture", "face", "x1, y1, x2, y2", "sure", *names)
    for result in readable:
        for index, face in enumerate(result.faces):
            table.add_row(
                Path(result.source).name,
                str(index),
                ", ".join(f"{value:.0f}" for value in face.bbox),
                f"{face.confidence:.0%}",
                *(str(face.attributes[name]) for name in names),
            )
        if not result.faces:
            table.add_row(Path(result.source).name, "nobody")
    if table.row_count:
        Console().print(table)


def _print_tracks(tracks: TrackTable) -> None:
    """Print one row per track: when it was seen, and what was read on the average."""
    from rich.console import Console
    from rich.table import Table

    attributes = tracks.attributes
    names = dict.fromkeys(name for means in attributes.values() for name in means)
    table = Table("track", "from", "to", "frames", *names)
    for track_id, (first, last, num_frames) in tracks.presence.items():
        means = (str(attributes[track_id].get(name, "")) for name in names)
        table.add_row(f"#{track_id}", f"{first:.1f} s", f"{last:.1f} s", str(num_frames), *means)
    if table.row_count:
        Console().print(table)


def _print_figures(figures: Figures) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for index, name in enumerate(figures.header):
        table.add_column(name, justify="right" if index else "left")
    for row in figures.rows:
        table.add_row(*row)
    console = Console()
    console.print(figures.title, markup=False, highlight=False)
    console.print(table)


def _save_charts(evaluation: Evaluation, action: str, pictures: PictureFolder) -> None:
    from faceattr.evaluation.metrics import ClassificationReport
    from faceattr.evaluation.plots import draw_confusion

    for name, truth in evaluation.ground_truth.items():
        if not isinstance(truth.report, ClassificationReport):
            raise OptionError(f"--save is for confusion matrices, and {action} gives estimates")
        title = f"{action} on {evaluation.data}, against {name}"
        chart = draw_confusion(truth.report, title=title)
        pictures.write(ImageResult(f"{action}-{name}.png", chart))


def _describe(plugin: type) -> tuple[str, str]:
    """Return what a plugin says of itself, and its weights."""
    size = "built in"
    if weights := weights_of(plugin):
        num_bytes = sum(one.num_bytes for one in weights)
        here = "here" if all(map(find, weights)) else "to download"
        size = f"{num_bytes / 1e6:.3g} MB, {here}"
    return (plugin.__doc__ or "").partition("\n")[0], size
