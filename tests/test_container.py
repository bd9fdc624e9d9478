"""What the Dockerfile and compose.yaml name is there; no container is built here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from faceattr.cli import run as run_command

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*"
    kept = {line[1:] for line in lines if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    copied = {name for copy in copies for name in copy.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_the_options_of_the_container_are_those_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("fastapi", reason="needs faceattr[serve]")
    entry = json.loads(DOCKERFILE.partition("ENTRYPOINT ")[2])
    command = json.loads(COMPOSE.partition("command: ")[2].splitlines()[0])
    assert entry[:2] == ["faceattr", "serve"]
    assert run_command(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    options = [one for one in entry + command if one.startswith("--")]
    assert options == ["--host", "--port", "--keys", "--actions"]
    assert all(re.search(rf"{one}\b", shown) for one in options)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_what_the_server_needs_is_read_from_the_project() -> None:
    (command,) = re.findall(r"^RUN (python -c .*?) > requirements-serve.txt", DOCKERFILE, re.M)
    words = [sys.executable, *shlex.split(command)[1:]]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [re.split("[>=<]", line)[0] for line in printed.splitlines()]
    assert {"fastapi", "uvicorn", "python-multipart", "prometheus-client"} <= set(names)


def test_the_container_runs_as_nobody_special_on_files_that_it_cannot_change() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    for line in ("read_only: true", "cap_drop: [ALL]", "tmpfs: [/tmp]"):
        assert line in COMPOSE
    assert "FACEATTR_HOME=/tmp/" in DOCKERFILE
