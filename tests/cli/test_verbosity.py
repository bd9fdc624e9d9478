from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cli.conftest import Command

QUIET = [("-q", "list"), ("list", "-q"), ("--quiet", "weights", "list"), ("weights", "list", "-q")]


def test_a_run_says_what_it_has_done(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("analyze", astronaut)
    assert done.stderr.startswith("faceattr: 1 picture, 1 face, ")
    assert done.stderr.endswith(" s\n")


@pytest.mark.parametrize("before", [True, False])
def test_a_quiet_run_says_errors_only(
    faceattr: Command, astronaut: Path, tmp_path: Path, before: bool
) -> None:
    command = ["detect", str(astronaut), "-o", str(tmp_path / "a.csv")]
    assert faceattr(*(["-q", *command] if before else [*command, "-q"])) == (0, "", "")
    command = ["detect", "no.jpg", "-o", str(tmp_path / "a.csv"), "--resume"]
    done = faceattr(*(["-q", *command] if before else [*command, "-q"]))
    assert done == (1, "", "faceattr: no.jpg: no such file\n")


@pytest.mark.parametrize("command", [["-v", "analyze"], ["analyze", "-v"]])
def test_a_verbose_run_says_what_is_loaded_and_for_how_long(
    faceattr_process: Command, astronaut: Path, command: list[str]
) -> None:
    lines = faceattr_process(*command, astronaut, "-t", 1).stderr.splitlines()
    assert lines[0] == "faceattr: engine OpenVino, precision auto, threads: 1"
    assert lines[1].startswith("faceattr: detector yunet, threshold 0.")
    assert lines[1].endswith(" s")
    assert lines[2].startswith("faceattr: analyzer emotion, loaded in ")
    assert len(lines) == 4


def test_more_is_said_of_each_batch(faceattr_process: Command, astronaut: Path) -> None:
    done = faceattr_process("analyze", astronaut, "-vv", "--csv")
    assert "faceattr: 1 images: 1 faces detected in " in done.stderr
    assert done.stdout.count("\n") == 2


def test_quiet_and_verbose_exclude_each_other(faceattr: Command) -> None:
    done = faceattr("list", "-q", "-v")
    assert done.status == 2
    assert done.stderr.endswith("--quiet and --verbose exclude each other; choose one\n")


@pytest.mark.parametrize("command", QUIET, ids=" ".join)
def test_loggers_have_their_levels_back_after_a_run(
    faceattr: Command, command: tuple[str, ...]
) -> None:
    names = ("faceattr", "faceattr.weights", "faceattr.engines")
    before = [logging.getLogger(name).level for name in names]
    assert faceattr(*command).status == 0
    assert [logging.getLogger(name).level for name in names] == before
