"""The help of the command, which looks the same under every version of Typer."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from typer.core import TyperCommand, TyperGroup

MAX_WIDTH = 100  # columns; longer lines are hard to read
MAX_NAME = 28  # columns; what is said of a longer flag begins on the next line
ARGUMENTS, OPTIONS, GENERAL, COMMANDS = "Arguments", "Options", "General", "Commands"
EXAMPLES = "Examples:"
EXIT_STATUS = (
    "Exit status: 0 if all was done; 1 if something failed, such as a picture that cannot be read; "
    "2 if an option or its value is wrong; 130 if it was interrupted."
)
UNBROKEN = "\xa0"  # a space at which no line ends
BOLD, CYAN = "1", "36"  # codes of ANSI terminals

Paint: TypeAlias = Callable[[str, str], str]
"""Gives a text the color with that code."""


class Command(TyperCommand):
    """A command whose help is written here."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """See the base class."""
        formatter.write(write_help(self, ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """See the base class."""
        names = [one.metavar or one.name for one in self.get_params(ctx) if _is_argument(one)]
        return ["[OPTIONS]", *names]


class Group(TyperGroup):
    """A command that has commands of its own; their help is written here too."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """See the base class."""
        formatter.write(write_help(self, ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """See the base class."""
        return ["[OPTIONS]", "COMMAND", "…"]


class Row(NamedTuple):
    """A name, and what there is to say about it."""

    name: str
    text: str


class HelpText(NamedTuple):
    """The help of a command, before it is laid out.

    Attributes:
        usage: How the command is called.
        about: Paragraphs, each in one line.
        sections: Commands, arguments and options by the title under which they are listed.
        examples: Command lines.
    """

    usage: str
    about: list[str]
    sections: dict[str, list[Row]]
    examples: list[str]


def write_help(command: Any, ctx: Any) -> str:
    """Return the help of a command, in colors if standard output shows them.

    The paragraph of its docstring that begins with ``Examples:`` comes last, line by line.

    Args:
        command: The command.
        ctx: Its context.
    """
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    paint = _paint if _shows_colors() else _leave
    text = help_of(command, ctx)
    parts = [f"{paint('Usage:', BOLD)} {text.usage}"]
    parts += ["\n".join(_wrap(one, width)) for one in text.about]
    for title, rows in text.sections.items():
        # options are all aligned
        alike = [rows] if title == COMMANDS else [*text.sections.values()]
        column = _column(row.name for rows in alike for row in rows)
        lines = [line for row in rows for line in _lay_out(row, column, width, paint)]
        parts.append("\n".join([paint(f"{title}:", BOLD), *lines]))
    if text.examples:
        parts.append("\n".join([paint(EXAMPLES, BOLD), *(f"  {one}" for one in text.examples)]))
    parts.append("\n".join(_wrap(EXIT_STATUS, width)))
    return "\n\n".join(parts) + "\n"


def help_of(command: Any, ctx: Any) -> HelpText:
    """Return what there is to say about a command, for the terminal and for the site.

    Args:
        command: The command.
        ctx: Its context.
    """
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return HelpText(
        usage=" ".join([ctx.command_path, *command.collect_usage_pieces(ctx)]),
        about=[" ".join(one.split()) for one in paragraphs if not one.startswith(EXAMPLES)],
        sections=_sections(command, ctx),
        examples=[
            line.strip()
            for one in paragraphs
            if one.startswith(EXAMPLES)
            for line in one.splitlines()[1:]
        ],
    )


def _sections(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Return the commands, arguments and options by the title under which they are listed."""
    sections: dict[str, list[Row]] = {}
    for name in command.list_commands(ctx) if isinstance(command, TyperGroup) else ():
        one = command.get_command(ctx, name)
        if one is not None and not one.hidden:
            row = Row(name, _first_sentence(one.help or ""))
            sections.setdefault(COMMANDS, []).append(row)
    general = []
    for one in command.get_params(ctx):
        if getattr(one, "hidden", False):
            continue
        row = Row(_spelling(one), _explanation(one))
        title = getattr(one, "rich_help_panel", None)
        if "--help" in one.opts or title == GENERAL:
            general.append(row)
        else:
            default = ARGUMENTS if _is_argument(one) else OPTIONS
            sections.setdefault(title or default, []).append(row)
    return {**sections, GENERAL: general} if general else sections


def _spelling(parameter: Any) -> str:
    """Return how a parameter is written: ``-a, --actions NAME,…``."""
    if _is_argument(parameter):
        return str(parameter.metavar or parameter.name)
    names = sorted(parameter.opts, key=lambda name: name.startswith("--"))  # the short ones first
    # a switch may have no name but that which turns it off
    text = " / ".join([*([", ".join(names)] if names else []), *parameter.secondary_opts])
    text = " " * 4 * text.startswith("--") + text
    if parameter.is_flag or parameter.count:
        return text
    return f"{text} {parameter.metavar or 'TEXT'}"


def _explanation(parameter: Any) -> str:
    """Return what a parameter does, with its default if there is one to tell."""
    text = str(parameter.help or "")
    shown, default = parameter.show_default, parameter.default
    is_plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    if isinstance(shown, str):
        default = shown
    elif not shown or not is_plain or getattr(parameter, "count", False):
        return text
    return f"{text} [default: {default}]"


def _column(names: Iterable[str]) -> int:
    """Return the column of the page in which to say what these names are."""
    return 4 + max((len(name) for name in names if len(name) <= MAX_NAME), default=0)


def _lay_out(row: Row, column: int, width: int, paint: Paint) -> Iterator[str]:
    """Yield the lines of a row, what is said beginning at that column of the page."""
    name = f"  {row.name}"
    lines = _wrap(row.text, max(width - column, 20)) or [""]
    if len(name) + 2 > column:
        yield paint(name, CYAN)
    else:
        yield (paint(name, CYAN) + " " * (column - len(name)) + lines.pop(0)).rstrip()
    yield from (" " * column + line for line in lines)


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text; a command in backticks and a default stay on one, if they fit."""

    def keep_together(found: re.Match[str]) -> str:
        return found[0].replace(" ", UNBROKEN) if len(found[0]) <= width else found[0]

    whole = re.sub(r"`[^`]+`|\[default: .*\]", keep_together, text)
    lines = textwrap.wrap(whole, width, break_on_hyphens=False)
    return [line.replace(UNBROKEN, " ") for line in lines]


def _first_sentence(text: str) -> str:
    paragraph = " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())
    return re.split(r"(?<=\.) ", paragraph)[0]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _shows_colors() -> bool:
    """Return whether standard output is a terminal that shows colors, and the user wants them."""
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _leave(text: str, _: str) -> str:
    return text
