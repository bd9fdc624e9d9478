"""Every job of docs/jobs.md does what its page says, on a picture, a folder and a film."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import faceattr
from faceattr.cli import run

PAGE = (Path(__file__).parents[1] / "docs" / "jobs.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
CAMERA = "7. A camera in a window"  # of which tests have none
PACKAGES = {  # that a section needs, by what it calls
    "to_dataframe": "pandas",
    "plot": "matplotlib",
    "supervision": "supervision",
}
FILES = {  # that a section leaves behind
    "3. A folder to a CSV file": {"faces.csv"},
    "5. An annotated copy": {"annotated/photo.jpg", "annotated.png"},
    "6. An annotated film and its timeline": {"annotated.mp4", "timeline.png"},
    "9. The distribution of emotions, as a chart": {"emotions.png"},
    "10. An analyzer of your own": {"light.faceattr"},
}


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.mark.parametrize("section", [one for one in SECTIONS if one != CAMERA])
def test_a_job_does_what_it_says(section: str, page_folder: Path) -> None:
    for word, package in PACKAGES.items():
        if word in SECTIONS[section]:
            pytest.importorskip(package)
    before = {str(path.relative_to(page_folder)) for path in page_folder.rglob("*")}
    for command in "".join(blocks(section, "console")).splitlines():
        name, *arguments = shlex.split(command)
        assert name == "faceattr"
        assert run(arguments) == 0
    names: dict[str, Any] = {"faceattr": faceattr}
    for code in blocks(section, "python"):
        exec(compile(code, section, "exec"), names)
    made = {path for path in page_folder.rglob("*") if path.is_file()}
    left = {path.relative_to(page_folder).as_posix() for path in made} - before
    assert left == FILES.get(section, set())


def test_what_the_jobs_print_is_right(
    page_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = blocks("1. The emotion on a picture", "python")
    exec(first, {})
    label, score = capsys.readouterr().out.split()
    assert label == "happy"
    assert 0.9 < float(score) <= 1


def test_there_are_ten_jobs_of_two_lines() -> None:
    jobs = [section for section in SECTIONS if section[0].isdigit()]
    assert [int(job.partition(".")[0]) for job in jobs] == list(range(1, 11))
    for job in jobs:
        python, console = blocks(job, "python"), blocks(job, "console")
        assert python or console
        assert all(len(commands.splitlines()) <= 2 for commands in console)
        for code in python:
            lines = [line for line in code.splitlines() if line and "import " not in line]
            assert len(lines) <= 2, job
