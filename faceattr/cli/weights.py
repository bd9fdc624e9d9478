"""`faceattr weights`: download, check and remove weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from faceattr.analyzers import analyzers
from faceattr.cli.description import weights_of
from faceattr.cli.rendering import exit_with, print_table, show
from faceattr.detectors import detectors
from faceattr.engines import converted
from faceattr.errors import OptionError, UnknownNameError, WeightsError
from faceattr.images import printable
from faceattr.weights import Weights, cache_folder, clear, fetch, find, import_file, verify

TRUSTED = " (trusted by you)"

app = typer.Typer(help="Download, check and remove weights.", no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="As `faceattr list` shows them.")
]


@app.command("list")
def list_weights() -> None:
    """List what can be downloaded: size, license, and whether it is here."""
    rows = []
    for name, weights in _downloads():
        copy = find(weights)
        here = "no" if copy is None else f"{copy.path}{TRUSTED * copy.trusted}"
        size = f"{weights.num_bytes / 1e6:.3g} MB"
        rows.append([name, weights.filename, size, here, weights.license])
    print_table(["name", "file", "size", "here", "license"], rows)


@app.command("fetch")
def fetch_weights(names: Annotated[list[str], typer.Argument(metavar="NAME...")]) -> None:
    """Download weights, unless they are here already."""
    for _, weights in _chosen(names):
        show(str(fetch(weights)))


@app.command("verify")
def verify_weights(names: Names = None) -> None:
    """Read the weights and converted networks that are here again and compare their digests."""
    errors: list[WeightsError] = []
    for name, weights in _chosen(names):
        if names or find(weights):
            try:
                copy = verify(weights)
            except WeightsError as error:
                errors.append(error)
            else:
                show(printable(f"{name}: {copy.path} is intact{TRUSTED * copy.trusted}"))
    num_intact, damaged = converted.verify()
    errors += [
        WeightsError(f"{path} was damaged and is removed; it is converted again when it is needed")
        for path in damaged
    ]
    if num_intact:
        show(f"converted networks: {num_intact} intact in {cache_folder() / 'compiled'}")
    exit_with(errors)


@app.command("path")
def show_path(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Print where the weights are."""
    for _, weights in _chosen([name]):
        copy = find(weights)
        if copy is None:
            raise WeightsError(
                f"{weights} is not here; download it with `faceattr weights fetch {name}`"
            )
        show(str(copy.path))


@app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Plugin that uses it; by default by file name."),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Accept it although its digest is not the published one."),
    ] = False,
) -> None:
    """Copy a file that you have into the cache."""
    name, weights = _owner(file, name)
    copy = import_file(file, weights, trust=trust)
    show(printable(f"{name}: {copy.path}{TRUSTED * copy.trusted}"))


@app.command("clear")
def clear_weights(names: Names = None) -> None:
    """Remove downloaded weights, and the networks converted from them."""
    for _, weights in _chosen(names):
        for path in clear(weights):
            show(printable(f"removed {path}"))
    shutil.rmtree(cache_folder() / "compiled", ignore_errors=True)  # made again when needed


def _downloads() -> list[tuple[str, Weights]]:
    """Return the weights of each plugin that downloads some, with the plugin's name."""
    plugins: chain[tuple[str, type]] = chain(analyzers.load_all(), detectors.load_all())
    return [(name, weights) for name, plugin in plugins for weights in weights_of(plugin)]


def _chosen(names: Sequence[str] | None) -> list[tuple[str, Weights]]:
    """Return the weights of the plugins with these names; of all, if there are none."""
    downloads = _downloads()
    known = dict(downloads)
    for name in names or ():
        if name not in known:
            raise UnknownNameError(
                f"{name!r} has no weights to download; those that have: {', '.join(known)}"
            )
    return [one for one in downloads if not names or one[0] in names]


def _owner(file: Path, name: str | None) -> tuple[str, Weights]:
    """Return whose weights a file holds, by the plugin's name if it is given, else by its own."""
    downloads = _chosen(None if name is None else [name])
    fitting = [one for one in downloads if one[1].filename == file.name]
    if name is not None and len(downloads) == 1:
        fitting = downloads
    if not fitting and name is None:
        raise OptionError(f"{file.name} is not a published file name; name the plugin with --as")
    if not fitting:
        filenames = ", ".join(weights.filename for _, weights in downloads)
        raise OptionError(f"{name} has several files; rename yours to one of them: {filenames}")
    return fitting[0]
