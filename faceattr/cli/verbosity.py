"""How much the command says on standard error: ``--quiet`` and ``--verbose``."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any

import typer

from faceattr.cli.help import GENERAL
from faceattr.errors import OptionError

PACKAGE = "faceattr"
SLOW = ("faceattr.engines", "faceattr.weights", "faceattr.streaming")
"""Loggers that say, unless told to be quiet, what takes long or was saved: a download, say."""

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Print errors only, no other messages.", rich_help_panel=GENERAL
    ),
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        metavar="",
        help="Say what is loaded and how long that takes; -vv says more.",
        rich_help_panel=GENERAL,
    ),
]


def choose_level(*, quiet: bool, verbose: int) -> None:
    """Let the loggers of faceattr say as much as was asked for.

    Raises:
        OptionError: Both were asked for.
    """
    if quiet and verbose:
        raise OptionError("--quiet and --verbose exclude each other; choose one")
    level = logging.ERROR if quiet else logging.WARNING
    if verbose:
        level = logging.INFO if verbose == 1 else logging.DEBUG
    logging.getLogger(PACKAGE).setLevel(level)
    for name in SLOW:
        logging.getLogger(name).setLevel(level if quiet else min(level, logging.INFO))


def is_quiet() -> bool:
    """Return whether nothing but errors is to be said."""
    return not logging.getLogger(PACKAGE).isEnabledFor(logging.WARNING)


@contextmanager
def levels_kept() -> Iterator[None]:
    """Give the loggers their levels back at the end, as other code may use them in this process."""
    loggers = [logging.getLogger(name) for name in (PACKAGE, *SLOW)]
    levels = [logger.level for logger in loggers]
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def with_verbosity(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--quiet`` and ``--verbose`` to a command; the same before its name hold until then."""
    parameters = list(inspect.signature(command, eval_str=True).parameters.values())
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, default, hint in (("quiet", False, Quiet), ("verbose", 0, Verbose))
    ]

    @wraps(command)
    def run(*, quiet: bool, verbose: int, **values: Any) -> Any:
        if quiet or verbose:
            choose_level(quiet=quiet, verbose=verbose)
        return command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
