"""The command line: arguments to the library, results to the terminal."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import cv2
import typer

from faceattr import __version__
from faceattr.cli import (
    batch,
    evaluation,
    exporting,
    pictures,
    plugins,
    recognition,
    report,
    serving,
    streams,
    training,
    weights,
)
from faceattr.cli.help import Command, Group
from faceattr.cli.rendering import finish_output, prepare_streams, say, show
from faceattr.cli.signals import INTERRUPTED, SIGNALLED, catch_signals
from faceattr.cli.verbosity import Quiet, Verbose, choose_level, levels_kept, with_verbosity
from faceattr.errors import FaceattrError, OptionError, UnknownNameError
from faceattr.images import printable

SILENT = 0  # log level of OpenCV

WRONG_USAGE = 2  # exit status
# what Typer raises if it does not understand the arguments; it has moved between its versions
UsageError: type[Any] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    cls=Group,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(pictures.analyze)
app.command()(pictures.detect)
app.command()(batch.batch)
app.command()(streams.video)
app.command()(streams.stream)
app.command()(report.report)
app.command()(serving.serve)
app.command()(recognition.verify)
app.command()(recognition.find)
app.add_typer(recognition.app, name="gallery", cls=Group)
app.command("eval")(evaluation.evaluate_analyzer)
app.command("train")(training.train_analyzer)
app.command("export")(exporting.export_analyzer)
app.command("list")(plugins.list_plugins)
app.command("info")(plugins.show_info)
app.add_typer(weights.app, name="weights", cls=Group)
groups = (app, recognition.app, weights.app)
for one in (command for group in groups for command in group.registered_commands):
    assert one.callback is not None
    one.cls, one.callback = Command, with_verbosity(one.callback)


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
        with levels_kept():
            status = app(arguments, prog_name="faceattr", standalone_mode=False)
    except UsageError as error:
        say(_describe(error))
        return WRONG_USAGE
    except (OptionError, UnknownNameError) as error:
        say(str(error))
        return WRONG_USAGE
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
    return status if isinstance(status, int) else 0


def _describe(error: Any) -> str:
    """Return what Typer does not understand, and where to read on."""
    message = error.format_message().rstrip(".")
    return f"{message}; see `{error.ctx.command_path} --help`" if error.ctx else message


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
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Find faces in pictures and videos, and read emotion, age, gender and more off them.

    What is read is chosen by --actions; `faceattr list` shows what there is. Nothing is sent
    anywhere.

    Examples:
        faceattr analyze holiday/                      # a table of faces
        faceattr video party.mp4 --save annotated.mp4  # faces over time
        faceattr stream                                # a camera, in a window
    """
    choose_level(quiet=quiet, verbose=verbose)
    if ctx.invoked_subcommand is None:
        show(ctx.get_help())
        raise typer.Exit(WRONG_USAGE)
