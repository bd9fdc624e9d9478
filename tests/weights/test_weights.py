"""Tests of faceattr.weights, against a server on this machine."""

from __future__ import annotations

import bz2
import errno
import hashlib
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import filelock
import pytest

from faceattr import weights
from faceattr.errors import WeightsError
from faceattr.weights import (
    Copy,
    GoogleDrive,
    Source,
    Timeouts,
    Weights,
    cache_folder,
    clear,
    digest_of,
    fetch,
    find,
    import_file,
    verify,
    weights_folder,
)

CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2
OTHER = CONTENT[::-1]
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
QUICK = Timeouts(connect=1.0, read=0.3, stall=0.3, lock=0.1)

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Notes what is asked for and answers as the test has laid out."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers["Range"]))
        self.server.answers.get(self.path, status(404))(self)

    def start(self, code: int = 200, length: int | None = None) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A place on the web; `requests` are (path, range)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have left."""


def file(content: bytes) -> Answer:
    """Serve a file, or the rest of it, as a good server does."""

    def answer(handler: Handler) -> None:
        start = first_byte(handler)
        if start >= len(content):
            handler.start(416, 0)
            return
        handler.start(206 if start else 200, len(content) - start)
        handler.wfile.write(content[start:])

    return answer


def file_without_ranges(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.start(200, len(content))
        handler.wfile.write(content)

    return answer


def file_of_unknown_length(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.start(200)
        handler.wfile.write(content)

    return answer


def broken_off(content: bytes, at: int) -> Answer:
    """Serve a file until a byte, where every connection breaks."""

    def answer(handler: Handler) -> None:
        start = first_byte(handler)
        handler.start(206 if start else 200, len(content) - start)
        handler.wfile.write(content[start:at])

    return answer


def status(code: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.start(code, 0)

    return answer


def hang_after(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.start(200, len(CONTENT))
        handler.wfile.write(content)
        handler.server.closing.wait()

    return answer


def trickle(handler: Handler) -> None:
    start = first_byte(handler)
    handler.start(206 if start else 200, len(CONTENT) - start)
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b"x")


def in_turn(*answers: Answer) -> Answer:
    rest = iter(answers)
    return lambda handler: next(rest)(handler)


def first_byte(handler: Handler) -> int:
    return int((handler.headers["Range"] or "bytes=0-")[len("bytes=") : -1])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give each test a machine on which nothing was ever downloaded."""
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FACEATTR_MIRROR", raising=False)
    monkeypatch.delenv("FACEATTR_OFFLINE", raising=False)
    return tmp_path


def published(*sources: Source) -> Weights:
    return Weights(
        filename="model.h5",
        sources=sources,
        sha256=sha256(CONTENT),
        num_bytes=len(CONTENT),
        license="MIT",
        card="models/model/README.md",
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def part() -> Path:
    return weights_folder() / ".model.h5.part"


# The way it should go


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


def test_a_google_drive_file_has_an_address() -> None:
    assert str(GoogleDrive("1YCox")) == "https://drive.google.com/uc?id=1YCox"


def test_importing_the_module_imports_no_network_library() -> None:
    code = "import sys, faceattr.weights; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"requests", "urllib3", "gdown", "tqdm", "filelock"} & set(modules)


# Downloads that break off


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


# Sources that do not have the file

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


# Places


def test_offline_the_error_says_how_to_bring_the_file(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    model = published(server.url("/model.h5"), GoogleDrive("1YCox"))
    with pytest.raises(WeightsError) as caught:
        fetch(model)
    assert str(caught.value) == (
        f"model.h5 (0.256 MB) is missing from {weights_folder()}, "
        f"{home / 'home' / '.deepface' / 'weights'}: FACEATTR_OFFLINE forbids to download it; "
        f"to bring it by hand, put the file with SHA-256 {sha256(CONTENT)} into "
        f"{weights_folder()}; it is published at {server.url('/model.h5')}, https://drive.google.com/uc?id=1YCox"
    )
    assert server.requests == []


def test_a_file_that_was_put_into_the_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    path = put(weights_folder() / "model.h5", CONTENT)
    assert fetch(published()) == path


def test_a_mirror_on_the_web_is_asked_first(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_MIRROR", server.url("/mirror/"))
    server.answers["/mirror/model.h5"] = file(CONTENT)
    fetch(published(server.url("/model.h5")))
    assert server.requests == [("/mirror/model.h5", None)]


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
    assert f"cannot keep model.h5 (0.256 MB) in {weights_folder()}" in str(caught.value)
    assert "FACEATTR_HOME" in str(caught.value)


def test_a_copy_in_a_read_only_cache_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    path = put(weights_folder() / "model.h5", CONTENT)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert fetch(published()) == path


def test_a_full_disk_is_named_and_what_has_arrived_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(part: weights._Part, chunk: bytes) -> int:
        part._file.write(chunk[:HALF])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"), server.url("/never-asked"))
    with monkeypatch.context() as patch:
        patch.setattr(weights._Part, "write", fill)
        with pytest.raises(WeightsError, match="No space left on device"):
            fetch(model)
    assert find(model) is None
    assert fetch(model).read_bytes() == CONTENT
    assert {path for path, _ in server.requests} == {"/model.h5"}


def test_another_process_is_not_awaited_for_ever(server: Server) -> None:
    put(weights_folder() / ".model.h5.lock", b"")
    with (
        filelock.FileLock(weights_folder() / ".model.h5.lock"),
        pytest.raises(WeightsError, match="another process has been at model"),
    ):
        fetch(published(server.url("/model.h5")), timeouts=QUICK)


# What is known of a copy


def test_an_unchanged_file_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put(weights_folder() / "model.h5", CONTENT)
    first = find(published())
    monkeypatch.setattr(weights, "_hash", lambda _: pytest.fail("read again"))
    assert find(published()) == first == Copy(weights_folder() / "model.h5", sha256(CONTENT))


def test_a_downloaded_file_is_not_read_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    fetch(model)
    monkeypatch.setattr(weights, "_hash", lambda _: pytest.fail("read again"))
    fetch(model)


def test_a_changed_file_is_noticed_and_downloaded_anew(server: Server) -> None:
    server.answers["/model.h5"] = file(CONTENT)
    model = published(server.url("/model.h5"))
    put(fetch(model), OTHER)
    assert find(model) is None
    assert fetch(model).read_bytes() == CONTENT


def test_verify_reads_the_file_whatever_its_stamp_says() -> None:
    path = put(weights_folder() / "model.h5", CONTENT)
    assert verify(published()) == find(published())
    stat = path.stat()
    put(path, OTHER)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert find(published()) is not None
    with pytest.raises(WeightsError, match=f"SHA-256 {sha256(OTHER)} instead of"):
        verify(published())
    assert find(published()) is None


def test_there_must_be_something_to_verify() -> None:
    with pytest.raises(WeightsError, match="there is nothing to verify"):
        verify(published())


# Files brought by hand


def test_the_published_file_can_be_brought_by_hand(home: Path) -> None:
    brought = put(home / "usb" / "anything.h5", CONTENT)
    copy = import_file(brought, published())
    assert copy == find(published()) == Copy(weights_folder() / "model.h5", sha256(CONTENT))
    assert brought.read_bytes() == CONTENT


def test_another_file_is_not_taken_without_trust(home: Path) -> None:
    with pytest.raises(WeightsError, match="trust it explicitly"):
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
