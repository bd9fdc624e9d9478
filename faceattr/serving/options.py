"""How a server is reached, and what it allows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.options import Actions, PipelineOptions, option

SHORTEST_KEY = 16  # characters
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MEGABYTE = 1_000_000


@explained
@dataclass(frozen=True, slots=True)
class LoadOptions(PipelineOptions):
    """What a server loads: by default, all that the built-in analyzers read, but identity."""

    actions: Actions = option(
        ("emotion", "age", "gender"),
        "Analyzers, with commas between; see `faceattr list`.",
        "basic",
        metavar="NAME,…",
        short="-a",
    )
    max_faces: int | None = option(
        100, "Keep at most this many faces of a picture, the most confident.", "faces"
    )
    threads: int | None = 1  # of each worker; several pictures at a time use the processors better


@explained
@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, one client and all of them together may use.

    Attributes:
        max_body: Largest body of a request in megabytes.
        max_pixels: Largest picture in megapixels, checked before it is decoded.
        max_pictures: Most pictures in one request.
        queue: Most pictures that wait for a worker; with more, requests are answered with 503.
        body_timeout: Seconds in which a body must arrive.
        queue_timeout: Seconds that a picture may wait for a worker.
        work_timeout: Seconds after which a picture that is worked on is given up, with 504.
        rate: Most requests in a minute with one API key, or from one address; 0 for no limit.
        max_streams: Most WebSockets at a time.
        max_frame: Largest message of a WebSocket in megabytes.
        idle_timeout: Seconds without a message after which a WebSocket is closed.

    Raises:
        OptionError: A value is out of range.
    """

    max_body: float = option(20.0, "Largest body of a request, in megabytes.", "limits")
    max_pixels: float = option(25.0, "Largest picture, in megapixels.", "limits")
    max_pictures: int = option(16, "Most pictures in one request.", "limits")
    queue: int = option(64, "Most pictures that wait for a worker.", "limits")
    body_timeout: float = option(30.0, "Seconds in which a body must arrive.", "limits")
    queue_timeout: float = option(20.0, "Seconds that a picture may wait.", "limits")
    work_timeout: float = option(60.0, "Seconds that work on a picture may take.", "limits")
    rate: int = option(
        6000, "Most requests a minute with one API key, or from one address; 0: any.", "limits"
    )
    max_streams: int = option(8, "Most live streams at a time.", "limits")
    max_frame: float = option(5.0, "Largest frame of a live stream, in megabytes.", "limits")
    idle_timeout: float = option(30.0, "Seconds after which a silent stream is closed.", "limits")

    def __post_init__(self) -> None:
        for name in ("max_body", "max_pixels", "max_frame"):
            _check(name, getattr(self, name), above=0)
        for name in ("body_timeout", "queue_timeout", "work_timeout", "idle_timeout"):
            _check(name, getattr(self, name), above=0)
        for name in ("max_pictures", "queue"):
            _check(name, getattr(self, name), above=0)
        for name in ("rate", "max_streams"):
            _check(name, getattr(self, name), above=-1)
        if self.max_pictures > self.queue:
            raise OptionError(
                f"max_pictures is {self.max_pictures}, but no more than {self.queue} pictures may "
                "wait; make queue as large"
            )


def _check(name: str, value: float, *, above: int) -> None:
    if not value > above:
        raise OptionError(f"{name} is {value!r}; it must be above {above}")


@explained
@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a server listens, and whom it answers.

    Attributes:
        host: Address to listen at; another one than this machine's own needs `keys`.
        port: Port to listen at; 0 for a free one.
        workers: Pictures that are worked on at a time; None for as many as there are processors.
        detectors: Names of further detectors that a request may choose, with commas between.
        keys: File with one API key a line, at least 16 characters each; without it, or
            ``FACEATTR_API_KEYS``, no key is asked for.
        insecure: Listen at another address than this machine's own without API keys.
        names: Names by which clients call this server, besides addresses and ``localhost``, with
            commas between; only checked where no API key is asked for.
        origins: Addresses of other web pages that may use it, such as ``https://example.org``,
            with commas between.
        ssl_certfile: Certificate for https.
        ssl_keyfile: Its key.
        page: Whether to show a page at ``/``.
        deepface: Whether to answer as deepface's own server, at ``/analyze``, ``/verify`` and
            ``/represent``.

    Raises:
        OptionError: A value is out of range, or two contradict each other.
    """

    host: str = option("127.0.0.1", "Address to listen at.", "server")
    port: int = option(8000, "Port to listen at; 0 for a free one.", "server")
    workers: int | None = option(
        None,
        "Pictures that are worked on at a time.",
        "server",
        shown_default="as many as processors",
    )
    detectors: str = option(
        "",
        "More detectors that requests may choose.",
        "server",
        metavar="NAME,…",
        shown_default="none",
    )
    keys: Path | None = option(
        None, "File with an API key a line; requests then need one of them.", "server"
    )
    insecure: bool = option(False, "Serve other machines without API keys.", "server")
    names: str = option(
        "",
        "Names by which clients call this server without a key.",
        "server",
        metavar="NAME,…",
        shown_default="addresses and localhost",
    )
    origins: str = option(
        "",
        "Other web pages that may use it: https://example.org.",
        "server",
        metavar="URL,…",
        shown_default="none",
    )
    ssl_certfile: Path | None = option(None, "Certificate, for https.", "server")
    ssl_keyfile: Path | None = option(None, "Key of the certificate.", "server")
    page: bool = option(True, "Show no page, and answer programs only.", "server", off="--no-page")
    deepface: bool = option(False, "Answer the requests of deepface's server too.", "server")

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise OptionError(f"port is {self.port!r}; it must be at least 0 and below 65536")
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers is {self.workers!r}; it must be at least 1")
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            raise OptionError("https needs both ssl_certfile and ssl_keyfile; give the other too")
        for path in (self.ssl_certfile, self.ssl_keyfile):
            if path is not None and not path.is_file():
                raise OptionError(f"{path}: no such file; https needs it")
        for origin in split(self.origins):
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise OptionError(f"origins has {origin!r}; write it like https://example.org")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK

    @property
    def num_workers(self) -> int:
        """Pictures that are worked on at a time."""
        return self.workers or available_processors()

    @property
    def scheme(self) -> str:
        """``"http"`` or ``"https"``."""
        return "http" if self.ssl_certfile is None else "https"


def split(names: str) -> list[str]:
    """Return the names between the commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_keys(path: Path | None, text: str | None) -> tuple[str, ...]:
    """Return the API keys of a file and of a text with commas between them.

    Raises:
        OptionError: The file cannot be read or has no key, or a key is too short.
    """
    keys = split(text or "")
    if path is not None:
        try:
            lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{path}: the API keys cannot be read: {error}") from error
        own = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not own:
            raise OptionError(f"{path}: no API key; write one a line")
        keys += own
    for number, key in enumerate(keys, start=1):
        if len(key) < SHORTEST_KEY or not (key.isascii() and key.isprintable()):
            raise OptionError(
                f"API key {number} is not {SHORTEST_KEY} printable characters or more; "
                "`python -c 'import secrets; print(secrets.token_urlsafe())'` makes one"
            )
    return tuple(dict.fromkeys(keys))
