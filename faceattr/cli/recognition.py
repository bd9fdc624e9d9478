"""`faceattr verify`, `faceattr find` and `faceattr gallery`: who is who."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from faceattr.cli.flags import Without, with_flags
from faceattr.cli.inputs import expand_arguments, find_sources, to_image_source
from faceattr.cli.rendering import exit_with, print_table, say, show
from faceattr.errors import FaceattrError, GalleryError
from faceattr.images import ImageSource
from faceattr.options import PipelineOptions
from faceattr.pipeline import Pipeline
from faceattr.recognition.faces import READER, describe
from faceattr.recognition.gallery import Gallery
from faceattr.recognition.verification import ODDS, compare

MOST_MEASURED = 0.999  # there are too few pairs beyond
WITHOUT = Without({"actions", "labels", "min_confidence", "gallery"})

Options = Annotated[PipelineOptions, WITHOUT]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
GalleryPath = Annotated[
    Path,
    typer.Argument(
        metavar="GALLERY", help="File of a gallery, or a folder with a folder per person."
    ),
]

app = typer.Typer(invoke_without_command=True)


@app.callback()
def _show_help(ctx: typer.Context) -> None:
    """Add, list and remove the people of a gallery.

    A gallery is a file, or a folder with a folder of pictures per person.
    """
    if ctx.invoked_subcommand is None:
        show(ctx.get_help())
        raise typer.Exit(2)


@with_flags
def verify(
    first: Annotated[str, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    options: Options,
    json_: Json = False,
    odds: Annotated[
        float,
        typer.Option(metavar="NUMBER", help="Of one person, before looking: 0.1 is one to ten."),
    ] = ODDS,
) -> None:
    """Say whether two pictures show one person.

    Of several faces in a picture, the one that the detector is most confident of counts.

    Examples:
        faceattr verify first.jpg second.jpg
        faceattr verify first.jpg second.jpg --json
    """
    pipeline = _reader(options)
    match = compare(describe(first, pipeline), describe(second, pipeline), odds=odds)
    if json_:
        show(json.dumps(match.to_dict(), indent=2))
    else:
        verdict = "the same person" if match.same else "different people"
        show(f"{verdict}: probability {_in_words(match.probability)}, score {match.score:.2f}")


@with_flags
def find(
    queries: Annotated[
        list[str],
        typer.Argument(metavar="QUERY...", help="Files, folders, globs or URLs; - and @LIST."),
    ],
    options: Options,
    people: Annotated[
        Path,
        typer.Option(
            "--in", metavar="GALLERY", help="A folder with a folder per person, or a file."
        ),
    ],
    top: Annotated[
        int, typer.Option(metavar="N", help="How many people to name for each face.")
    ] = 3,
    odds: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", help="Of a face showing anybody there: 1 is as likely as not."
        ),
    ] = 1.0,
    json_: Json = False,
) -> None:
    """Find the people of a gallery who are most like each face of pictures.

    A picture that cannot be read is reported, the others go on, and the exit status is 1.

    Examples:
        faceattr find group.jpg --in people/
        faceattr find holiday/ --in people.gallery --top 1
    """
    pipeline = _reader(options)
    gallery = Gallery.open(people, pipeline=pipeline)
    errors: list[FaceattrError] = []
    found = []
    for result in pipeline.analyze_each(_images(queries, errors)):
        if result.error is not None:
            errors.append(result.error)
            continue
        for number, face in enumerate(result.faces):
            candidates = gallery.search(face, top=top, odds=odds)
            (named,) = gallery.identify([face], odds=odds)
            found.append((result.source, number, face, named, candidates))
        if not result.faces:
            say(f"{result.source}: no face was found")
    if json_:
        described = [
            {
                "source": source,
                "face": number,
                "bbox": [float(value) for value in face.bbox],
                "label": named.label,
                "candidates": [
                    {"name": one.name, "score": one.score, "probability": one.probability}
                    for one in candidates
                ],
            }
            for source, number, face, named, candidates in found
        ]
        show(json.dumps(described, indent=2))
    elif found:
        rows = [
            [
                Path(source).name,
                str(number),
                str(named),
                ", ".join(f"{one.name} {one.probability:.0%} ({one.score:.1f})" for one in likely),
            ]
            for source, number, _, named, likely in found
        ]
        print_table(["picture", "face", "who", "most like (score)"], rows)
    exit_with(errors)


@app.command("add")
@with_flags
def add_to_gallery(
    gallery: Annotated[Path, typer.Argument(metavar="FILE", help="A gallery; made if missing.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURE...", help="Files, folders, globs or URLs; - and @LIST."),
    ],
    options: Options,
) -> None:
    """Add pictures of a person to a gallery; enroll people who have agreed to it.

    If a picture cannot be read or shows nobody, nothing is added.

    Examples:
        faceattr gallery add people.gallery "Ada Lovelace" ada1.jpg ada2.jpg
    """
    errors: list[FaceattrError] = []
    sources = _images(pictures, errors)
    exit_with(errors)
    with Gallery.edit(gallery) as people:
        count = people.add(name, *sources, pipeline=_reader(options))
    show(f"{name}: {count} face{'s' * (count != 1)}")


@app.command("list")
def list_gallery(gallery: GalleryPath) -> None:
    """List the people of a gallery, and how many faces are enrolled of each."""
    people = Gallery.open(gallery).people
    if people:
        print_table(["name", "faces"], [[name, str(count)] for name, count in people.items()])
    else:
        show("nobody")


@app.command("remove")
def remove_from_gallery(
    gallery: Annotated[Path, typer.Argument(metavar="FILE", help="A gallery.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Who is removed.")],
) -> None:
    """Remove people from a gallery, with all that is stored of them."""
    if not gallery.exists():
        raise GalleryError(f"{gallery} does not exist; `faceattr gallery add` makes one")
    with Gallery.edit(gallery) as people:
        removed = {name: people.remove(name) for name in names}
    for name, count in removed.items():
        show(f"{name}: {count} face{'s' * (count != 1)} removed")


def _images(arguments: Sequence[str], errors: list[FaceattrError]) -> list[ImageSource]:
    """Return the pictures that arguments name; add an error for each that names none."""
    sources = find_sources(expand_arguments(arguments), on_error=errors.append)
    return [to_image_source(source) for source in sources]


def _in_words(probability: float) -> str:
    """Return a probability in percent, without claiming what nobody has measured."""
    if probability > MOST_MEASURED:
        return f"above {MOST_MEASURED:.1%}"
    if probability < 1 - MOST_MEASURED:
        return f"below {1 - MOST_MEASURED:.1%}"
    return f"{probability:.1%}"


def _reader(options: PipelineOptions) -> Pipeline:
    return Pipeline.from_options(replace(options, actions=(READER,)))
