"""The guides of one question each: what they show runs, and what they quote is measured."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import faceattr
from faceattr.cli import run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = (
    *("accuracy-and-fairness", "faq", "fewer-labels", "index", "offline", "privacy"),
    *("threads-and-forks", "troubleshooting"),
)
ELSEWHERE = (  # what tests have not: a network, a camera, a window, a moment for a second process
    *("git ", "cd ", "python3 ", "pip ", "export ", ".venv/bin/pip ", "apt-get "),
    *("faceattr weights fetch", "faceattr weights import", "faceattr stream"),
)
CARDS = {  # by the section that quotes them
    "Emotion": "emotion",
    "Age": "age_gender",
    "Gender": "age_gender",
    "Identity": "identity",
}
SECOND_PROCESS = "__main__"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def files(page_folder: Path, astronaut: Path) -> Path:
    """The folder of the pages, with what these guides name besides."""
    shutil.copytree(page_folder / "holiday", page_folder / "mood" / "good")
    shutil.copytree(page_folder / "holiday", page_folder / "mood" / "bad")
    (page_folder / "docs").mkdir()
    shutil.copy(astronaut, page_folder / "docs" / "astronaut.jpg")
    (page_folder / "people.csv").write_text("path,label,site\nphoto.jpg,31,Berlin\n")
    assert run(["gallery", "add", "people.gallery", "Ada Lovelace", "photo.jpg"]) == 0
    return page_folder


@pytest.mark.parametrize("page", GUIDES)
def test_what_a_guide_shows_runs(page: str, files: Path) -> None:
    for command in "".join(blocks(page, "console")).splitlines():
        if not command.startswith(ELSEWHERE):
            name, *arguments = shlex.split(command)
            assert Path(name).name == "faceattr"
            assert run(arguments) == 0, command
    names: dict[str, Any] = {"faceattr": faceattr}
    for code in blocks(page, "python"):
        if SECOND_PROCESS not in code:
            exec(compile(code, page, "exec", dont_inherit=True), names)


@pytest.mark.parametrize("page", ["troubleshooting", "faq"])
def test_the_advice_in_passing_runs_too(page: str, files: Path) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    said = re.findall(r"`(faceattr (?:-v )?(?:analyze|detect|video|info) [^`]+)`", text)
    assert len(said) >= 1
    for command in said:
        assert run(shlex.split(command)[1:]) == 0, command


def test_hidden_faces_are_not_found_again(files: Path) -> None:
    (command,) = [one for one in blocks("privacy", "console") if "--blur" in one]
    for line in command.splitlines():
        assert run(shlex.split(line)[1:]) == 0
    assert faceattr.detect("holiday/a.png") != []
    assert faceattr.detect("hidden/a.png") == []


@pytest.mark.slow
def test_the_processes_of_the_page_count_faces(files: Path) -> None:
    (code,) = [one for one in blocks("threads-and-forks", "python") if SECOND_PROCESS in one]
    (files / "count.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "count.py"], capture_output=True, text=True, cwd=files, check=True
    )
    assert done.stdout == "[1, 1]\n"


def test_the_guide_quotes_what_the_engine_says_after_a_fork() -> None:
    source = (ROOT / "faceattr" / "engines" / "forking.py").read_text(encoding="utf-8")
    (said,) = blocks("threads-and-forks", "text")
    assert said.strip() in re.sub(r'"\s+"', "", source)


def test_the_errors_that_are_explained_are_those_that_there_are() -> None:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    said = re.findall(r"“(.*?)”", "".join(re.findall(r"^## .*$", text, re.MULTILINE)))
    assert len(said) == 14
    sources = "".join(
        re.sub(r'"\s+f?"', "", path.read_text(encoding="utf-8"))
        for path in (ROOT / "faceattr").rglob("*.py")
    )
    for message in said:
        known = re.split(r"…(?:/weights)?|\d+|'\w+'|Face\b|HEIC|JPEG", message)
        pattern = ".{0,80}?".join(re.escape(part) for part in known)
        assert re.search(pattern, sources), message


def test_the_figures_on_accuracy_are_those_of_the_cards() -> None:
    text = (DOCS / "accuracy-and-fairness.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    checked = 0
    for title, section in sections:
        if title not in CARDS:
            continue
        card = (ROOT / "models" / CARDS[title] / "README.md").read_text(encoding="utf-8")
        for figure in re.findall(r"\d+\.\d+%?", section):
            checked += 1
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", card), f"{title}: {figure}"
    assert checked == 39


def test_the_first_answer_looks_as_on_the_first_page(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(DOCS / "astronaut.jpg", files / "docs" / "astronaut.jpg")
    capsys.readouterr()
    command = next(one for one in blocks("index", "console")[0].splitlines() if "analyze" in one)
    assert run(shlex.split(command)[1:]) == 0
    printed, shown = capsys.readouterr().out, blocks("index", "text")[0]
    assert re.sub(r"\d", "0", printed) == re.sub(r"\d", "0", shown)  # processors differ a little
