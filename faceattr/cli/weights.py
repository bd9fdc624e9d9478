"""`faceattr weights`: download, check and remove weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from faceattr.analyzers import analyzers
from faceattr.cli.rendering import exit_with, show
from faceattr.cli.text import pad
from faceattr.cli.verbosity import choose_level
from faceattr.detectors import detectors
from faceattr.engines import converted
from faceattr.errors import OptionError, UnknownNameError, WeightsError, describe_unknown
from faceattr.images import printable
from faceattr.weights import (
    Weights,
    cache_folder,
    clear,
    declared_weights,
    fetch,
    find,
    import_file,
    is_open,
    terms_of,
    verify,
)

TRUSTED = " (trusted by you)"

app = typer.Typer(invoke_without_command=True)


def complete_name(incomplete: str) -> list[str]:
    """Return the plugins with weights whose names begin so, for the shell."""
    choose_level(quiet=True, verbose=0)  # what is said of broken plugins would be in the way
    return [name for name in dict(_downloads()) if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help="As `faceattr weights list` shows them; all, if none is given.",
        autocompletion=complete_name,
    ),
]


@app.callback()
def _show_help(ctx: typer.Context) -> None:
    """Download, check and remove weights.

    Those of the default analyzers and detectors come with faceattr; the others are downloaded when
    they are first used, or before that by `faceattr weights fetch`.
    """
    if ctx.invoked_subcommand is None:
        show(ctx.get_help())
        raise typer.Exit(2)


@app.command("list")
def list_weights(
    license: Annotated[
        bool,
        typer.Option(
            "--license",
            help="List the license of all weights, those in the package among them, and whether "
            "FACEATTR_LICENSES=open allows them.",
        ),
    ] = False,
) -> None:
    """List what can be downloaded: size, license, and whether it is here."""
    if license:
        _list_licenses()
        return
    rows = [("name", "file", "size", "here")]
    notes: list[tuple[str, ...]] = [()]  # below each row
    for name, weights in _downloads():
        copy = find(weights)
        here = "no" if copy is None else "yes" + TRUSTED * copy.trusted
        rows.append((name, weights.filename, f"{weights.num_bytes / 1e6:.3g} MB", here))
        notes.append((weights.license, *([str(copy.path)] if copy else [])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for (name, file, size, here), more in zip(rows, notes, strict=True):
        cells = [pad(name, widths[0]), pad(file, widths[1]), pad(size, widths[2], right=True), here]
        show(printable("  ".join(cells).rstrip()))
        for line in more:
            show(printable(" " * (widths[0] + 2) + line))


def _list_licenses() -> None:
    """Print a line for each file of weights, and for the weights in the package."""
    rows = [("name", "open", "file", "license")]
    for name, plugin in _plugins():
        for file, license in terms_of(plugin):
            is_allowed = "yes" if is_open(license) else "no"
            rows.append((name, is_allowed, file or "in its package", license or "none named"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        show(printable("  ".join(cells).rstrip()))


@app.command("fetch")
def fetch_weights(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="As `faceattr weights list` shows them.",
            autocompletion=complete_name,
        ),
    ],
) -> None:
    """Download weights, unless they are here already.

    Examples:
        faceattr weights fetch age-vgg gender-vgg
    """
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
def show_path(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="As `faceattr weights list` shows it.",
            autocompletion=complete_name,
        ),
    ],
) -> None:
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="It stays where it is.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Plugin that uses it, or name under which it was published; see `faceattr weights "
            "list`.",
            show_default="the name of the file",
            autocompletion=complete_name,
        ),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Accept it although its digest is not the published one."),
    ] = False,
) -> None:
    """Copy a file that you have to where faceattr looks for weights.

    Examples:
        faceattr weights import Downloads/age_model_weights.h5
        faceattr weights import mine.h5 --as emotion-cnn --trust
    """
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
    return [(name, weights) for name, plugin in _plugins() for weights in declared_weights(plugin)]


def _plugins() -> Iterator[tuple[str, type]]:
    yield from analyzers.load_all()
    yield from detectors.load_all()


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
    """Return whose weights a file holds.

    Args:
        file: The file.
        name: Of the plugin, or of the published file; None if the file has that name.
    """
    downloads = _downloads()
    published = {weights.filename: (plugin, weights) for plugin, weights in downloads}
    if name is None and file.name in published:
        return published[file.name]
    names = ", ".join(dict(downloads))
    if name is None:
        raise OptionError(
            f"{file.name} is not a published file name; say with --as whose weights it holds: "
            f"{names}"
        )
    if name in published:
        return published[name]
    fitting = [one for one in downloads if one[0] == name]
    if not fitting:
        raise UnknownNameError(describe_unknown("weights", name, [*dict(downloads), *published]))
    own_name = [one for one in fitting if one[1].filename == file.name]
    if len(fitting) > 1 and not own_name:
        filenames = ", ".join(weights.filename for _, weights in fitting)
        raise OptionError(f"{name} has several files; say with --as which yours is: {filenames}")
    return (own_name or fitting)[0]
