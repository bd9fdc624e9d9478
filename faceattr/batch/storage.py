"""Files on local disks and on whatever else `pyarrow.fs` reads, by their paths and URIs."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from faceattr.errors import FaceattrError, MissingDependencyError
from faceattr.files import write_whole
from faceattr.images import printable
from faceattr.outputs import PART_PREFIX, sink_errors

ONE_PUT = "allow_delayed_open=true"  # a small file takes one request instead of three
OBJECT_STORES = ("s3", "gcs", "abfs")  # where a file appears in full, or not at all
PAUSES = (0.5, 2.0, 8.0)  # s, each before a read that failed is tried again
MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


class StorageError(FaceattrError, OSError):
    """A file system does not answer; the same may work later."""


class Entry(NamedTuple):
    """What a folder holds.

    Attributes:
        name: Its name in the folder.
        path: Its path or URI.
        is_folder: Whether it is a folder.
    """

    name: str
    path: str
    is_folder: bool


def import_arrow() -> Any:
    """Return pyarrow with the modules that are used.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.fs
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            "faceattr batch needs pyarrow: pip install 'faceattr[parquet]'"
        ) from error
    return pyarrow


def is_remote(path: str) -> bool:
    """Return whether this is the URI of a file that `pyarrow.fs` reads."""
    return "://" in path and not is_web(path)


def is_web(path: str) -> bool:
    """Return whether this is an http(s) address."""
    return path.startswith(("http://", "https://"))


def join(folder: str, name: str) -> str:
    """Return the path or URI of a file in a folder."""
    if not is_remote(folder):
        return os.path.join(folder, name)
    base, mark, query = folder.partition("?")
    return f"{base.rstrip('/')}/{name}{mark}{query}"


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path that is right in every folder; URIs are kept."""
    text = os.fspath(path)
    return text if "://" in text else os.path.abspath(text)


def is_folder(path: str) -> bool:
    """Return whether this is a folder.

    Raises:
        StorageError: The file system does not answer.
    """
    if not is_remote(path):
        return os.path.isdir(path)
    return bool(_type_of(path) == import_arrow().fs.FileType.Directory)


def exists(path: str) -> bool:
    """Return whether there is such a file or folder.

    Raises:
        StorageError: The file system does not answer.
    """
    if not is_remote(path):
        return os.path.exists(path)
    return bool(_type_of(path) != import_arrow().fs.FileType.NotFound)


def _type_of(path: str) -> Any:
    """Return what pyarrow says that a remote path is."""
    system, inside = locate(path)
    with _answering(path):
        return system.get_file_info(inside).type


def entries(folder: str) -> Iterator[Entry]:
    """Yield what a folder holds, sorted by name, without what is hidden; nothing if it is missing.

    Raises:
        StorageError: It cannot be read.
    """
    if is_remote(folder):
        found = _remote_entries(folder)
    else:
        with _answering(folder):
            try:
                with os.scandir(folder) as scanned:
                    found = [Entry(one.name, one.path, one.is_dir()) for one in scanned]
            except FileNotFoundError:
                return
    yield from sorted(one for one in found if not one.name.startswith("."))


def _remote_entries(folder: str) -> list[Entry]:
    arrow = import_arrow()
    system, inside = locate(folder)
    with _answering(folder):
        found = system.get_file_info(arrow.fs.FileSelector(inside, allow_not_found=True))
    return [
        Entry(one.base_name, join(folder, one.base_name), one.type == arrow.fs.FileType.Directory)
        for one in found
        if one.path.rstrip("/") != inside.rstrip("/")  # some stores list the folder itself
    ]


def read_bytes(path: str) -> bytes:
    """Return the content of a remote file; a read that fails is tried again.

    Raises:
        OSError: The file is not there, or may not be read.
        StorageError: The file system does not answer.
    """
    system, inside = locate(path)
    for pause in (*PAUSES, None):
        try:
            with system.open_input_stream(inside) as file:
                return bytes(file.read())
        except MISSING:
            raise
        except OSError as error:
            if pause is None:
                raise StorageError(f"{printable(path)}: cannot be read: {error}") from error
            time.sleep(pause)
    raise AssertionError


def open_stream(path: str) -> IO[bytes]:
    """Open a file to read it from its beginning to its end.

    Raises:
        OSError: It cannot be opened.
    """
    if not is_remote(path):
        return open(path, "rb")
    system, inside = locate(path)
    stream: IO[bytes] = system.open_input_stream(inside)
    return stream


def make_folder(path: str) -> None:
    """Make a folder, and those above it.

    Raises:
        SinkError: It cannot be made.
    """
    with sink_errors(path, "made"):
        if is_remote(path):
            system, inside = locate(path)
            system.create_dir(inside, recursive=True)
        else:
            os.makedirs(path, exist_ok=True)


def write(path: str, content: bytes) -> None:
    """Write a file in full or not at all, whatever happens; one that is there is replaced.

    Raises:
        SinkError: It cannot be written.
    """
    with sink_errors(path):
        if not is_remote(path):
            write_whole(Path(path), content)
            return
        system, inside = locate(path)
        if system.type_name in OBJECT_STORES:
            _put(system, inside, content)
            return
        folder, _, name = inside.rpartition("/")
        beside = f"{folder}/{PART_PREFIX}{secrets.token_hex(4)}-{name}"
        _put(system, beside, content)
        system.move(beside, inside)


def _put(system: Any, inside: str, content: bytes) -> None:
    with system.open_output_stream(inside) as file:
        file.write(content)


def delete(path: str) -> None:
    """Delete a file, if it is there.

    Raises:
        SinkError: It cannot be deleted.
    """
    with sink_errors(path, "deleted"):
        try:
            if is_remote(path):
                system, inside = locate(path)
                system.delete_file(inside)
            else:
                os.unlink(path)
        except FileNotFoundError:
            return


def locate(path: str) -> tuple[Any, str]:
    """Return the file system that holds a file, and the file's path in it.

    Raises:
        StorageError: There is no such file system.
    """
    if not is_remote(path):
        arrow = import_arrow()
        return arrow.fs.LocalFileSystem(), os.path.abspath(path)
    plain, mark, query = path.partition("?")
    scheme, _, rest = plain.partition("://")
    host, _, inside = rest.partition("/")
    system, base = _file_system(scheme, host, mark + query)
    return system, f"{base.rstrip('/')}/{inside}"


@lru_cache(maxsize=64)
def _file_system(scheme: str, host: str, query: str) -> tuple[Any, str]:
    """Return a file system, and the path of its root in it."""
    arrow = import_arrow()
    uri = f"{scheme}://{host}/{query}"
    try:
        if scheme == "s3":
            with suppress(ValueError):  # a pyarrow that does not know the option
                return tuple(arrow.fs.FileSystem.from_uri(f"{uri}{'&' if query else '?'}{ONE_PUT}"))
        return tuple(arrow.fs.FileSystem.from_uri(uri))
    except (OSError, ValueError) as error:
        raise StorageError(f"{printable(uri)}: cannot be opened: {error}") from error


@contextmanager
def _answering(path: str) -> Iterator[None]:
    """Turn an error of the system into a `StorageError` that names the file."""
    try:
        yield
    except FaceattrError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"{printable(path)}: cannot be read: {reason}") from error
