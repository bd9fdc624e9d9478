"""The site shows what the repository has: its links, the public names, every command."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.main import get_command

import faceattr
from faceattr.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
    *sorted(ROOT.glob("models/*/README.md")),
]
PLACEHOLDERS = {"COMMAND", "FILE", "NAME", "…"}


def hook(name: str) -> ModuleType:
    """Return a module of the site, which is not part of a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "link", "turned"),
    [
        ("docs/train.md", "evaluate.md#from-python", "evaluate.md#from-python"),
        ("docs/train.md", "../models/emotion/README.md", "models/emotion.md"),
        ("models/emotion/README.md", "../../docs/train.md", "../train.md"),
        ("models/emotion/README.md", "train.py", "{}/blob/main/models/emotion/train.py"),
        ("docs/train.md", "../models#a", "{}/tree/main/models#a"),
        ("docs/train.md", "nowhere.md", "nowhere.md"),
        ("docs/train.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/train.md", "#how-many-pictures", "#how-many-pictures"),
    ],
)
def test_links_lead_to_the_site_or_else_to_the_repository(
    page: str, link: str, turned: str
) -> None:
    links = hook("links")
    pages = {f"docs/{name}.md": f"{name}.md" for name in ("train", "evaluate")}
    pages["models/emotion/README.md"] = "models/emotion.md"
    text = links.turn_links(f"[one]({link}) and [two]({link}).", page, pages, ROOT)
    expected = turned.format(links.REPOSITORY)
    assert text == f"[one]({expected}) and [two]({expected})."


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_of_the_repository(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)\s#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_public_name_has_one_place_in_the_reference() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/api/*.md"))
    names = re.findall(r"^::: faceattr\.(\w+)$", text, re.MULTILINE)
    assert sorted(names) == faceattr.__all__


def test_the_page_on_the_command_has_every_command_and_option() -> None:
    page = hook("command_page").command_page()
    for path, command in commands(get_command(app), "faceattr"):
        _, _, section = page.partition(f"# {path}\n")
        section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
        assert f"\n{path} [OPTIONS]" in section
        for flag in flags_of(command) - {"--help", "-h", "--quiet", "-q", "--verbose", "-v"}:
            assert re.search(rf"^`[^`]*(?<![\w-]){flag}\b", section, re.MULTILINE), (path, flag)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield a command and all below it, with their full names."""
    yield path, command
    for name, own in getattr(command, "commands", {}).items():
        yield from commands(own, f"{path} {name}")


def flags_of(command: Any) -> set[str]:
    """Return all spellings of a command's options."""
    context = typer.Context(command)
    return {
        flag
        for one in command.get_params(context)
        if one.param_type_name == "option"
        for flag in (*one.opts, *one.secondary_opts)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_command_understands_what_pages_show(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for words in command_lines(block.replace("\\\n", " ")):
            parse(words)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for command in re.findall(r"`(faceattr [^`]+)`", prose):
        words = shlex.split(" ".join(command.split()))
        if not PLACEHOLDERS & set(words):
            own, rest = find_command(words[1:])
            known = flags_of(own)
            assert [one for one in rest if one.startswith("-") and one not in known] == [], command


def command_lines(block: str) -> Iterator[list[str]]:
    """Yield the words of each call of the command, without pipes and redirections."""
    for line in block.splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
        lexer.whitespace_split = True
        for word in [*lexer, "|"]:
            if set(word) <= set("|>&;"):
                if words and Path(words[0]).name == "faceattr":
                    yield words
                words = []
            else:
                words.append(word)


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the first words name, and the other words."""
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def parse(words: list[str]) -> None:
    """Parse the words as the command does, with types and what is required."""
    command, rest = find_command(words[1:])
    with suppress(typer.Exit):  # of --help and --version
        command.make_context(" ".join(words), rest)


def test_a_wrong_command_on_a_page_is_noticed() -> None:
    (words,) = command_lines("cat x | faceattr weights path  # where they are")
    with pytest.raises(Exception, match="Missing parameter: name"):
        parse(words)
    (words,) = command_lines("faceattr analyze photo.jpg --acton emotion > faces.csv")
    with pytest.raises(Exception, match="--acton"):
        parse(words)
