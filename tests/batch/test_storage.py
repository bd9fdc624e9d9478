"""Names of files on local disks and elsewhere, and files that are there in full or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceattr.batch import storage
from faceattr.errors import MissingDependencyError, SinkError

pytest.importorskip("pyarrow")


def test_the_options_of_a_file_system_stay_at_the_end() -> None:
    assert storage.join("s3://bucket/a?region=x", "b.png") == "s3://bucket/a/b.png?region=x"
    assert storage.join("s3://bucket/a/", "b.png") == "s3://bucket/a/b.png"


def test_a_file_system_is_known_by_its_scheme(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    path = f"file://{tmp_path}/a.txt"
    assert storage.is_remote(path)
    assert storage.exists(path)
    assert not storage.exists(path + "x")
    assert storage.is_folder(f"file://{tmp_path}")
    assert storage.read_bytes(path) == b"here"
    assert storage.entries(f"file://{tmp_path}").__next__().path == path


def test_an_unknown_file_system_is_an_error() -> None:
    with pytest.raises(storage.StorageError, match="cannot be opened"):
        storage.exists("nothing://bucket/a")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, scheme: str) -> None:
    storage.write(f"{scheme}{tmp_path}/a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with pytest.raises(SinkError, match="cannot be written"):
        storage.write(f"{scheme}{tmp_path}/missing/a", b"content")
    storage.delete(f"{scheme}{tmp_path}/a")
    storage.delete(f"{scheme}{tmp_path}/a")
    assert not list(tmp_path.iterdir())


def test_a_read_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    class Flaky:
        def open_input_stream(self, path: str) -> object:
            attempts.append(path)
            if len(attempts) < 3:
                raise OSError("slow down")
            return open(path, "rb")

    (tmp_path / "a").write_bytes(b"content")
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(storage, "locate", lambda _: (Flaky(), str(tmp_path / "a")))
    assert storage.read_bytes("s3://bucket/a") == b"content"
    attempts.clear()
    monkeypatch.setattr(storage, "PAUSES", (0.0,))
    with pytest.raises(storage.StorageError, match="slow down"):
        storage.read_bytes("s3://bucket/a")


def test_without_pyarrow_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"faceattr\[parquet\]"):
        storage.import_arrow()
