"""`faceattr batch` says how far it is and what it came to."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_runs import Inline

from faceattr.batch import running
from faceattr.batch.storage import StorageError
from faceattr.cli import batch, run
from faceattr.cli.signals import INTERRUPTED

pytest.importorskip("pyarrow")


def command(folder: Path, to: Path, *more: str) -> list[str]:
    """Return the arguments of a run that only looks for faces."""
    return ["batch", str(folder), "--to", str(to), "--actions", "", "--chunk-size", "3", *more]


def test_bad_pictures_are_counted_and_are_no_failure(
    folder: Path, tmp_path: Path, inline: Inline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(folder, tmp_path / "out")) == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert "9 pictures, 0 faces, 8 without a face, 1 failed" in said
    assert f"3 parts in {tmp_path / 'out'}, 3 of them new" in said


def test_a_part_that_is_missing_is_a_failure(
    folder: Path, tmp_path: Path, inline: Inline, capsys: pytest.CaptureFixture[str]
) -> None:
    inline.fate = lambda _: StorageError("the disk is away")
    assert run(command(folder, tmp_path / "out")) == 1
    assert "faceattr: the disk is away" in capsys.readouterr().err


def test_after_an_interruption_it_says_how_to_go_on(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_make_engine", interrupt)
    assert run(command(folder, tmp_path / "out")) == INTERRUPTED
    assert "run the same command again" in capsys.readouterr().err


def test_a_log_says_now_and_then_how_far_it_is(
    folder: Path,
    tmp_path: Path,
    inline: Inline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(batch, "REPORT", 0.0)
    assert run(command(folder, tmp_path / "out")) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("faceattr: 1 ")
    assert "chunks; 3 pictures" in first
    assert "pictures/s" in first


def test_wrong_usage_has_its_own_status(folder: Path, tmp_path: Path) -> None:
    assert run(command(folder, tmp_path / "out", "--engine", "cloud")) == 2
    assert run(["batch", str(folder)]) == 2
