"""Downloads of weights: several sources, resumed where they broke off, verified at the end."""

from __future__ import annotations

import bz2
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from faceattr.arguments import explained
from faceattr.errors import FaceattrError, LicenseError
from faceattr.weights.licenses import is_open, only_open, refusal
from faceattr.weights.record import GoogleDrive, Source, Weights
from faceattr.weights.store import (
    CHUNK,
    LOCK_TIMEOUT,
    Copy,
    find,
    hash_file,
    is_url,
    locked,
    missing,
    publish,
    staging_path,
    weights_folder,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

logger = logging.getLogger(__name__)

MIN_SPEED = 1000  # bytes per second; a slower download has stalled
SIZE_TOLERANCE = 1.1  # the sizes of some published files are only known roughly


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a server to accept the connection.
        read: For the next byte.
        stall: For a download to exceed the minimum speed.
        lock: For another process that downloads the same file.
    """

    connect: float = 10.0
    read: float = 30.0
    stall: float = 60.0
    lock: float = LOCK_TIMEOUT


DEFAULT_TIMEOUTS = Timeouts()


class _SourceError(FaceattrError):
    """A source does not provide the file; never leaves this module."""


@explained
def fetch(weights: Weights, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Path:
    """Return the path of the verified local copy; download the file if there is none.

    ``FACEATTR_MIRROR``, a folder or a URL, is tried before the published sources;
    ``FACEATTR_OFFLINE=1`` disables downloads.

    Raises:
        LicenseError: ``FACEATTR_LICENSES=open`` is set, and its license is not open.
        WeightsError: No source provides the file, downloads are disabled or the cache cannot be
            written; the message says how to bring the file by hand.
    """
    if only_open() and not is_open(weights.license):
        raise LicenseError(refusal(weights.filename, weights.license, alternative=""))
    copy = find(weights)
    if copy is None:
        if os.environ.get("FACEATTR_OFFLINE", "").lower() not in {"", "0", "false", "no"}:
            raise missing(weights, "downloads are disabled by FACEATTR_OFFLINE")
        with locked(weights, timeouts.lock):  # another process may have been faster
            copy = find(weights) or _download(weights, timeouts)
    return copy.path


def _download(weights: Weights, timeouts: Timeouts) -> Copy:
    mirror = os.environ.get("FACEATTR_MIRROR", "")
    mirrored = [f"{mirror.rstrip('/')}/{weights.filename}"] if is_url(mirror) else []
    reasons = []
    for source in (*mirrored, *weights.sources):
        logger.info("downloading %s from %s", weights, source)
        try:
            return _receive(source, weights, timeouts)
        except _SourceError as error:
            logger.warning("%s: %s", source, error)
            reasons.append(f"{source}: {error}")
    raise missing(weights, "; ".join(reasons))


def _receive(source: Source, weights: Weights, timeouts: Timeouts) -> Copy:
    """Complete the partial file from a source, and publish it if its digest is right."""
    path = staging_path(weights, "part")
    with path.open("ab") as file, _progress_bar(weights) as bar:
        part = _Part(file, weights, bar, timeouts.stall)
        if isinstance(source, GoogleDrive):
            _receive_from_drive(source, part, timeouts)
        else:
            _receive_from_web(source, part, timeouts)
    digest = hash_file(path)
    if digest == weights.sha256:
        return publish(path, Copy(weights_folder() / weights.filename, digest))
    path.unlink()
    if part.is_resumed:  # its beginning may be what was wrong
        return _receive(source, weights, timeouts)
    raise _SourceError(f"another file, {part.size} bytes with SHA-256 {digest}")


def _progress_bar(weights: Weights) -> Any:
    from tqdm import tqdm  # type: ignore[import-untyped]

    return tqdm(
        total=weights.num_bytes,
        desc=weights.filename,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None,  # unless stderr is a terminal
    )


class _Part:
    """The partial file on disk; refuses data that cannot belong to the file.

    Attributes:
        size: Bytes received so far.
        is_resumed: Whether the first of them are from an earlier attempt.
    """

    def __init__(self, file: BinaryIO, weights: Weights, bar: Any, stall: float) -> None:
        self._file = file
        self._weights = weights
        self._bar = bar
        self._stall = stall
        self._checked = time.monotonic()
        self._received = 0  # bytes since then
        self._restart = True
        self.size = file.tell()
        self.is_resumed = self.size > 0
        self.flush = file.flush  # gdown calls it

    def begin(self, *, restart: bool) -> None:
        """Say whether the next chunk is the beginning of the file or continues it."""
        self._restart = restart

    def write(self, chunk: bytes) -> int:
        """Append a chunk.

        Raises:
            _SourceError: It is the beginning of a web page, exceeds the size of the file, or
                arrived too slowly.
        """
        if self._restart:
            self._replace(chunk)
        if self.size + len(chunk) > self._weights.num_bytes * SIZE_TOLERANCE:
            raise _SourceError(f"more than the {self._weights.num_bytes} bytes of the file")
        self._file.write(chunk)
        self._report(self.size + len(chunk))
        self.size += len(chunk)
        self._check_speed(len(chunk))
        return len(chunk)

    def _replace(self, chunk: bytes) -> None:
        if chunk.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise _SourceError("an HTML page instead of the file")
        self._file.truncate(0)
        self.size = 0
        self._restart = self.is_resumed = False

    def _report(self, size: int) -> None:
        """Advance the progress bar; where there is none, log each tenth."""
        tenth = self._weights.num_bytes / 10
        self._bar.update(size - self._bar.n)
        if self._bar.disable and size // tenth > self.size // tenth:
            logger.info("%s: %.0f %%", self._weights.filename, 10 * size / tenth)

    def _check_speed(self, num_bytes: int) -> None:
        now = time.monotonic()
        self._received += num_bytes
        if now - self._checked > self._stall:
            if self._received < MIN_SPEED * self._stall:
                raise _SourceError(f"only {self._received} bytes in {self._stall:g} s")
            self._checked, self._received = now, 0


def _receive_from_drive(source: GoogleDrive, part: _Part, timeouts: Timeouts) -> None:
    import gdown
    import requests

    try:
        gdown.download(
            str(source),
            cast(BinaryIO, part),
            quiet=True,
            use_cookies=False,  # those in the user's home
            timeout=(timeouts.connect, timeouts.read),
        )
    except (
        requests.RequestException,
        gdown.DownloadError,
        AssertionError,  # what gdown raises on an unexpected page
        LookupError,
    ) as error:
        raise _SourceError(_root_of(error)) from error


def _receive_from_web(url: str, part: _Part, timeouts: Timeouts) -> None:
    """Download; when a connection breaks, reconnect as long as each attempt makes progress."""
    while True:
        size = part.size
        try:
            return _request(url, part, timeouts)
        except _SourceError as error:
            if part.size - size < MIN_SPEED * timeouts.stall:
                raise
            logger.info("%s: %s; resuming after %d bytes", url, error, part.size)


def _request(url: str, part: _Part, timeouts: Timeouts) -> None:
    import requests

    is_packed = url.endswith(".bz2")
    headers = {"Accept-Encoding": "identity"}
    if part.size and not is_packed:
        headers["Range"] = f"bytes={part.size}-"
    wait = (timeouts.connect, timeouts.read)
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=wait)
    except requests.RequestException as error:
        raise _SourceError(_root_of(error)) from error
    with response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the partial file is complete
        if not response.ok:
            raise _SourceError(f"{response.status_code} {response.reason}")
        part.begin(restart=response.status_code != HTTPStatus.PARTIAL_CONTENT)
        for chunk in _chunks(bz2.BZ2File(response.raw) if is_packed else response.raw):
            part.write(chunk)


def _chunks(body: BaseHTTPResponse | bz2.BZ2File) -> Iterator[bytes]:
    """Yield the data as it arrives, however little."""
    from urllib3.exceptions import HTTPError

    try:
        while chunk := body.read1(CHUNK):
            yield chunk
    except (HTTPError, OSError, EOFError) as error:
        raise _SourceError(_root_of(error)) from error


def _root_of(error: BaseException) -> str:
    """Return the message of the root cause of an exception, in one line."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return " ".join(str(error).split()) or type(error).__name__
