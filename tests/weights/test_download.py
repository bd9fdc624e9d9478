"""Downloads from a server on this machine, and what they leave on the disk."""

from __future__ import annotations

import bz2
import errno
import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest
from file_server import (
    CONTENT,
    HALF,
    OTHER,
    PAGE,
    Server,
    broken_off,
    file,
    file_of_unknown_length,
    file_without_ranges,
    hang_after,
    in_turn,
    part,
    published,
    put,
    sha256,
    status,
    trickle,
)

from faceattr.errors import WeightsError
from faceattr.weights import (
    GoogleDrive,
    Timeouts,
    cache_folder,
    download,
    fetch,
    find,
    store,
    weights_folder,
)

QUICK = Timeouts(connect=1.0, read=0.3, stall=0.3, lock=0.1)


def test_a_file_is_downloaded_once_and_then_served_from_the_cache(server: Server) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    assert fetch(model) == fetch(model) == cache_folder() / "weights" / "model.h5"
    assert fetch(model).read_bytes() == CONTENT
    assert server.requests == [("/model.h5", None)]


def test_nothing_but_the_file_its_stamp_and_its_lock_stays(server: Server) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    fetch(published(server.url("/model.h5")))
    names = {path.name for path in weights_folder().iterdir()}
    assert names == {"model.h5", "stamps", ".model.h5.lock"}


def test_progress_is_logged_where_there_is_no_terminal(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    with caplog.at_level(logging.INFO, "faceattr.weights"):
        fetch(published(server.url("/model.h5")))
    first, *_, last = caplog.messages
    assert first == f"downloading model.h5 (0.256 MB) from {server.url('/model.h5')}"
    assert last == "model.h5: 100 %"


def test_ten_processes_that_start_together_download_once(server: Server) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    with multiprocessing.get_context("spawn").Pool(10) as pool:
        paths = pool.map(fetch, [model] * 10, chunksize=1)
    assert paths == [weights_folder() / "model.h5"] * 10
    assert len(server.requests) == 1


def test_a_packed_source_is_unpacked(server: Server) -> None:
    server.answers["/model.h5.bz2"] = file(bz2.compress(CONTENT))
    assert fetch(published(server.url("/model.h5.bz2"))).read_bytes() == CONTENT


def test_google_drive_is_read_through_gdown(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/shared"] = file(CONTENT)
    monkeypatch.setattr(GoogleDrive, "__str__", lambda _: server.url("/shared"))
    assert fetch(published(GoogleDrive("1YCox"))).read_bytes() == CONTENT


def test_importing_the_module_imports_no_network_library() -> None:
    code = "import sys, faceattr.weights; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"requests", "urllib3", "gdown", "tqdm", "filelock"} & set(modules)


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server) -> None:
    server.answers["/model.h5"] = in_turn(broken_off(CONTENT, HALF), file(CONTENT))
    assert fetch(published(server.url("/model.h5"))).read_bytes() == CONTENT
    assert server.requests == [("/model.h5", None), ("/model.h5", f"bytes={HALF}-")]


def test_another_source_goes_on_where_the_first_broke_off(server: Server) -> None:
    server.answers["/a"] = broken_off(CONTENT, HALF)
    server.answers["/b"] = file(CONTENT)
    assert fetch(published(server.url("/a"), server.url("/b"))).read_bytes() == CONTENT
    assert server.requests[-1] == ("/b", f"bytes={HALF}-")


def test_a_killed_process_leaves_a_part_that_the_next_one_completes(server: Server) -> None:
    server.answers["/model.h5"] = in_turn(hang_after(CONTENT[:HALF]), file(CONTENT))
    model = published(server.url("/model.h5"))
    process = multiprocessing.get_context("spawn").Process(target=fetch, args=(model,))
    process.start()
    while not part().exists() or part().stat().st_size < HALF // 2:
        assert process.is_alive()
    process.kill()
    process.join()
    assert find(model) is None
    assert fetch(model).read_bytes() == CONTENT
    assert server.requests[-1][1] is not None  # only the rest was asked for


def test_a_server_without_ranges_starts_anew(server: Server) -> None:
    put(part(), CONTENT[:HALF])
    server.answers["/model.h5"] = file_without_ranges(CONTENT)
    assert fetch(published(server.url("/model.h5"))).read_bytes() == CONTENT


def test_the_part_of_another_file_is_replaced(server: Server) -> None:
    put(part(), OTHER[:HALF])
    server.answers["/model.h5"] = file(CONTENT)
    assert fetch(published(server.url("/model.h5"))).read_bytes() == CONTENT
    assert server.requests == [("/model.h5", f"bytes={HALF}-"), ("/model.h5", None)]


def test_a_part_that_was_complete_is_published(server: Server) -> None:
    put(part(), CONTENT)
    server.answers["/model.h5"] = file(CONTENT)
    assert fetch(published(server.url("/model.h5"))).read_bytes() == CONTENT


REFUSED = {
    "404": (status(404), "404 Not Found"),
    "page": (file(PAGE), "an HTML page instead of the file"),
    "another": (file(OTHER), f"another file, 256000 bytes with SHA-256 {sha256(OTHER)}"),
    "empty": (file_of_unknown_length(b""), "another file, 0 bytes"),
    "cut": (broken_off(CONTENT, HALF), "IncompleteRead(0 bytes read, 128000 more expected)"),
    "cut unnoticed": (file_of_unknown_length(CONTENT[:HALF]), "another file, 128000 bytes"),
    "endless": (file(CONTENT * 2), "more than the 256000 bytes of the file"),
    "silent": (hang_after(b""), "timed out"),
    "hanging": (hang_after(CONTENT[:HALF]), "timed out"),
    "trickling": (trickle, "bytes in 0.3 s"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_the_file_is_refused_with_its_reason(server: Server, kind: str) -> None:
    server.answers["/model.h5"], reason = REFUSED[kind]
    model = published(server.url("/model.h5"))
    with pytest.raises(WeightsError, match="missing") as caught:
        fetch(model, timeouts=QUICK)
    assert f"{server.url('/model.h5')}: " in str(caught.value)
    assert reason in str(caught.value)
    assert not (weights_folder() / "model.h5").exists()


@pytest.mark.parametrize("kind", REFUSED)
def test_the_next_source_makes_up_for_it(server: Server, kind: str) -> None:
    server.answers["/bad"], _ = REFUSED[kind]
    server.answers["/good"] = file(CONTENT)
    model = published(server.url("/bad"), server.url("/good"))
    assert fetch(model, timeouts=QUICK).read_bytes() == CONTENT


def test_a_damaged_packed_source_is_refused(server: Server) -> None:
    server.answers["/cut.bz2"] = file(bz2.compress(CONTENT)[:100])
    server.answers["/page.bz2"] = file(PAGE)
    with pytest.raises(WeightsError) as caught:
        fetch(published(server.url("/cut.bz2"), server.url("/page.bz2")))
    assert "ended before the end-of-stream marker" in str(caught.value)
    assert "Invalid data stream" in str(caught.value)


def test_a_page_does_not_replace_what_has_arrived(server: Server) -> None:
    put(part(), CONTENT[:HALF])
    server.answers["/model.h5"] = file_without_ranges(PAGE)
    with pytest.raises(WeightsError, match="HTML page"):
        fetch(published(server.url("/model.h5")))
    assert part().read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize("kind", ["404", "page", "another", "silent", "hanging", "cut"])
def test_google_drive_may_fail_too(
    server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    server.answers["/shared"], _ = REFUSED[kind]
    server.answers["/model.h5"] = file(CONTENT)
    monkeypatch.setattr(GoogleDrive, "__str__", lambda _: server.url("/shared"))
    model = published(GoogleDrive("1YCox"), server.url("/model.h5"))
    assert fetch(model, timeouts=QUICK).read_bytes() == CONTENT


def test_nobody_listening_is_a_reason(server: Server) -> None:
    with pytest.raises(WeightsError, match=r"http://127.0.0.1:9/model.h5: .*refused"):
        fetch(published("http://127.0.0.1:9/model.h5"))  # the discard port


def test_offline_the_error_says_how_to_bring_the_file(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    model = published(server.url("/model.h5"), GoogleDrive("1YCox"))
    with pytest.raises(WeightsError) as caught:
        fetch(model)
    assert str(caught.value) == (
        f"model.h5 (0.256 MB) is missing from {weights_folder()}, "
        f"{home / 'home' / '.deepface' / 'weights'}: downloads are disabled by FACEATTR_OFFLINE; "
        f"to bring it by hand, put the file with SHA-256 {sha256(CONTENT)} into "
        f"{weights_folder()}; it is published at {server.url('/model.h5')}, https://drive.google.com/uc?id=1YCox"
    )
    assert server.requests == []


def test_a_mirror_on_the_web_is_asked_first(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_MIRROR", server.url("/mirror/"))
    server.answers["/mirror/model.h5"] = file(CONTENT)
    fetch(published(server.url("/model.h5")))
    assert server.requests == [("/mirror/model.h5", None)]


def test_another_file_in_deepface_s_folder_is_left_alone(server: Server, home: Path) -> None:
    path = put(home / "home" / ".deepface" / "weights" / "model.h5", OTHER)
    server.answers["/model.h5"] = file(CONTENT)
    assert fetch(published(server.url("/model.h5"))) == weights_folder() / "model.h5"
    assert path.read_bytes() == OTHER


def test_a_cache_that_cannot_be_written_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WeightsError, match="Read-only file system") as caught:
        fetch(published(server.url("/model.h5")))
    assert f"cannot store model.h5 (0.256 MB) in {weights_folder()}" in str(caught.value)
    assert "FACEATTR_HOME" in str(caught.value)


def test_a_full_disk_is_named_and_what_has_arrived_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(part: download._Part, chunk: bytes) -> int:
        part._file.write(chunk[:HALF])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"), server.url("/never-asked"))
    with monkeypatch.context() as patch:
        patch.setattr(download._Part, "write", fill)
        with pytest.raises(WeightsError, match="No space left on device"):
            fetch(model)
    assert find(model) is None
    assert fetch(model).read_bytes() == CONTENT
    assert {path for path, _ in server.requests} == {"/model.h5"}


def test_another_process_is_not_awaited_for_ever(server: Server) -> None:
    put(weights_folder() / ".model.h5.lock", b"")
    with (
        filelock.FileLock(weights_folder() / ".model.h5.lock"),
        pytest.raises(WeightsError, match="another process has been writing model"),
    ):
        fetch(published(server.url("/model.h5")), timeouts=QUICK)


def test_a_downloaded_file_is_not_read_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    fetch(model)
    monkeypatch.setattr(store, "hash_file", lambda _: pytest.fail("read again"))
    fetch(model)
