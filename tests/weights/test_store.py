"""Where copies lie, which of them are believed, and files brought by hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from file_server import CONTENT, HALF, OTHER, PAGE, Server, file, part, published, put, sha256

from faceattr.errors import WeightsError
from faceattr.weights import (
    Copy,
    cache_folder,
    clear,
    digest_of,
    fetch,
    find,
    import_file,
    store,
    verify,
    weights_folder,
)


def test_a_file_that_was_put_into_the_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    path = put(weights_folder() / "model.h5", CONTENT)
    assert fetch(published()) == path


def test_a_folder_as_mirror_is_used_where_it_lies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_MIRROR", str(home / "mirror"))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    path = put(home / "mirror" / "model.h5", CONTENT)
    assert fetch(published()) == path


def test_deepface_s_copy_is_used_where_it_lies(home: Path) -> None:
    path = put(home / "home" / ".deepface" / "weights" / "model.h5", CONTENT)
    assert fetch(published()) == path


def test_a_copy_in_a_read_only_cache_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    path = put(weights_folder() / "model.h5", CONTENT)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert fetch(published()) == path


def test_an_unchanged_file_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put(weights_folder() / "model.h5", CONTENT)
    first = find(published())
    monkeypatch.setattr(store, "hash_file", lambda _: pytest.fail("read again"))
    assert find(published()) == first == Copy(weights_folder() / "model.h5", sha256(CONTENT))


def test_a_changed_file_is_noticed_and_downloaded_anew(server: Server) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    put(fetch(model), OTHER)
    assert find(model) is None
    assert fetch(model).read_bytes() == CONTENT


def test_a_change_that_keeps_size_and_time_is_noticed() -> None:
    path = put(weights_folder() / "model.h5", CONTENT)
    assert find(published()) is not None
    stat = path.stat()
    put(path, OTHER)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert find(published()) is None


def test_verify_reads_the_file_whatever_its_stamp_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_state", lambda _: "always the same")  # as when a disk rots
    path = put(weights_folder() / "model.h5", CONTENT)
    assert verify(published()) == find(published())
    put(path, OTHER)
    assert find(published()) is not None
    with pytest.raises(WeightsError, match=f"SHA-256 {sha256(OTHER)} instead of"):
        verify(published())
    assert find(published()) is None


def test_there_must_be_something_to_verify() -> None:
    with pytest.raises(WeightsError, match="there is nothing to verify"):
        verify(published())


def test_the_published_file_can_be_brought_by_hand(home: Path) -> None:
    brought = put(home / "usb" / "anything.h5", CONTENT)
    copy = import_file(brought, published())
    assert copy == find(published()) == Copy(weights_folder() / "model.h5", sha256(CONTENT))
    assert brought.read_bytes() == CONTENT


def test_another_file_is_not_taken_without_trust(home: Path) -> None:
    with pytest.raises(WeightsError, match="add --trust, in Python trust=True"):
        import_file(put(home / "other.h5", OTHER), published())
    assert clear(published()) == []


def test_no_file_cannot_be_imported(home: Path) -> None:
    with pytest.raises(WeightsError, match="is not a file"):
        import_file(home / "nothing.h5", published())


def test_a_trusted_file_takes_the_place_of_the_published_one(home: Path) -> None:
    published_copy = import_file(put(home / "right.h5", CONTENT), published())
    trusted = import_file(put(home / "other.h5", OTHER), published(), trust=True)
    assert trusted == find(published()) == verify(published())
    assert trusted.trusted
    assert fetch(published()).read_bytes() == OTHER
    assert digest_of(published()) == sha256(OTHER)
    assert published_copy.path.read_bytes() == CONTENT


def test_a_trusted_file_that_has_changed_is_trusted_no_more(home: Path) -> None:
    import_file(put(home / "right.h5", CONTENT), published())
    trusted = import_file(put(home / "other.h5", OTHER), published(), trust=True)
    put(trusted.path, PAGE)
    assert fetch(published()).read_bytes() == CONTENT


def test_the_published_file_ends_the_trust(home: Path) -> None:
    import_file(put(home / "other.h5", OTHER), published(), trust=True)
    import_file(put(home / "right.h5", CONTENT), published(), trust=True)
    assert digest_of(published()) == sha256(CONTENT)


def test_the_digest_of_a_file_that_is_not_here_is_the_published_one() -> None:
    assert digest_of(published()) == sha256(CONTENT)


def test_clear_removes_what_is_ours_and_nothing_else(home: Path) -> None:
    theirs = put(home / "home" / ".deepface" / "weights" / "model.h5", CONTENT)
    ours = [
        import_file(put(home / "right.h5", CONTENT), published()).path,
        import_file(put(home / "other.h5", OTHER), published(), trust=True).path,
        put(part(), CONTENT[:HALF]),
    ]
    assert set(ours) <= set(clear(published()))
    assert not any(path.exists() for path in ours)
    assert fetch(published()) == theirs


# Homes that cannot be used


def test_a_home_that_is_a_file_holds_no_copy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(put(home / "file", b"")))
    assert find(published()) is None
    assert digest_of(published()) == sha256(CONTENT)
    for act in (fetch, clear, lambda weights: import_file(home / "file", weights)):
        with pytest.raises(WeightsError, match=r"cannot store model.h5 .* set FACEATTR_HOME"):
            act(published("http://127.0.0.1:9/never-asked"))


def test_a_home_that_cannot_be_read_holds_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    put(weights_folder() / "model.h5", CONTENT)
    for method in ("open", "stat", "read_text", "is_file"):
        monkeypatch.setattr(Path, method, refuse)
    assert find(published()) is None
    with pytest.raises(WeightsError, match="there is nothing to verify"):
        verify(published())


@pytest.mark.parametrize("where", ["~nobody-has-this-name/cache", ""])
def test_without_a_home_other_folders_serve(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def unknown(*_: Any) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("FACEATTR_HOME", where)
    monkeypatch.delenv("DEEPFACE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: Path("~/.cache"))
    assert find(published()) is None
    with pytest.raises(WeightsError, match=r"no home folder .* set FACEATTR_HOME to a folder"):
        cache_folder()
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    with pytest.raises(WeightsError, match="missing from this machine, where no folder is known"):
        fetch(published())
    monkeypatch.setenv("FACEATTR_MIRROR", str(home / "mirror"))
    path = put(home / "mirror" / "model.h5", CONTENT)
    assert fetch(published()) == path == verify(published()).path


def test_a_set_home_needs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DEEPFACE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    path = put(weights_folder() / "model.h5", CONTENT)
    assert fetch(published()) == path


def test_a_damaged_stamp_is_not_believed() -> None:
    path = put(weights_folder() / "model.h5", CONTENT)
    assert find(published()) is not None
    (stamp,) = (weights_folder() / "stamps").iterdir()
    for damaged in (b"", b"\xff" * 99, sha256(OTHER).encode()):
        stamp.write_bytes(damaged)
        assert find(published()) == Copy(path, sha256(CONTENT))
