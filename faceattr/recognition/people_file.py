"""Files of galleries: an npz archive of descriptors and a JSON text, sealed by a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import GalleryError
from faceattr.files import npz_content, write_whole
from faceattr.networks.formats.archives import check_unpacked_size
from faceattr.types import UNKNOWN

FORMAT = 1
SPACE = "dlib-face"  # what the descriptors mean; those of another network cannot be compared
MAX_FACES = 20_000_000
MAX_BYTES = 16 * 1024**3
MAX_NAME = 200  # characters
LOCK_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Look:
    """One enrolled face, without its descriptor.

    Attributes:
        name: Whose it is.
        source: The picture that it is from, as it was given; empty if that has no name.
        stamp: Size and time of that file, by which a gallery of a folder notices a change.
    """

    name: str
    source: str = ""
    stamp: str = ""


def is_name(name: str) -> bool:
    """Return whether a text can be the name of a person: short, printable, not ``"unknown"``."""
    return bool(name.strip()) and len(name) <= MAX_NAME and name.isprintable() and name != UNKNOWN


def read_people(path: Path) -> tuple[list[Look], NDArray[np.float32]]:
    """Return the looks in a gallery's file and their (N, D) descriptors.

    Raises:
        GalleryError: The file cannot be read, is damaged, or is not a gallery.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        content = path.read_bytes()
        with np.load(BytesIO(content)) as archive:  # which refuses pickles
            check_unpacked_size(archive.zip, len(content))
            text, vectors = archive["people"].tobytes(), archive["descriptors"]
            digest = archive["sha256"].tobytes()
        return _parse(text, vectors, digest), vectors
    except Exception as error:  # a damaged archive may fail in any way
        raise GalleryError(f"{path} cannot be read as a gallery: {error}") from error


def _parse(text: bytes, vectors: NDArray[Any], digest: bytes) -> list[Look]:
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) > MAX_FACES:
        raise ValueError(f"its descriptors are {vectors.dtype} of shape {vectors.shape}")
    if digest != _digest(text, vectors):
        raise ValueError("its digest is wrong, so it is damaged")
    described = json.loads(text)
    if described["format"] != FORMAT or described["space"] != SPACE:
        raise ValueError(
            f"it has format {described['format']} of {described['space']!r}; this version reads "
            f"format {FORMAT} of {SPACE!r}"
        )
    looks = [Look(*map(str, row)) for row in described["looks"]]
    if not all(is_name(name) for name in {look.name for look in looks}):
        raise ValueError("it has names that cannot be a person's")
    if len(looks) != len(vectors):
        raise ValueError(f"it has {len(looks)} names for {len(vectors)} descriptors")
    if len(vectors) and not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise ValueError("it has descriptors that are not of length 1")
    return looks


def write_people(path: Path, looks: list[Look], vectors: NDArray[np.float32]) -> None:
    """Write a gallery's file in one step: readers see the old one or the new one.

    Raises:
        GalleryError: The file cannot be written.
    """
    rows = [list(asdict(look).values()) for look in looks]
    text = json.dumps({"format": FORMAT, "space": SPACE, "looks": rows}).encode()
    content = npz_content(
        people=np.frombuffer(text, np.uint8),
        descriptors=vectors,
        sha256=np.frombuffer(_digest(text, vectors), np.uint8),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content, private=True)
    except OSError as error:
        raise GalleryError(f"{path}: the gallery cannot be written: {error}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a gallery's file at the same time.

    Raises:
        GalleryError: Another process has been changing it for a minute, or there is no place for
            the lock.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_TIMEOUT):
            yield
    except Timeout as error:
        raise GalleryError(
            f"another process has been changing {path} for {LOCK_TIMEOUT:g} s"
        ) from error
    except PermissionError as error:
        raise GalleryError(f"{path} cannot be changed: {error}") from error


def _digest(text: bytes, vectors: NDArray[np.float32]) -> bytes:
    digest = hashlib.sha256(text)
    digest.update(repr(vectors.shape).encode())
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.digest()
