"""Converted networks in the cache: one OpenVINO model each, sealed by a digest.

A model is two files, ``KEY.xml`` with the graph and ``KEY.bin`` with the weights. The seal is the
last line of the xml, a comment with the SHA-256 of the key and of both files. It is checked
whenever a model is read, so a model that was damaged, cut or swapped is converted again rather
than believed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from faceattr.errors import WeightsError
from faceattr.weights import cache_folder

logger = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024  # bytes hashed at a time
MAX_THREADS = 4  # that hash a model
LOCK_TIMEOUT = 60.0  # seconds; storing 500 MB takes two
SEAL = b"\n<!-- sha256 %s -->\n"
LEFTOVER = "tmp*"  # the folder of a conversion under way, or of one that was killed


def path_of(key: str) -> Path:
    """Return the path of the xml file of a converted network.

    Args:
        key: What determines the model: the network, its precision and the version of OpenVINO.

    Raises:
        WeightsError: There is no folder for the cache.
    """
    return cache_folder() / "compiled" / f"{hashlib.sha256(key.encode()).hexdigest()}.xml"


def is_intact(path: Path) -> bool:
    """Return whether both files of a model are there and match their seal."""
    try:
        graph, separator, seal = path.read_bytes().rpartition(SEAL[: SEAL.index(b"%")])
        return bool(separator) and separator + seal == _seal(path, graph)
    except OSError as error:  # missing or unreadable
        logger.debug("%s: %s", path, error)
        return False


def store(path: Path, write: Callable[[Path], None]) -> None:
    """Write a model beside its path and move it there, so that nobody reads half of it.

    Leftovers of killed conversions are removed on the way.

    Args:
        path: The path of the xml file.
        write: Writes the xml file to the path that it is given, and the bin file beside it.

    Raises:
        OSError: The cache cannot be written, or another process has been writing it too long.
    """
    from filelock import FileLock

    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock", timeout=LOCK_TIMEOUT):  # Timeout is an OSError
        for leftover in folder.glob(LEFTOVER):  # nobody else is converting, as we have the lock
            shutil.rmtree(leftover, ignore_errors=True)
        if is_intact(path):  # another process has been faster
            return
        with TemporaryDirectory(dir=folder) as temporary:
            staged = Path(temporary, path.name)
            write(staged)
            with staged.open("ab") as file:
                file.write(_seal(staged, staged.read_bytes()))
            for part in (staged.with_suffix(".bin"), staged):  # the seal last
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.replace(path.with_name(part.name))


def verify() -> tuple[int, list[Path]]:
    """Check all converted networks, and remove those that are damaged.

    A removed one is converted again when it is needed.

    Returns:
        The number of intact models, and the xml paths of the removed ones.

    Raises:
        WeightsError: The cache cannot be read, or a damaged model cannot be removed.
    """
    folder = cache_folder() / "compiled"
    num_intact, removed = 0, []
    try:
        stored = {path.with_suffix(".xml") for path in folder.glob("*.*") if path.stem != ".lock"}
        for path in sorted(stored):
            if is_intact(path):
                num_intact += 1
            else:
                path.with_suffix(".bin").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                removed.append(path)
    except OSError as error:
        raise WeightsError(f"cannot clean {folder}: {error}") from error
    return num_intact, removed


def _seal(path: Path, graph: bytes) -> bytes:
    """Return the seal of a model from its key, its xml without the seal, and its bin file."""
    weights = path.with_suffix(".bin")
    offsets = range(0, weights.stat().st_size, CHUNK)
    digest = hashlib.sha256(path.stem.encode())
    digest.update(hashlib.sha256(graph).digest())
    with ThreadPoolExecutor(MAX_THREADS) as pool:  # hashing releases the lock of Python
        for chunk in pool.map(partial(_digest_of_chunk, weights), offsets):
            digest.update(chunk)
    return SEAL % digest.hexdigest().encode()


def _digest_of_chunk(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(CHUNK)).digest()
