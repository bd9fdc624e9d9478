from __future__ import annotations

import re
from typing import Annotated

import pytest
import typer
from cli.conftest import Command
from typer.testing import CliRunner

from faceattr.cli import app
from faceattr.cli.help import Command as HelpfulCommand
from faceattr.cli.weights import app as weights_app

COMMANDS = [
    *((str(one.name or one.callback.__name__),) for one in app.registered_commands if one.callback),
    *(("weights", str(one.name)) for one in weights_app.registered_commands),
]


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("command", [(), ("weights",), *COMMANDS], ids=" ".join)
def test_help_is_aligned_and_fits_the_terminal(
    faceattr: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = faceattr(*command, "--help")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Usage: {' '.join(['faceattr', *command])} [OPTIONS]")
    assert max(map(len, lines)) <= int(columns)
    assert not re.search(r"<\w+>|``|\x1b", done.stdout)  # types of Python, markup, colors
    assert "--help" in done.stdout
    assert "2 if an option or its value is wrong" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", ["analyze", "detect", "video", "stream", "eval", "info"])
def test_help_ends_with_examples_that_the_command_understands(
    faceattr: Command, command: str
) -> None:
    text = faceattr(command, "-h").stdout
    examples = text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) >= 2
    for example in examples:
        arguments = example.partition(f"faceattr {command}")[2].replace("'", "").split(" > ")[0]
        done = faceattr(command, *arguments.split(), "--help")  # which checks the others' names
        assert (done.status, done.stderr) == (0, "")
        flags = re.findall(r"(?<=\s)--?[a-z-]+", arguments)
        assert all(re.search(rf"\s{flag}[ ,\n]", text) for flag in flags)


def test_the_command_alone_shows_the_three_commonest(faceattr: Command) -> None:
    done = faceattr()
    assert (done.status, done.stderr) == (2, "")
    examples = done.stdout.partition("Examples:\n")[2].splitlines()[:3]
    assert [line.split()[1] for line in examples] == ["analyze", "video", "stream"]
    assert faceattr("-h") == (0, done.stdout, "")


def test_a_command_of_commands_alone_shows_them(faceattr: Command) -> None:
    done = faceattr("weights")
    assert (done.status, done.stderr) == (2, "")
    assert "  import  Copy a file that you have" in done.stdout


def test_flags_are_listed_with_short_form_placeholder_and_default(
    faceattr: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = faceattr("stream", "-h").stdout.splitlines()
    for words in (
        "  -d, --detector NAME           What finds the faces; see `faceattr list`.",
        "  -h, --help                    Show this message and exit.",
        "      --display / --no-display  ",
        "      --engine openvino|tensorflow",
    ):
        assert any(line.startswith(words) for line in lines), words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["anal"], r"No such command 'anal'. .*Did you mean 'analyze'\?; see `faceattr --help`"),
        (["analyze"], r"Missing argument 'PATH\.\.\.'; see `faceattr analyze --help`"),
        (
            ["analyze", "a.jpg", "--acton"],
            r"No such option.*--acton.*see `faceattr analyze --help`",
        ),
        (["detect", "a.jpg", "--max-faces", "x"], r"Invalid value for '--max-faces': .*"),
        (["weights", "nope"], r"No such command 'nope'; see `faceattr weights --help`"),
    ],
)
def test_what_is_not_understood_is_one_line_and_status_2(
    faceattr: Command, arguments: list[str], message: str
) -> None:
    done = faceattr(*arguments)
    assert (done.status, done.stdout) == (2, "")
    assert re.fullmatch(f"faceattr: {message}\n", done.stderr)


def test_each_kind_of_flag_is_written_as_it_is_typed() -> None:
    own = typer.Typer(add_completion=False)

    @own.command(cls=HelpfulCommand)
    def work(
        both: Annotated[bool, typer.Option("--both/--no-both", "-b")] = True,
        off: Annotated[bool, typer.Option(" /--no-off", help="Turned off.")] = True,
        number: Annotated[int, typer.Option("--number", metavar="N", help="[b] counted.")] = 3,
        word: Annotated[str | None, typer.Option("-w", "--word")] = None,
    ) -> None:
        """Work."""

    lines = CliRunner().invoke(own, ["--help"]).stdout.splitlines()
    assert lines[4:9] == [
        "Options:",
        "  -b, --both / --no-both",
        "      --no-off            Turned off.",
        "      --number N          [b] counted. [default: 3]",
        "  -w, --word TEXT",
    ]


def test_a_default_and_a_command_stay_on_one_line() -> None:
    own = typer.Typer(add_completion=False)

    @own.command(cls=HelpfulCommand)
    def work(
        n: Annotated[
            int,
            typer.Option("-n", metavar="N", help="x " * 22 + "`a b c`", show_default="as it is"),
        ] = 3,
    ) -> None:
        """Work."""

    lines = CliRunner().invoke(own, ["--help"], env={"COLUMNS": "60"}).stdout.splitlines()
    assert lines[5:8] == [
        "  -n N        x x x x x x x x x x x x x x x x x x x x x x",
        "              `a b c` [default: as it is]",
        "",
    ]
