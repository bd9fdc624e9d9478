"""`faceattr list` and `faceattr info`: which analyzers and detectors there are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from faceattr.analyzers import analyzers
from faceattr.cli.completion import complete_plugin
from faceattr.cli.description import describe
from faceattr.cli.flags import Only, with_flags
from faceattr.cli.rendering import print_table
from faceattr.detectors import detectors
from faceattr.engines import create_engine
from faceattr.options import PipelineOptions
from faceattr.registry import Registry
from faceattr.weights import declared_weights, find


def list_plugins() -> None:
    """List the analyzers and detectors that --actions and --detector know."""
    registry: Registry[Any]
    for title, registry in (("Analyzers", analyzers), ("Detectors", detectors)):
        rows = [
            [name, *_describe(plugin), registry.provider(name)]
            for name, plugin in registry.load_all()
        ]
        print_table(["name", "description", "weights", "from"], rows, title=title)


@with_flags
def show_info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Analyzer or detector; see `faceattr list`.",
            autocompletion=complete_plugin,
        ),
    ],
    options: Annotated[PipelineOptions, Only({"engine", "precision", "threads"})],
) -> None:
    """Show what an analyzer or detector is, where it comes from, and what it costs here.

    Examples:
        faceattr info emotion
        faceattr info yunet --threads 1
    """
    engine = create_engine(options.engine, precision=options.precision, threads=options.threads)
    print_table(None, describe(name, engine))


def _describe(plugin: type) -> tuple[str, str]:
    """Return the first line of a plugin's docstring, and the size of its weights."""
    size = "built in"
    if weights := declared_weights(plugin):
        num_bytes = sum(one.num_bytes for one in weights)
        here = "here" if all(map(find, weights)) else "to download"
        size = f"{num_bytes / 1e6:.3g} MB, {here}"
    first_line, _, _ = (plugin.__doc__ or "").partition("\n")
    return first_line.replace("``", ""), size
