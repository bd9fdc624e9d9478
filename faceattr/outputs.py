"""The files that a run writes: never over an input, never two results in one file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, TypeAlias

from faceattr.arguments import explained
from faceattr.errors import OptionError, SinkError
from faceattr.images import printable

AnyPath: TypeAlias = str | os.PathLike[str]

PART_PREFIX = ".faceattr-"  # of the names of unfinished files
MARK_SUFFIX = ".unfinished"  # of the names of files with the options of unfinished runs
MAX_MARK_NAME = 200  # bytes; file systems take 255
STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/")  # not files, even if redirected to one


@explained
class Outputs:
    """The files that one run writes, each claimed before the run reads its first input.

    A claim is refused if the file is an input of the run or another of its outputs, under any
    spelling, by a link, or by a name that differs only in letter case, and if the file exists.

    Args:
        inputs: Paths that the run reads; anything that is not the path of a file is ignored.
        overwrite: Replace files that exist.
        resume: Continue files that exist, where the writer can.
        options: What the results depend on, in JSON's own types; kept beside what can be resumed
            until the run is finished. A run with other options is not resumed. None keeps nothing.

    Raises:
        OptionError: Both ``overwrite`` and ``resume`` are set.
    """

    def __init__(
        self,
        *,
        inputs: Iterable[object] = (),
        overwrite: bool = False,
        resume: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> None:
        if overwrite and resume:
            raise OptionError("overwrite and resume exclude each other; choose one")
        self.overwrite = overwrite
        self.resume = resume
        self.options = options
        self._inputs: set[_Identity] = set()
        self._outputs: set[_Identity] = set()
        self._folders: dict[str, str] = {}  # real paths
        for one in inputs:
            if isinstance(one, str | os.PathLike):
                self._inputs.update(self._identify(os.fspath(one)))

    def file(self, path: AnyPath, *, resumable: bool = False) -> OutputFile:
        """Claim a file; it is not touched before something is written.

        Args:
            path: Where to write. Devices and pipes, such as ``/dev/stdout``, are written to.
            resumable: Whether the writer can continue a file that an earlier run left.

        Raises:
            SinkError: The file is an input or another output of the run, exists, or cannot be
                written.
        """
        if not isinstance(path, str | os.PathLike):
            raise SinkError(f"{path!r:.100} is not the path of a file")
        with sink_errors(path):
            is_special = _require_writable(os.fspath(path))
        name = printable(str(path))
        claimed = self._identify(os.path.realpath(path))
        if claimed & self._inputs:
            raise SinkError(f"{name}: this is an input of the run; write to another file")
        if claimed & self._outputs:
            raise SinkError(f"{name}: the run writes two results there; name another file for one")
        exists = os.path.exists(path) and not is_special
        if exists and not (self.overwrite or (self.resume and resumable)):
            raise SinkError(
                f"{name}: exists already; name another file, or replace it with --overwrite, in "
                "Python Outputs(overwrite=True)"
            )
        self._outputs |= claimed
        return OutputFile(path, is_special=is_special, exists=exists)

    @explained
    def folder(self, path: AnyPath) -> OutputFolder:
        """Return a folder for files with names of their own; it is made if need be.

        Raises:
            SinkError: It cannot be made.
        """
        with sink_errors(path, "made"):
            os.makedirs(path, exist_ok=True)
        if self.resume:
            for left in Path(path).glob(f"{PART_PREFIX}*"):  # by a run that was killed
                left.unlink(missing_ok=True)
        return OutputFolder(self, path)

    def _identify(self, path: str) -> set[_Identity]:
        """Return what a path shares with every other name of the same file."""
        identities: set[_Identity] = set()
        with suppress(OSError, ValueError):  # a URL, base64, or no file yet
            found = os.stat(path)
            if stat.S_ISDIR(found.st_mode):
                return identities
            if found.st_ino:
                identities.add((found.st_dev, found.st_ino))
        if "://" not in path:
            folder, name = os.path.split(path)
            if folder not in self._folders:
                with suppress(OSError, ValueError):
                    self._folders[folder] = os.path.realpath(folder)
            real = os.path.join(self._folders.get(folder, folder), name)
            identities.add(unicodedata.normalize("NFC", real).casefold())
        return identities


_Identity: TypeAlias = "tuple[int, int] | str"
"""Device and inode of a file, or its path without spelling and letter case."""


class OutputFolder:
    """A folder in which a run writes files.

    Args:
        outputs: The files of the run.
        path: The folder.
    """

    def __init__(self, outputs: Outputs, path: AnyPath) -> None:
        self._outputs = outputs
        self.path = Path(path)

    def file(self, name: str, *, resumable: bool = False) -> OutputFile:
        """Claim a file of that name.

        Raises:
            SinkError: As in `Outputs.file`.
        """
        return self._outputs.file(self.path / name, resumable=resumable)

    def write_new(self, name: str, data: bytes) -> Path:
        """Write a file of that name, or with a number added if there is one already.

        Returns:
            Its path.

        Raises:
            SinkError: It cannot be written.
        """
        free = next(one for one in numbered(name) if not os.path.lexists(self.path / one))
        output = self.file(free)
        output.write_bytes(data)
        return output.path


class OutputFile:
    """A file that a run has claimed and may write.

    Args:
        path: Where to write.
        is_special: It is a device or a pipe, which cannot be replaced.
        exists: It existed when it was claimed.
    """

    def __init__(self, path: AnyPath, *, is_special: bool, exists: bool) -> None:
        self.path = Path(path)
        self.exists = exists
        self.is_special = is_special

    @contextmanager
    def replacing(self) -> Iterator[IO[bytes]]:
        """Open a temporary file beside it: renamed when it is complete, removed if writing fails.

        Raises:
            SinkError: It cannot be written.
        """
        with sink_errors(self.path):
            if self.is_special:
                with open(self.path, "ab") as file:
                    yield file
                return
            real = os.path.realpath(self.path)  # a link stays a link
            part = os.path.join(os.path.dirname(real), f"{PART_PREFIX}{secrets.token_hex(4)}")
            try:
                with open(part, "xb") as file:
                    yield file
                if os.path.exists(real):
                    os.chmod(part, stat.S_IMODE(os.stat(real).st_mode))
                os.replace(part, real)
            except BaseException:  # Ctrl-C too leaves no half a file
                with suppress(OSError):
                    os.unlink(part)
                raise

    def write_bytes(self, data: bytes) -> None:
        """Write the file, in full or not at all.

        Raises:
            SinkError: It cannot be written.
        """
        with self.replacing() as file:
            file.write(data)

    def write_text(self, text: str) -> None:
        """Write the file as UTF-8, in full or not at all.

        Raises:
            SinkError: It cannot be written.
        """
        self.write_bytes(to_bytes(text))

    def append(self, *, keep: int = 0) -> AppendFile:
        """Open the file to add to it.

        Args:
            keep: Keep this many of its first bytes.

        Raises:
            SinkError: It cannot be written.
        """
        return AppendFile(self.path, keep=keep, is_special=self.is_special)


class UnfinishedMark:
    """A hidden file with the options of a run, beside what it writes, until the run is finished.

    Args:
        path: The file that is written, or the folder, inside which the mark lies.
        options: As in `Outputs`; None for no mark.
    """

    def __init__(self, path: AnyPath, options: Mapping[str, object] | None) -> None:
        self._written = os.fspath(path)
        self._options = options
        real = os.path.realpath(path)
        folder, name = (real, "") if os.path.isdir(real) else os.path.split(real)
        if len(os.fsencode(name)) > MAX_MARK_NAME:
            name = hashlib.sha256(os.fsencode(name)).hexdigest()
        self._path = os.path.join(folder, f".{name}{MARK_SUFFIX}" if name else MARK_SUFFIX)

    def check(self) -> bool:
        """Return whether the options of the earlier run are known.

        Raises:
            SinkError: They are, and they are others; the message names those that differ.
        """
        if self._options is None:
            return True
        earlier = self._read()
        if earlier is None:
            return False
        current = json.loads(json.dumps(self._options))
        if earlier != current:
            names = [one for one in current | earlier if current.get(one) != earlier.get(one)]
            then, now = (
                ", ".join(f"{name}={values.get(name)!r}" for name in names)
                for values in (earlier, current)
            )
            raise SinkError(
                f"{printable(self._written)}: the interrupted run had the options {then}; this one "
                f"has {now}; resume with the same options, or start anew under another name, or "
                "with --overwrite"
            )
        return True

    def write(self, *, resumed: bool) -> None:
        """Keep the options. Where that is not allowed, no file can be resumed either.

        Args:
            resumed: An earlier run is resumed. If its mark is there, it is left alone, so that no
                kill can cut it off.
        """
        if self._options is None or (resumed and self.check()):
            return
        with suppress(OSError):
            with open(self._path, "w", encoding="utf-8") as file:
                file.write(json.dumps(self._options))
            if resumed:
                os.utime(self._path, (0, 0))  # what the earlier run wrote is kept

    def precedes(self, path: AnyPath) -> bool:
        """Return whether a file was written since the run began, as far as that is known."""
        try:
            return os.stat(path).st_mtime_ns >= os.stat(self._path).st_mtime_ns
        except OSError:
            return True

    def remove(self) -> None:
        """Remove the mark, as the run is finished."""
        if self._options is not None:
            with suppress(OSError):
                os.unlink(self._path)

    def _read(self) -> dict[str, object] | None:
        """Return the options of the earlier run, or None if they are not known."""
        try:
            with open(self._path, encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, TypeError, ValueError):  # there is none, or it was cut off
            return None


class AppendFile:
    """A file that grows piece by piece; each piece is there in full, at once, or not at all.

    Args:
        path: Where to write.
        keep: Keep this many of the first bytes that the file holds.
        is_special: It is a device or a pipe.

    Attributes:
        size: Size in bytes; for a device or a pipe, the bytes written.

    Raises:
        SinkError: It cannot be written.
    """

    def __init__(self, path: AnyPath, *, keep: int = 0, is_special: bool = False) -> None:
        self._path = path
        self.size = keep
        mode = "ab" if is_special else "r+b" if keep else "wb"
        with sink_errors(path):
            self._file = open(path, mode, buffering=0)  # noqa: SIM115
            if keep:
                self._file.truncate(keep)
                self._file.seek(keep)

    def write(self, data: bytes | str, *, over: bytes = b"") -> None:
        """Add a piece; if that fails, the file is left as it was.

        Args:
            data: Bytes, or text that becomes UTF-8.
            over: Last bytes of the file, which the piece replaces.

        Raises:
            SinkError: It cannot be written.
        """
        data = to_bytes(data) if isinstance(data, str) else data
        before = self.size
        with sink_errors(self._path):
            try:
                if over:
                    self._file.seek(before - len(over))
                self._write(data)
                self.size = before - len(over) + len(data)
            except BaseException:  # Ctrl-C too
                self.size = before
                with suppress(OSError):  # a pipe cannot go back
                    self._file.truncate(before)
                    self._file.seek(before - len(over))
                    self._write(over)
                raise

    def patch(self, offset: int, data: bytes) -> None:
        """Replace bytes in the middle.

        Raises:
            SinkError: They cannot be written.
        """
        with sink_errors(self._path):
            self._file.seek(offset)
            self._write(data)
            self._file.seek(self.size)

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


def numbered(name: str) -> Iterator[str]:
    """Yield ``a.png``, ``a-2.png``, ``a-3.png`` and so on."""
    yield name
    stem, suffix = os.path.splitext(name)
    for number in count(2):
        yield f"{stem}-{number}{suffix}"


def to_bytes(text: str) -> bytes:
    """Return text as UTF-8; surrogates, from file names that are not UTF-8, become escapes."""
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def sink_errors(path: AnyPath, action: str = "written") -> Iterator[None]:
    """Turn an error of the system into a `SinkError` that names the file."""
    try:
        yield
    except SinkError:
        raise
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SinkError(f"{printable(str(path))}: cannot be {action}: {reason}") from error


def _require_writable(path: str) -> bool:
    """Raise OSError if nothing can be written there; return whether it is a device or a pipe."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))  # a link may lead to nothing yet
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return not stat.S_ISREG(mode) or path.startswith(STREAMS)
