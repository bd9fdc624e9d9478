"""What a weights file is, and one verified copy of it on this machine."""

from __future__ import annotations

import bz2
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import platformdirs

from faceattr.errors import FaceattrError, WeightsError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

logger = logging.getLogger(__name__)

CHUNK = 256 * 1024  # bytes read or hashed at a time
SLOWEST = 1000  # bytes per second; what is slower has stalled
SLACK = 1.1  # the size of some published files is only known roughly


@dataclass(frozen=True, slots=True)
class GoogleDrive:
    """A file that somebody shares on Google Drive."""

    file_id: str

    def __str__(self) -> str:
        return f"https://drive.google.com/uc?id={self.file_id}"


Source: TypeAlias = str | GoogleDrive
"""Where a file is published: an address on the web or a file on Google Drive.

What an address that ends in ``.bz2`` serves is unpacked while it arrives.
"""


@dataclass(frozen=True, slots=True)
class Weights:
    """A published weights file.

    Attributes:
        filename: Name of the local copy; no other weights have it.
        sources: Where the file is published, in the order to try.
        sha256: Digest of the file, unpacked.
        num_bytes: Size of the file, unpacked, to within a tenth.
        license: Terms of the file and of the data behind it.
        card: Path of the model card in the repository.
    """

    filename: str
    sources: tuple[Source, ...]
    sha256: str
    num_bytes: int
    license: str
    card: str

    def __str__(self) -> str:
        return f"{self.filename} ({self.num_bytes / 1e6:.3g} MB)"


@dataclass(frozen=True, slots=True)
class Copy:
    """A file on this machine that holds weights.

    Attributes:
        path: Where it lies.
        sha256: Digest that it has to have.
        trusted: Whether a user has put it in the place of the published file.
    """

    path: Path
    sha256: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a server to take the call.
        read: For its next byte.
        stall: For a download to bring more than a trickle.
        lock: For another process that fetches the same file.
    """

    connect: float = 10.0
    read: float = 30.0
    stall: float = 60.0
    lock: float = 3600.0


PATIENT = Timeouts()


class _SourceError(FaceattrError):
    """A source that does not have the file; never leaves this module."""


def cache_folder() -> Path:
    """Return the folder of all that faceattr keeps; ``FACEATTR_HOME`` moves it."""
    home = os.environ.get("FACEATTR_HOME")
    if home:
        return Path(home).expanduser().absolute()
    return platformdirs.user_cache_path("faceattr", appauthor=False)


def weights_folder() -> Path:
    """Return the folder in which published weights lie, also those put there by hand."""
    return cache_folder() / "weights"


def fetch(weights: Weights, *, timeouts: Timeouts = PATIENT) -> Path:
    """Return the verified local copy of the weights; download it if there is none.

    ``FACEATTR_MIRROR``, a folder or the address of one, is asked before the published sources;
    ``FACEATTR_OFFLINE=1`` forbids the network.

    Raises:
        WeightsError: No source has the file, the network is forbidden or the cache cannot be
            written; the message says what to do by hand.
    """
    copy = find(weights)
    if copy is None:
        if _is_offline():
            raise _missing(weights, "FACEATTR_OFFLINE forbids to download it")
        with _locked(weights, timeouts.lock):  # another process may have been faster
            copy = find(weights) or _download(weights, timeouts)
    return copy.path


def find(weights: Weights) -> Copy | None:
    """Return the copy in force: the first on this machine that has the digest it should have."""
    return next(filter(_is_intact, _copies(weights)), None)


def digest_of(weights: Weights) -> str:
    """Return the SHA-256 of the copy in force, or of the published file if none is here yet."""
    copy = find(weights)
    return weights.sha256 if copy is None else copy.sha256


def verify(weights: Weights) -> Copy:
    """Read the local copy anew, whatever was recorded of it.

    Raises:
        WeightsError: There is no copy or it has another digest than it should have.
    """
    for copy in _copies(weights):
        if copy.path.is_file():
            digest = _hash_and_stamp(copy.path)
            if digest != copy.sha256:
                raise WeightsError(f"{copy.path} has SHA-256 {digest} instead of {copy.sha256}")
            return copy
    raise _missing(weights, "there is nothing to verify")


def import_file(path: Path, weights: Weights, *, trust: bool = False) -> Copy:
    """Keep a copy of a file that was brought by hand.

    Args:
        path: The file; it stays where it is.
        weights: What it holds.
        trust: Take a file with another digest too. It is then used in the place of the published
            one, until that is imported or the weights are cleared.

    Raises:
        WeightsError: The file has another digest and is not trusted, or cannot be read or kept.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    with _locked(weights):
        staged = _beside(weights, "import")
        shutil.copyfile(path, staged)
        digest = _hash(staged)
        if digest == weights.sha256:
            copy = _publish(staged, Copy(weights_folder() / weights.filename, digest))
            _distrust(weights)
            return copy
        if trust:
            return _trust(staged, weights, digest)
        staged.unlink()
    raise WeightsError(
        f"{path} has SHA-256 {digest}, but {weights.filename} was published with "
        f"{weights.sha256}; trust it explicitly to use it all the same"
    )


def clear(weights: Weights) -> list[Path]:
    """Remove what faceattr has kept of the weights; return the paths that are gone."""
    with _locked(weights):
        ours = [
            weights_folder() / weights.filename,
            *_trusted_paths(weights),
            *(_beside(weights, stage) for stage in ("part", "import")),
        ]
        present = [path for path in ours if path.exists()]
        for path in present:
            path.unlink()
    return present


# Copies on this machine


def _copies(weights: Weights) -> Iterator[Copy]:
    """List where a copy may lie, what a user wants most first."""
    trusted, record = _trusted_paths(weights)
    with suppress(FileNotFoundError):
        yield Copy(trusted, record.read_text().strip(), trusted=True)
    for folder in _folders():
        yield Copy(folder / weights.filename, weights.sha256)


def _trusted_paths(weights: Weights) -> tuple[Path, Path]:
    """Return where a trusted file lies and where its digest is recorded."""
    path = weights_folder() / "trusted" / weights.filename
    return path, path.with_name(f"{path.name}.sha256")


def _folders() -> Iterator[Path]:
    yield weights_folder()
    mirror = os.environ.get("FACEATTR_MIRROR")
    if mirror and not _is_url(mirror):
        yield Path(mirror).expanduser()
    yield Path(os.environ.get("DEEPFACE_HOME") or Path.home(), ".deepface", "weights")


def _is_url(place: str) -> bool:
    return "://" in place


def _is_intact(copy: Copy) -> bool:
    try:
        digest = _digest(copy.path)
    except OSError as error:  # not there, or not for us to read
        logger.debug("%s: %s", copy.path, error)
        return False
    if digest != copy.sha256:
        logger.warning(
            "%s is not used: it has SHA-256 %s instead of %s", copy.path, digest, copy.sha256
        )
    return digest == copy.sha256


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, from its stamp as long as size and time are the same."""
    with suppress(OSError):
        digest, _, state = _stamp_path(path).read_text().partition(" ")
        if state == _state(path):
            return digest
    return _hash_and_stamp(path)


def _hash_and_stamp(path: Path) -> str:
    state = _state(path)
    digest = _hash(path)
    _stamp(path, digest, state)
    return digest


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _state(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _stamp(path: Path, digest: str, state: str) -> None:
    """Record what was hashed; the digest comes first, so that half a stamp is never valid."""
    with suppress(OSError):  # in a read-only cache, every start hashes
        stamp = _stamp_path(path)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{digest} {state}")


def _stamp_path(path: Path) -> Path:
    place = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
    return weights_folder() / "stamps" / place[:16]


def _is_offline() -> bool:
    return os.environ.get("FACEATTR_OFFLINE", "").lower() not in {"", "0", "false", "no"}


@contextmanager
def _locked(weights: Weights, wait: float = PATIENT.lock) -> Iterator[None]:
    """Keep other processes away from the same weights, and turn the disk's errors into ours."""
    from filelock import FileLock, Timeout

    try:
        weights_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(_beside(weights, "lock"), timeout=wait):
            yield
    except WeightsError:
        raise
    except Timeout as error:
        raise WeightsError(
            f"another process has been at {weights} in {weights_folder()} for {wait:g} s"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"cannot keep {weights} in {weights_folder()}: {error}; "
            "FACEATTR_HOME may name another folder"
        ) from error


def _beside(weights: Weights, suffix: str) -> Path:
    return weights_folder() / f".{weights.filename}.{suffix}"


def _missing(weights: Weights, reason: str) -> WeightsError:
    folders = ", ".join(map(str, _folders()))
    addresses = ", ".join(map(str, weights.sources))
    return WeightsError(
        f"{weights} is missing from {folders}: {reason}; to bring it by hand, put the file "
        f"with SHA-256 {weights.sha256} into {weights_folder()}; it is published at {addresses}"
    )


def _trust(staged: Path, weights: Weights, digest: str) -> Copy:
    trusted, record = _trusted_paths(weights)
    trusted.parent.mkdir(exist_ok=True)
    copy = _publish(staged, Copy(trusted, digest, trusted=True))
    record.write_text(digest)
    return copy


def _distrust(weights: Weights) -> None:
    for path in _trusted_paths(weights):
        path.unlink(missing_ok=True)


def _publish(staged: Path, copy: Copy) -> Copy:
    """Put a verified file into its place, whole and on the disk."""
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    staged.replace(copy.path)
    _stamp(copy.path, copy.sha256, _state(copy.path))
    return copy


# Downloads


def _download(weights: Weights, timeouts: Timeouts) -> Copy:
    reasons = []
    for source in _sources(weights):
        logger.info("downloading %s from %s", weights, source)
        try:
            return _receive(source, weights, timeouts)
        except _SourceError as error:
            logger.warning("%s: %s", source, error)
            reasons.append(f"{source}: {error}")
    raise _missing(weights, "; ".join(reasons))


def _sources(weights: Weights) -> Iterator[Source]:
    mirror = os.environ.get("FACEATTR_MIRROR", "")
    if _is_url(mirror):
        yield f"{mirror.rstrip('/')}/{weights.filename}"
    yield from weights.sources


def _receive(source: Source, weights: Weights, timeouts: Timeouts) -> Copy:
    """Complete what has arrived so far with what a source sends, and publish it if it is right."""
    path = _beside(weights, "part")
    with path.open("ab") as file, _progress_bar(weights) as bar:
        part = _Part(file, weights, bar, timeouts.stall)
        if isinstance(source, GoogleDrive):
            _receive_from_drive(source, part, timeouts)
        else:
            _receive_from_web(source, part, timeouts)
    digest = _hash(path)
    if digest == weights.sha256:
        return _publish(path, Copy(weights_folder() / weights.filename, digest))
    path.unlink()
    if part.is_inherited:  # its beginning may be what was wrong
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
    """What has arrived of a file so far; refuses what is no part of it.

    Attributes:
        size: Number of bytes.
        is_inherited: Whether the first of them are from an earlier attempt.
    """

    def __init__(self, file: BinaryIO, weights: Weights, bar: Any, stall: float) -> None:
        self._file = file
        self._weights = weights
        self._bar = bar
        self._stall = stall
        self._checked = time.monotonic()
        self._arrived = 0  # bytes since then
        self._anew = True
        self.size = file.tell()
        self.is_inherited = self.size > 0
        self.flush = file.flush  # gdown asks for it

    def begin(self, *, anew: bool) -> None:
        """Let the next chunk replace what is here, as the first does, or be added to it."""
        self._anew = anew

    def write(self, chunk: bytes) -> int:
        """Add a chunk.

        Raises:
            _SourceError: It belongs to a web page, lies beyond the file's end, or came too slowly.
        """
        if self._anew:
            self._start_anew(chunk)
        if self.size + len(chunk) > self._weights.num_bytes * SLACK:
            raise _SourceError(f"more than the {self._weights.num_bytes} bytes of the file")
        self._file.write(chunk)
        self._show(self.size + len(chunk))
        self.size += len(chunk)
        self._check_pace(len(chunk))
        return len(chunk)

    def _start_anew(self, chunk: bytes) -> None:
        if chunk.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise _SourceError("an HTML page instead of the file")
        self._file.truncate(0)
        self.size = 0
        self._anew = self.is_inherited = False

    def _show(self, size: int) -> None:
        """Advance the bar; where there is none, log each tenth."""
        tenth = self._weights.num_bytes / 10
        self._bar.update(size - self._bar.n)
        if self._bar.disable and size // tenth > self.size // tenth:
            logger.info("%s: %.0f %%", self._weights.filename, 10 * size / tenth)

    def _check_pace(self, num_bytes: int) -> None:
        now = time.monotonic()
        self._arrived += num_bytes
        if now - self._checked > self._stall:
            if self._arrived < SLOWEST * self._stall:
                raise _SourceError(f"only {self._arrived} bytes in {self._stall:g} s")
            self._checked, self._arrived = now, 0


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
        AssertionError,  # gdown's words for a page that it does not expect
        LookupError,
    ) as error:
        raise _SourceError(_root_of(error)) from error


def _receive_from_web(url: str, part: _Part, timeouts: Timeouts) -> None:
    """Download; where a connection breaks, go on as long as each brings more than a trickle."""
    while True:
        size = part.size
        try:
            return _request(url, part, timeouts)
        except _SourceError as error:
            if part.size - size < SLOWEST * timeouts.stall:
                raise
            logger.info("%s: %s; going on after %d bytes", url, error, part.size)


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
            return  # nothing is left to send
        if not response.ok:
            raise _SourceError(f"{response.status_code} {response.reason}")
        part.begin(anew=response.status_code != HTTPStatus.PARTIAL_CONTENT)
        for chunk in _chunks(bz2.BZ2File(response.raw) if is_packed else response.raw):
            part.write(chunk)


def _chunks(body: BaseHTTPResponse | bz2.BZ2File) -> Iterator[bytes]:
    """Yield what a server sends as it arrives, however little."""
    from urllib3.exceptions import HTTPError

    try:
        while chunk := body.read1(CHUNK):
            yield chunk
    except (HTTPError, OSError, EOFError) as error:
        raise _SourceError(_root_of(error)) from error


def _root_of(error: BaseException) -> str:
    """Say in one line what lies at the root of an exception."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return " ".join(str(error).split()) or type(error).__name__
