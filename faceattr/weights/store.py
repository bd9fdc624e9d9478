"""The local store of weights: where copies lie, which are intact, and files brought by hand."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from faceattr.arguments import explained
from faceattr.errors import WeightsError
from faceattr.weights.record import Weights

logger = logging.getLogger(__name__)

CHUNK = 256 * 1024  # bytes hashed at a time
LOCK_TIMEOUT = 3600.0  # seconds; another process may be downloading 500 MB


@dataclass(frozen=True, slots=True)
class Copy:
    """A local file that holds weights.

    Attributes:
        path: Path of the file.
        sha256: Digest that the file must have.
        trusted: Whether the user has imported it in place of the published file.
    """

    path: Path
    sha256: str
    trusted: bool = False


def cache_folder() -> Path:
    """Return the folder of everything that faceattr stores; ``FACEATTR_HOME`` overrides it.

    Raises:
        WeightsError: The user has no home folder, and ``FACEATTR_HOME`` is not set.
    """
    home = os.environ.get("FACEATTR_HOME")
    try:
        folder = (
            Path(home).expanduser().absolute()
            if home
            else platformdirs.user_cache_path("faceattr", appauthor=False)
        )
    except RuntimeError as error:
        raise _no_home() from error
    if not folder.is_absolute():  # the user is unknown to the system, so ~ stands for nothing
        raise _no_home()
    return folder


def _no_home() -> WeightsError:
    return WeightsError(
        "there is no home folder in which to keep files; set FACEATTR_HOME to a folder"
    )


def weights_folder() -> Path:
    """Return the folder of published weights, whether downloaded or copied there by hand.

    Raises:
        WeightsError: As in `cache_folder`.
    """
    return cache_folder() / "weights"


@explained
def find(weights: Weights) -> Copy | None:
    """Return the first local copy whose digest is right; None if there is no such copy.

    A file is hashed again only after its size or its times have changed.
    """
    return next(filter(_is_intact, _copies(weights)), None)


@explained
def digest_of(weights: Weights) -> str:
    """Return the SHA-256 of the local copy, or of the published file if there is no copy yet."""
    copy = find(weights)
    return weights.sha256 if copy is None else copy.sha256


@explained
def verify(weights: Weights) -> Copy:
    """Hash the local copy again, even if it was verified before.

    Raises:
        WeightsError: There is no copy, it cannot be read, or its digest is wrong.
    """
    for copy in _copies(weights):
        if _is_file(copy.path):
            try:
                digest = _hash_and_stamp(copy.path)
            except OSError as error:
                raise WeightsError(f"cannot read {copy.path}: {error}") from error
            if digest != copy.sha256:
                raise WeightsError(f"{copy.path} has SHA-256 {digest} instead of {copy.sha256}")
            return copy
    raise missing(weights, "there is nothing to verify")


@explained
def import_file(path: str | os.PathLike[str], weights: Weights, *, trust: bool = False) -> Copy:
    """Copy a file that the user has brought into the store.

    Args:
        path: The file; it stays where it is.
        weights: The weights that it holds.
        trust: Also accept a file with another digest. It then replaces the published file until
            that is imported or the weights are cleared.

    Raises:
        WeightsError: The digest is wrong and the file is not trusted, or the file cannot be read
            or stored.
    """
    path = Path(path)
    if not _is_file(path):
        raise WeightsError(f"{path} is not a file")
    with locked(weights):
        staged = staging_path(weights, "import")
        shutil.copyfile(path, staged)
        digest = hash_file(staged)
        if digest == weights.sha256:
            copy = publish(staged, Copy(weights_folder() / weights.filename, digest))
            for trusted in _trusted_paths(weights):
                trusted.unlink(missing_ok=True)
            return copy
        if trust:
            return _trust(staged, weights, digest)
        staged.unlink()
    raise WeightsError(
        f"{path} has SHA-256 {digest}, but {weights.filename} was published with "
        f"{weights.sha256}; add --trust, in Python trust=True, to use it all the same"
    )


@explained
def clear(weights: Weights) -> list[Path]:
    """Remove everything that faceattr has stored of the weights; return the removed paths.

    Raises:
        WeightsError: A file cannot be removed.
    """
    with locked(weights):
        ours = [
            weights_folder() / weights.filename,
            *_trusted_paths(weights),
            *(staging_path(weights, stage) for stage in ("part", "import")),
        ]
        present = [path for path in ours if path.exists()]
        for path in present:
            path.unlink()
    return present


@contextmanager
def locked(weights: Weights, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Keep other processes from writing the same weights; turn OS errors into ours.

    Args:
        weights: The weights that are going to be written.
        timeout: Seconds to wait for another process.

    Raises:
        WeightsError: The other process has not finished, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = weights_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(staging_path(weights, "lock"), timeout=timeout):
            yield
    except WeightsError:
        raise
    except Timeout as error:
        raise WeightsError(
            f"another process has been writing {weights} in {folder} for {timeout:g} s"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"cannot store {weights} in {folder}: {error}; "
            "set FACEATTR_HOME to a folder that can be written"
        ) from error


def staging_path(weights: Weights, suffix: str) -> Path:
    """Return the path of a temporary file of the weights, hidden beside the final one."""
    return weights_folder() / f".{weights.filename}.{suffix}"


def publish(staged: Path, copy: Copy) -> Copy:
    """Flush a verified file to disk and move it to its final path."""
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    staged.replace(copy.path)
    _stamp(copy.path, copy.sha256, _state(copy.path))
    return copy


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def missing(weights: Weights, reason: str) -> WeightsError:
    """Return the error that says where weights were looked for and how to bring them."""
    folders = ", ".join(map(str, _folders())) or "this machine, where no folder is known"
    addresses = ", ".join(map(str, weights.sources))
    try:
        place = f"into {weights_folder()}"
    except WeightsError:
        place = "into the folder weights of a folder that FACEATTR_HOME names"
    return WeightsError(
        f"{weights} is missing from {folders}: {reason}; to bring it by hand, put the file "
        f"with SHA-256 {weights.sha256} {place}; it is published at {addresses}"
    )


def is_url(place: str) -> bool:
    """Return whether a mirror is on the web rather than a folder."""
    return "://" in place


def _copies(weights: Weights) -> Iterator[Copy]:
    """Yield where a copy may lie, a trusted one first."""
    with suppress(WeightsError, OSError):
        trusted, record = _trusted_paths(weights)
        yield Copy(trusted, record.read_text().strip(), trusted=True)
    for folder in _folders():
        yield Copy(folder / weights.filename, weights.sha256)


def _trusted_paths(weights: Weights) -> tuple[Path, Path]:
    """Return the path of a trusted file and of the record of its digest."""
    path = weights_folder() / "trusted" / weights.filename
    return path, path.with_name(f"{path.name}.sha256")


def _folders() -> Iterator[Path]:
    """Yield the folders in which to look; those below an unknown home are left out."""
    with suppress(WeightsError):
        yield weights_folder()
    mirror = os.environ.get("FACEATTR_MIRROR")
    if mirror and not is_url(mirror):
        with suppress(RuntimeError):
            yield Path(mirror).expanduser()
    with suppress(RuntimeError):
        yield Path(os.environ.get("DEEPFACE_HOME") or Path.home(), ".deepface", "weights")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its folder is not ours to read
        return False


def _is_intact(copy: Copy) -> bool:
    try:
        digest = _digest(copy.path)
    except OSError as error:  # not there, or not readable
        logger.debug("%s: %s", copy.path, error)
        return False
    if digest != copy.sha256:
        logger.warning(
            "%s is not used: it has SHA-256 %s instead of %s", copy.path, digest, copy.sha256
        )
    return digest == copy.sha256


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; the recorded one while size and times are unchanged."""
    state = _state(path)
    with suppress(WeightsError, OSError, UnicodeDecodeError):
        digest, _, stamped = _stamp_path(path).read_text().partition(" ")
        if stamped == state:
            return digest
    return _hash_and_stamp(path)


def _hash_and_stamp(path: Path) -> str:
    state = _state(path)
    digest = hash_file(path)
    _stamp(path, digest, state)
    return digest


def _state(path: Path) -> str:
    """Return the size and the times of a file; the change time cannot be set back."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _stamp(path: Path, digest: str, state: str) -> None:
    """Record a digest; it comes first, so that half a stamp is never valid."""
    with suppress(WeightsError, OSError):  # in a read-only cache, every start hashes
        stamp = _stamp_path(path)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{digest} {state}")


def _stamp_path(path: Path) -> Path:
    place = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
    return weights_folder() / "stamps" / place[:16]


def _trust(staged: Path, weights: Weights, digest: str) -> Copy:
    trusted, record = _trusted_paths(weights)
    trusted.parent.mkdir(exist_ok=True)
    copy = publish(staged, Copy(trusted, digest, trusted=True))
    record.write_text(digest)
    return copy
