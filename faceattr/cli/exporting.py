"""`faceattr export`: an analyzer as a network that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceattr.analyzers import analyzers
from faceattr.cli.text import say_unless_quiet


def export_analyzer(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="emotion, age, gender, or a file of `faceattr train`."),
    ],
    to: Annotated[
        Path, typer.Option(metavar="FILE", help="File to write: .onnx, .xml or .tflite.")
    ],
    format: Annotated[
        str,
        typer.Option(
            metavar="onnx|openvino|tflite", help="Format; openvino has a .bin file beside it."
        ),
    ] = "onnx",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
) -> None:
    """Write an analyzer as a network that other programs run, checked against faceattr's engine.

    It takes crops of faces, (N, H, W, C) float32 in [0, 255]; how they are cut and what the numbers
    mean stands in the file, as JSON under `faceattr`.

    Examples:
        faceattr export emotion --to emotion.onnx
        faceattr export ./mood.faceattr --format openvino --to mood.xml
    """
    from faceattr.exporting.exporting import export

    path = export(analyzers.create(name), to, format=format, overwrite=overwrite)  # type: ignore[arg-type]  # which it checks
    say_unless_quiet(f"{path}: written; its answers are those of faceattr's engine")
