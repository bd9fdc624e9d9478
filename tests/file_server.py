"""A published file, and a server on this machine that sends it in many ways, right and wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from faceattr.weights import Source, Weights, weights_folder

CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2
OTHER = CONTENT[::-1]
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"

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
