"""`faceattr train`: an analyzer of one's own from labelled pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceattr.cli.evaluation import Crops
from faceattr.cli.flags import Only, with_flags
from faceattr.cli.rendering import print_figures, print_table, say, show, with_progress
from faceattr.cli.signals import INTERRUPTED
from faceattr.images import ImageSource
from faceattr.options import PipelineOptions, option
from faceattr.outputs import OutputFile, Outputs
from faceattr.pipeline import Pipeline
from faceattr.results import encode_image

if TYPE_CHECKING:
    from faceattr.training.package import Package
    from faceattr.training.training import Training

MOST_SHOWN = 10  # pictures left out, or with doubted labels
DETECTION = Only(
    {
        *("detector", "threshold", "min_face", "max_faces", "tile_size"),
        *("engine", "precision", "threads"),
    }
)


@dataclass(frozen=True, slots=True)
class TrainingOutput:
    """Where the analyzer and what is known about it go."""

    to: Path | None = option(
        None, "Write the analyzer to this file, NAME.faceattr.", "output", metavar="FILE"
    )
    sheet: Path | None = option(
        None, "Show pictures whose label is likely to be wrong on this picture.", "output"
    )
    package: Path | None = option(
        None, "Write a plugin package around the analyzer here.", "output", metavar="DIR"
    )
    json: bool = option(False, "Print a JSON object.", "output")
    overwrite: bool = option(False, "Replace files that exist; inputs never.", "output")


@with_flags
def train_analyzer(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder of pictures per label; a CSV file with the columns path "
            "and label; other sets that `faceattr eval` reads.",
        ),
    ],
    options: Annotated[PipelineOptions, DETECTION],
    output: TrainingOutput,
    attribute: Annotated[
        str, typer.Option(metavar="NAME", help="Name for what the analyzer reads.")
    ],
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT", help="Learn numbers in this unit: years.", show_default="labels"
        ),
    ] = None,
    trunk: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Network whose features are used: emotion, age_gender, or both; auto for the "
            "best of them, both only if clearly better; or identity, whose features are not "
            "remembered.",
        ),
    ] = "auto",
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Train all layers too, by Keras, and keep them if they are better; for thousands "
            "of pictures.",
        ),
    ] = False,
    minutes: Annotated[
        float,
        typer.Option(metavar="MINUTES", min=0, help="Longest time for --full."),
    ] = 60.0,
    split: Annotated[
        str | None, typer.Option(help="Part of the set: train.", show_default="all")
    ] = None,
    crops: Crops = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Never test on a person, or other group, that was learned from: a column of the "
            "CSV file, or the level of its folder below DATA, such as 2.",
            show_default="each picture alone",
        ),
    ] = None,
    priors: Annotated[
        str | None,
        typer.Option(
            metavar="equal|LABEL=SHARE,…",
            help="How frequent each label will be where the analyzer is used.",
            show_default="as in DATA",
        ),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Learn from mirror images too, or not; left and right need --no-mirror.",
            show_default="what is better",
        ),
    ] = None,
) -> None:
    """Learn an attribute from labelled pictures, and say how well that works.

    The file that is written stands wherever the name of an analyzer can.

    Examples:
        faceattr train pictures/ --attribute mood --to mood.faceattr
        faceattr analyze photo.jpg --actions emotion,./mood.faceattr
        faceattr train crops/ --attribute mood --crops --group 2 --sheet doubts.png
        faceattr train many/ --attribute mood --full --minutes 30 --to mood.faceattr
        faceattr train ages.csv --attribute age --unit years --package faceattr-age
    """
    from faceattr.evaluation.datasets import load_labelled_set
    from faceattr.networks.formats import trained
    from faceattr.training.package import Package
    from faceattr.training.sheet import draw_sheet
    from faceattr.training.training import check_name, train_head

    labelled = load_labelled_set(data, attribute=attribute, split=split)
    if crops is not None:
        labelled = replace(labelled, are_crops=crops)
    outputs = Outputs(inputs=[data, *labelled.pictures], overwrite=output.overwrite)
    file = outputs.file(check_name(output.to)) if output.to else None
    sheet = outputs.file(output.sheet) if output.sheet else None
    package = Package(attribute, output.package, outputs) if output.package else None

    def progress(pictures: Iterable[ImageSource]) -> Iterator[ImageSource]:
        return with_progress(pictures, len(labelled), "looking at pictures")

    def steps(batches: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
        return with_progress(batches, most, "training all layers", unit="batches")

    try:
        training = train_head(
            labelled,
            attribute,
            pipeline=Pipeline.from_options(replace(options, actions=())),
            unit=unit,
            trunk=trunk,
            group=group,
            priors=priors,
            mirror=mirror,
            full=full,
            minutes=minutes,
            path=data,
            progress=progress,
            steps=steps,
        )
    except KeyboardInterrupt:
        say("interrupted; what was seen and trained is remembered, so run it again to go on")
        raise typer.Exit(INTERRUPTED) from None
    if file:
        file.write_bytes(trained.save(training.head))
    if package:
        package.write(training)
    if output.json:
        show(json.dumps(training.to_dict(), indent=2))
    else:
        _print(training, data, file or package, with_sheet=sheet is not None)
    if sheet and training.doubts:
        picture = draw_sheet(training.doubts, labelled)
        sheet.write_bytes(encode_image(picture, sheet.path.suffix))


def _print(
    training: Training, data: Path, written: OutputFile | Package | None, *, with_sheet: bool
) -> None:
    from faceattr.training.tables import tables_of

    for table in tables_of(training):
        print_figures(table)
    if training.left_out:
        left_out = [(_below(data, name), why) for name, why in training.left_out.items()]
        _print_some("pictures left out", left_out)
    if training.doubts:
        doubts = [
            (_below(data, doubt.source), f"{doubt.given}; more likely {doubt.likely}")
            for doubt in training.doubts
        ]
        _print_some("labels that are likely to be wrong", doubts)
        if not with_sheet:
            show("See them with --sheet FILE.png")
    for warning in training.warnings:
        say(f"note: {warning}")
    if written is None:
        show("Nothing was written; --to NAME.faceattr keeps the analyzer")
    elif isinstance(written, OutputFile):
        path = written.path
        name = str(path) if path.parent != Path() else f"./{path}"
        show(f"Use it: faceattr analyze PICTURE --actions {name}")
    else:
        show(f"Install it: pip install {written.folder}")


def _below(data: Path, name: str) -> str:
    """Return the name of a picture as seen from the set, which is shorter."""
    try:
        return str(Path(name).relative_to(data if data.is_dir() else data.parent))
    except ValueError:
        return name


def _print_some(title: str, listed: Sequence[tuple[str, str]]) -> None:
    more = f", {MOST_SHOWN} of them" if len(listed) > MOST_SHOWN else ""
    print_table(None, listed[:MOST_SHOWN], title=f"{len(listed)} {title}{more}")
