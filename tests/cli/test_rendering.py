from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Command

from faceattr.cli.rendering import print_table

UNICODE = "Müller 日本 \N{GRINNING FACE}.png"


def run(
    *arguments: str | Path,
    encoding: str = "utf-8",
    stdout: int | io.TextIOWrapper = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "faceattr", *map(str, arguments)]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "120"}
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False
    )


def test_text_is_shown_and_never_obeyed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    cells = [
        "[bold]a[/x]",
        ":smile:",
        "\x1b[31mred",
        "two\nlines\r",
        "\u202egnp.exe",
        "\x9b2J",
        "ü日",
    ]
    print_table(["[b]", *"234567"], [cells], title="[red]title\x07")
    shown = capsys.readouterr().out
    for words in ("[bold]a[/x]", ":smile:", r"\x1b[31mred", r"two\nlines\r", r"\u202egnp.exe"):
        assert words in shown
    for words in (r"\x9b2J", "ü日", "[b]", r"[red]title\x07"):
        assert words in shown
    assert not {"\x1b", "\r", "\u202e", "\x9b", "\x07"} & set(shown)


def test_a_table_is_cut_to_a_width_only_where_there_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    word = "long" * 60
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(["name"], [[word]])
    assert word in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["name"], [[word]])
    assert max(map(len, capsys.readouterr().out.splitlines())) == 80


@pytest.fixture
def folder(astronaut: Path, tmp_path: Path) -> Path:
    """A picture and a broken one with names that no code page has."""
    (tmp_path / UNICODE).write_bytes(astronaut.read_bytes())
    (tmp_path / f"bad {UNICODE}").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_results_are_text_in_any_locale(folder: Path, encoding: str) -> None:
    escaped = UNICODE.encode(encoding, "backslashreplace")
    table = run("detect", folder, "-d", "whole", encoding=encoding)
    assert table.returncode == 1
    assert escaped in table.stdout
    assert b"bad " + escaped in table.stderr
    assert b"Traceback" not in table.stderr
    rows = run("detect", folder, "-d", "whole", "--csv", encoding=encoding).stdout
    good, bad = csv.DictReader(io.StringIO(rows.decode(encoding)))
    assert good["source"].endswith(escaped.decode(encoding))
    assert "not a picture" in bad["error"]
    for form in ("--json", "--jsonl"):
        text = run("detect", folder, "-d", "whole", form, encoding=encoding).stdout.decode()
        listed = json.loads(text) if form == "--json" else [*map(json.loads, text.splitlines())]
        assert [Path(result["source"]).name for result in listed] == [UNICODE, f"bad {UNICODE}"]


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["weights", "list"]], ids=" ".join)
def test_what_the_command_says_itself_is_text_in_any_locale(arguments: list[str]) -> None:
    done = run(*arguments, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("form", [None, "--json", "--jsonl", "--csv", "list", "--help"])
def test_a_full_disk_is_one_line_and_status_1(folder: Path, form: str | None) -> None:
    command = ["detect", folder / UNICODE, "-d", "whole", *([form] if form else [])]
    with open("/dev/full", "w") as full:
        done = run(*([form] if form in ("list", "--help") else command), stdout=full)
    assert done.returncode == 1
    assert b"cannot be written: No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_closed_pipe_ends_the_run_with_the_number_of_pictures_done(
    astronaut: Path, tmp_path: Path
) -> None:
    for index in range(100):
        (tmp_path / f"{index:02}.png").write_bytes(astronaut.read_bytes())
    command = [sys.executable, "-m", "faceattr", "detect", str(tmp_path), "-d", "whole", "--jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        message = process.stderr.read().decode()
    assert process.returncode == 1
    assert message.endswith(" of 100 pictures are done\n")
    assert len(message.splitlines()) == 1


def test_cells_that_a_spreadsheet_would_run_are_text(
    faceattr: Command, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "=cmd.png").write_bytes(astronaut.read_bytes())
    monkeypatch.chdir(tmp_path)
    (row,) = csv.DictReader(io.StringIO(faceattr("detect", "=cmd.png", "--csv").stdout))
    assert row["source"] == "'=cmd.png"
