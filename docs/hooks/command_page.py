"""The page on every command and option, from the command itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from faceattr.cli import app
from faceattr.cli.help import COMMANDS, EXIT_STATUS, GENERAL, help_of

CODE_OR_FLAG = re.compile(r"`[^`]*`|(?<!\S)--?[a-z][\w-]*")
INTRODUCTION = f"""# Every command and option

What `faceattr COMMAND --help` prints, on one page. [The command](command-line.md) explains inputs,
outputs and resuming.

{EXIT_STATUS}
"""


def command_page() -> str:
    """Return the page as Markdown."""
    command = get_command(app)
    return INTRODUCTION + "".join(_sections(command, _context_of(command, "faceattr"), level=2))


def _sections(command: Any, ctx: Any, *, level: int) -> Iterator[str]:
    """Yield the section of a command, and those of its own commands."""
    text = help_of(command, ctx)
    yield f"\n{'#' * level} {ctx.command_path}\n\n```text\n{text.usage}\n```\n"
    yield from (f"\n{_with_code(one)}\n" for one in text.about)
    for title, rows in text.sections.items():
        if title == COMMANDS or (title == GENERAL and ctx.parent is not None):
            continue  # commands have sections of their own; --quiet, --verbose, --help are alike
        yield f"\n**{title}**\n"
        yield from (f"\n`{row.name.strip()}`\n:   {_with_code(row.text)}\n" for row in rows)
    if text.examples:
        yield "\n".join(["\n**Examples**\n", "```console", *text.examples, "```\n"])
    for name in getattr(command, "commands", ()):
        own = command.get_command(ctx, name)
        if own is not None and not own.hidden:
            yield from _sections(own, _context_of(own, name, ctx), level=min(level + 1, 3))


def _with_code(text: str) -> str:
    """Return a text whose flags are code, as its commands in backticks are already."""
    return CODE_OR_FLAG.sub(lambda one: one[0] if one[0][0] == "`" else f"`{one[0]}`", text)


def _context_of(command: Any, name: str, parent: Any = None) -> Any:
    """Return the context in which a command has its full name and options."""
    settings = command.context_settings
    return command.context_class(command, info_name=name, parent=parent, **settings)
