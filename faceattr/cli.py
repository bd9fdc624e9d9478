"""The command line: arguments to the library, results to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer

from faceattr.analyzers import analyzers
from faceattr.detectors import detectors
from faceattr.errors import FaceattrError, OptionError
from faceattr.images import find_images
from faceattr.pipeline import ImageResult, Pipeline
from faceattr.registry import Registry
from faceattr.sinks import PictureFolder, to_json, write_csv

app = typer.Typer(
    help="Read attributes off faces in pictures: emotion and others' plugins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command; a refusal is one line and exit status 1, not a traceback."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors say it better
    try:
        app()
    except FaceattrError as error:
        sys.exit(f"faceattr: {error}")


@app.command()
def analyze(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs or http(s) URLs.")],
    actions: Annotated[
        str, typer.Option(help="Analyzers, with commas between; see `faceattr list`.")
    ] = "emotion",
    detector: Annotated[str, typer.Option(help="What finds the faces.")] = "mtcnn",
    engine: Annotated[
        str | None, typer.Option(help="openvino or tensorflow.", show_default="openvino")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto or f32.", show_default="auto")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated pictures here.")
    ] = None,
) -> None:
    """Find the faces of pictures and read their attributes.

    A picture that cannot be read is reported, the others go on, and the exit status is 1.
    """
    if as_json and as_csv:
        raise OptionError("--json and --csv exclude each other; choose one")
    sources = find_images(paths)
    pipeline = Pipeline(_split(actions), detector=detector, engine=engine, precision=precision)
    pictures = PictureFolder(save) if save else None
    results, errors = [], []
    for result in _with_progress(pipeline.analyze_each(sources), len(sources)):
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
    if errors:
        print(*(f"faceattr: {error}" for error in errors), sep="\n", file=sys.stderr)
        raise typer.Exit(1)


@app.command("list")
def list_plugins() -> None:
    """Show the analyzers and detectors that --actions and --detector know."""
    from rich.console import Console
    from rich.table import Table

    for title, registry in (("Analyzers", analyzers), ("Detectors", detectors)):
        table = Table("name", "what it does", "from", title=title, title_justify="left")
        for name in registry:
            table.add_row(name, *_describe(registry, name))
        Console().print(table)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _with_progress(results: Iterable[ImageResult], count: int) -> Iterable[ImageResult]:
    if count < 2 or not sys.stderr.isatty():
        return results
    from rich.console import Console
    from rich.progress import track

    return track(
        results, total=count, description="analyzing", console=Console(stderr=True), transient=True
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


def _describe(registry: Registry[Any], name: str) -> tuple[str, str]:
    """Return the first line of the plugin's docstring, and where the plugin comes from."""
    try:
        plugin = registry.get(name)
    except FaceattrError as error:
        return f"broken: {error}", registry.origin(name)
    return (plugin.__doc__ or "").partition("\n")[0], registry.origin(name)
