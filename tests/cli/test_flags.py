from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from cli.conftest import Command
from typer.testing import CliRunner

from faceattr.cli.flags import Only, Without, flags_given, with_flags
from faceattr.errors import OptionError
from faceattr.options import DrawOptions, PipelineOptions, StreamOptions, option


@dataclass(frozen=True)
class Kinds:
    """One option of each kind."""

    number: int | None = option(None, "A number.", "basic", shown_default="as many as fit")
    share: float = option(0.5, "A share.", "faces")
    is_loud: bool = option(False, "A switch.", "output", short="-l")
    is_shown: bool = option(True, "A switch that is on.", "output")
    file: Path | None = option(None, "A file.", "output")
    words: list[str] = option(("a", "b"), "Words.", "basic", metavar="WORD,…")
    name: bool = option(True, "A switch that can only be turned off.", "output", off="--no-name")
    hidden: int = 7


def call(command: object, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, arguments, terminal_width=200)
    if isinstance(result.exception, OptionError):
        raise result.exception
    return re.sub(r"\s+", " ", result.output)


@with_flags
def take(name: str, kinds: Kinds, level: int = 1) -> None:
    print(name, level, kinds)


def test_each_field_with_a_flag_is_an_option_of_its_type() -> None:
    assert call(take, "x") == f"x 1 {Kinds(words='a,b')} "  # type: ignore[arg-type]
    given = ["--number", "3", "--share", "0.1", "-l", "--no-is-shown", "--file", "a.txt"]
    given += ["--no-name"]  # beside the command's own parameter of that name
    expected = Kinds(3, 0.1, True, False, Path("a.txt"), "c", False)  # type: ignore[arg-type]
    assert call(take, "y", "--level", "2", *given, "--words", "c") == f"y 2 {expected} "


def test_help_groups_the_flags_and_shows_defaults_in_words() -> None:
    text = call(take, "--help")
    assert "--hidden" not in text
    assert "--no-is-loud" not in text
    assert "--no-name" in text
    assert "--name" not in text
    for words in ("A number. [default: (as many as fit)]", "WORD,… Words. [default: a,b]"):
        assert words in text
    assert text.index("--number") < text.index("Faces") < text.index("--share")
    assert text.index("--share") < text.index("Output") < text.index("--is-loud")


def test_a_command_can_leave_options_out() -> None:
    @with_flags
    def some(kinds: Annotated[Kinds, Only({"number", "share"}), Without({"share"})]) -> None:
        print(kinds)

    text = call(some, "--help")
    assert "--number" in text
    assert not {"--share", "--file"} & set(text.split())


def test_flags_that_were_given_can_be_named() -> None:
    assert flags_given(DrawOptions()) == ""
    assert flags_given(DrawOptions(blur=True)) == "--blur"
    assert flags_given(DrawOptions(labels=False, blur=True)) == "--no-labels and --blur"


def test_the_options_refuse_what_they_refuse_in_python() -> None:
    @with_flags
    def watch(options: StreamOptions) -> None:
        print(options.refresh, options.detect_every, options.actions)

    given = ["--refresh", "age=2", "--refresh", "emotion=0.5", "--detect-every", "3"]
    expected = "(('age', 2.0), ('emotion', 0.5)) 3 ('age', 'emotion') "
    assert call(watch, *given, "--actions", "age, emotion") == expected
    assert call(watch, "--detect-every", "auto", "-a", "age") == "() auto ('age',) "
    with pytest.raises(OptionError, match="write it like age=2"):
        call(watch, "--refresh", "age")


COMMANDS = ["analyze", "detect", "video", "stream", "eval"]


@pytest.mark.parametrize("command", COMMANDS)
def test_all_commands_that_find_faces_have_the_flags_of_the_detector(
    faceattr: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = faceattr(command, "--help").stdout
    for flag in ("detector", "threshold", "min-face", "max-faces", "tile-size", "threads"):
        assert f"--{flag} " in text
    assert ("--actions" in text) == (command in ("analyze", "video", "stream"))


def test_defaults_of_flags_are_those_of_the_options(faceattr: Command) -> None:
    seen: list[PipelineOptions] = []

    @with_flags
    def look(options: StreamOptions) -> None:
        seen.append(options)

    call(look)
    assert seen == [StreamOptions()]
