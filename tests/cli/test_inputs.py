from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Command

from faceattr.cli.inputs import expand_arguments
from faceattr.errors import OptionError


def run(*arguments: str, given: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "faceattr", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, cwd=folder)


def test_a_picture_comes_on_standard_input(astronaut: Path, tmp_path: Path) -> None:
    options = ["--csv", "--save", "out"]
    done = run("detect", "-", *options, given=astronaut.read_bytes(), folder=tmp_path)
    assert done.returncode == 0
    (row,) = csv.DictReader(io.StringIO(done.stdout.decode()))
    assert (row["source"], row["face"]) == ("stdin", "0")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["stdin.png"]
    again = run("detect", "-", *options, given=astronaut.read_bytes(), folder=tmp_path)
    assert again.returncode == 1
    assert b"exists already" in again.stderr


def test_what_is_no_picture_on_standard_input_is_an_error_of_that_picture(tmp_path: Path) -> None:
    (tmp_path / "stdin").write_text("a file of that name is another matter")
    for given, message in ((b"", b"stdin: empty, 0 bytes"), (b"text", b"stdin: not a picture")):
        done = run("detect", "-", given=given, folder=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith(b"faceattr: " + message)


def test_a_list_on_standard_input_names_pictures(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(astronaut.read_bytes())
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d.png").write_bytes(astronaut.read_bytes())
    given = b"\xef\xbb\xbf# the first\r\na b.png\r\n\r\nc\n  \nno.jpg"
    done = run("detect", "@-", "--jsonl", given=given, folder=tmp_path)
    assert done.returncode == 1
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(one["source"]).as_posix() for one in results] == ["a b.png", "c/d.png", "no.jpg"]
    assert "error" in results[2]


def test_a_run_over_a_list_is_resumed(faceattr: Command, astronaut: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        path.write_bytes(astronaut.read_bytes())
    names, table = tmp_path / "list.txt", tmp_path / "faces.jsonl"
    names.write_text(f"{paths[0]}\n{paths[1]}\n")
    command = ("detect", f"@{names}", "-o", table)
    assert faceattr(*command).status == 0
    assert faceattr(*command).status == 1  # it exists
    names.write_text("\n".join(map(str, paths)))
    done = faceattr(*command, "--resume")
    assert done.status == 0
    assert "2 of 3 pictures are there already" in done.stderr
    sources = [json.loads(line)["source"] for line in table.read_text().splitlines()]
    assert sources == list(map(str, paths))


def test_a_file_whose_name_begins_with_an_at_sign_is_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("@home.jpg").write_text("")
    assert expand_arguments(["@home.jpg", "a.jpg"]) == ["@home.jpg", "a.jpg"]


def test_names_in_a_list_keep_their_spaces_and_need_not_be_unicode(tmp_path: Path) -> None:
    names = tmp_path / "list.txt"
    names.write_bytes(b" a\x0b.jpg \n\xff.jpg\n")
    assert expand_arguments([f"@{names}"]) == [" a\x0b.jpg ", "\udcff.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the list cannot be read: No such file or directory; name a file with one path"),
        (b"# nothing\n\n", "the list names no pictures"),
        (b"\x89PNG\0\0\n", "not a list, which is text with one path or URL per line"),
    ],
)
def test_a_list_that_is_none_is_one_line_and_status_2(
    faceattr: Command, tmp_path: Path, content: bytes | None, message: str
) -> None:
    names = tmp_path / "list.txt"
    if content is not None:
        names.write_bytes(content)
    done = faceattr("detect", f"@{names}")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(f"faceattr: @{names}: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_standard_input_is_read_once(faceattr: Command) -> None:
    done = faceattr("detect", "-", "@-")
    assert done == (2, "", "faceattr: - @-: standard input can be read only once; name it once\n")


def test_standard_input_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OptionError, match="-: standard input is closed"):
        expand_arguments(["-"])


def test_nobody_types_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(OptionError, match="standard input is the terminal"):
        expand_arguments(["-"])


def test_standard_input_cannot_be_resumed(tmp_path: Path) -> None:
    done = run("detect", "-", "-o", "a.csv", "--resume", given=b"", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"faceattr: --resume cannot tell what was on standard input")
