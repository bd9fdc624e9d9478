"""The command line: arguments to the library, results to the terminal."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import cv2
import typer

from faceattr import __version__
from faceattr.cli import evaluation, pictures, plugins, streams, training, weights
from faceattr.cli.rendering import finish_output, prepare_streams, say, show
from faceattr.cli.signals import INTERRUPTED, SIGNALLED, catch_signals
from faceattr.errors import FaceattrError
from faceattr.images import printable

SILENT = 0  # log level of OpenCV

app = typer.Typer(
    help="Analyze faces in pictures and videos: emotion, age, gender, and more by plugins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(pictures.analyze)
app.command()(pictures.detect)
app.command()(streams.video)
app.command()(streams.stream)
app.command("eval")(evaluation.evaluate_analyzer)
app.command("train")(training.train_analyzer)
app.command("list")(plugins.list_plugins)
app.command("info")(plugins.show_info)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command; errors of ours are one line each and exit status 1, not a traceback."""
    gc.freeze()  # what is imported stays, so looking for garbage in it only takes time
    received = catch_signals()
    prepare_streams()
    _set_up_logging()
    try:
        status = run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    status = finish_output(status)
    sys.exit(SIGNALLED + received[0] if received else status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: After the name of the command; None for those of the process.
    """
    try:
        app(arguments, prog_name="faceattr")
    except FaceattrError as error:
        say(str(error))
        return 1
    except OSError as error:  # typer prints help by itself
        if error.filename is not None:
            raise
        say(f"standard output: cannot be written: {error.strerror or error}")
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


class _OneLine(logging.Formatter):
    """Escapes what a terminal would obey, names of files included."""

    def format(self, record: logging.LogRecord) -> str:
        return f"faceattr: {printable(super().format(record))}"


def _set_up_logging() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # up to 4.12
    set_level(SILENT)  # our errors say it better
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # and FFmpeg's are not for users


def _show_version(asked: bool) -> None:
    if asked:
        show(f"faceattr {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass
