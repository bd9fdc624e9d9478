"""What there is to do, in chunks that are the same for the same inputs and options."""

from __future__ import annotations

import codecs
import fnmatch
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from faceattr import __version__
from faceattr.batch import storage
from faceattr.errors import OptionError, SourceError
from faceattr.images import IMAGE_SUFFIX, printable
from faceattr.pipeline import Pipeline
from faceattr.recognition.gallery import with_gallery
from faceattr.streaming.sources import VIDEOS, VideoFile

if TYPE_CHECKING:
    from faceattr.forms import Output
    from faceattr.options import PipelineOptions

FORMAT = 1  # of the parts; another one gives all chunks other ids
LIST_PREFIX = "@"
COMMENT = "#"
LISTS = (".txt", ".lst", ".list")
TABLE = ".parquet"
SHARDS = (".tar", ".tar.gz", ".tgz")
KEY_COLUMNS = ("key", "path", "uri", "url", "source", "filename")
BLOCK = 1 << 20  # bytes of a list that are read at once
SEGMENT = 60.0  # s of a video in one chunk
SEGMENTS = "_segments"  # folder of their rows, which readers of the parts skip


@dataclass(frozen=True)
class Job:
    """What is done with every chunk; it travels to the workers.

    Attributes:
        to: Folder of the parts, a path or URI.
        options: What to find and read.
    """

    to: str
    options: PipelineOptions

    def make_pipeline(self) -> Pipeline:
        """Return the pipeline of a worker.

        Raises:
            FaceattrError: As in `Pipeline`.
        """
        return Pipeline.from_options(with_gallery(self.options))

    @cached_property
    def _declared(self) -> Pipeline:
        return self.make_pipeline()

    @property
    def outputs(self) -> dict[str, Output]:
        """Form of each attribute, by its name."""
        return self._declared.outputs

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the rows depend on besides the inputs, in JSON's own types."""
        files = {
            one: _digest_of_file(one)
            for one in self.options.chosen
            if isinstance(one, str) and os.path.isfile(one)
        }
        settings = {"format": FORMAT, "faceattr": __version__, **self._declared.settings}
        return dict(json.loads(json.dumps({**settings, "files": files})))

    def __getstate__(self) -> dict[str, Any]:
        return {"to": self.to, "options": self.options}


def _digest_of_file(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures by their paths, URIs or http(s) addresses."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """The pictures in a tar file."""

    path: str


@dataclass(frozen=True, slots=True)
class Segment:
    """The frames of a video from one second to another.

    Attributes:
        path: The video.
        begin: First second.
        end: Second before which the last frame lies; infinity for the end of the video.
    """

    path: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Video:
    """A video, whose segments are done and become one part.

    Attributes:
        path: The video.
        segments: Ids of their chunks, in their order.
    """

    path: str
    segments: tuple[str, ...]


Work: TypeAlias = Pictures | Shard | Segment | Video


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of work that leaves one file.

    Attributes:
        id: Digest of the work and of all that its rows depend on.
        work: What to do.
        after: Chunks that must be done before.
        apart: Whether each picture is analyzed in a process that may be killed by it.
    """

    id: str
    work: Work
    after: tuple[Chunk, ...] = ()
    apart: bool = False

    @property
    def file(self) -> str:
        """Name of the file that it leaves, in the folder of the parts."""
        return segment_name(self.id) if isinstance(self.work, Segment) else part_name(self.id)

    @property
    def num_pictures(self) -> int | None:
        """Number of pictures, if the list says it."""
        return len(self.work.names) if isinstance(self.work, Pictures) else None

    def taken_apart(self) -> Chunk:
        """Return the same chunk, to be done picture by picture."""
        return replace(self, apart=True)


def part_name(id: str) -> str:
    """Return the name of a finished part."""
    return f"part-{id}.parquet"


def segment_name(id: str) -> str:
    """Return the name of the rows of a segment of a video."""
    return f"{SEGMENTS}/segment-{id}.parquet"


def list_chunks(inputs: Iterable[str], job: Job, *, size: int) -> Iterator[Chunk]:
    """Yield the chunks of inputs, in their order, without keeping the list.

    Args:
        inputs: Pictures, folders, globs, lists, tar files and videos, as `list_names` takes them.
        job: What is done with them.
        size: Number of pictures in a chunk.

    Raises:
        OptionError: An input is missing, or is no list.
        StorageError: A file system does not answer.
    """
    base = hashlib.sha256(json.dumps(job.settings, sort_keys=True).encode()).hexdigest()

    def chunk(work: Work, after: tuple[Chunk, ...] = ()) -> Chunk:
        described = json.dumps([base, type(work).__name__, asdict(work)])
        return Chunk(hashlib.sha256(described.encode()).hexdigest()[:32], work, after)

    names: list[str] = []
    for name in list_names(inputs):
        is_shard = name.partition("?")[0].lower().endswith(SHARDS)
        is_video = _suffix(name) in VIDEOS
        if not (is_shard or is_video):
            names.append(name)
        if names and (len(names) == size or is_shard or is_video):
            yield chunk(Pictures(tuple(names)))
            names = []
        if is_shard:
            yield chunk(Shard(name))
        if is_video:
            segments = tuple(map(chunk, _segments(name)))
            yield chunk(Video(name, tuple(one.id for one in segments)), segments)
    if names:
        yield chunk(Pictures(tuple(names)))


def _segments(path: str) -> Iterator[Segment]:
    """Yield the segments of a video; one alone if its length is not known without reading it."""
    seconds = 0.0
    if not (storage.is_remote(path) or storage.is_web(path)):
        try:
            with VideoFile(path) as video:
                seconds = (video.num_frames or 0) / (video.fps or 1.0)
        except SourceError:  # its only segment says so
            seconds = 0.0
    number = max(round(seconds / SEGMENT), 1)
    for index in range(number):
        end = (index + 1) * SEGMENT if index + 1 < number else float("inf")
        yield Segment(path, index * SEGMENT, end)


def list_names(inputs: Iterable[str]) -> Iterator[str]:
    """Yield the pictures, tar files and videos that inputs name, one by one.

    Args:
        inputs: Paths and URIs of pictures, tar files and videos; of folders and globs; of lists,
            which are Parquet tables, text files or ``@FILE`` with a path or URI per line.

    Raises:
        OptionError: An input is missing, or is no list.
        StorageError: A file system does not answer.
    """
    for one in inputs:
        if one.startswith(LIST_PREFIX) and not os.path.exists(one):
            yield from _names_in_list(one.removeprefix(LIST_PREFIX))
        elif storage.is_web(one):
            yield one
        elif storage.is_folder(one):
            yield from (name for name in _walk(one) if _is_wanted(name))
        elif storage.exists(one):
            is_list = _suffix(one) in (*LISTS, TABLE)
            yield from _names_in_list(one) if is_list else [one]
        elif glob.has_magic(one):
            for name in _expand(one):
                is_list = _suffix(name) in (*LISTS, TABLE)
                yield from _names_in_list(name) if is_list else [name] if _is_wanted(name) else []
        else:
            raise OptionError(f"{printable(one)}: there is no such file or folder")


def _suffix(name: str) -> str:
    plain = name.partition("?")[0] if storage.is_remote(name) else name
    return os.path.splitext(plain)[1].lower()


def _is_wanted(name: str) -> bool:
    plain = name.partition("?")[0] if storage.is_remote(name) else name
    is_shard = plain.lower().endswith(SHARDS)
    return is_shard or _suffix(name) in VIDEOS or bool(IMAGE_SUFFIX.search(plain))


def _walk(
    folder: str, patterns: Sequence[str] = ("**",), inside: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the files below a folder that match, sorted; folders that cannot match are skipped."""
    above = {os.path.realpath(folder)} if not storage.is_remote(folder) else set()
    yield from _descend(folder, patterns, inside, above)


def _descend(
    folder: str, patterns: Sequence[str], inside: tuple[str, ...], above: set[str]
) -> Iterator[str]:
    for entry in storage.entries(folder):
        names = (*inside, entry.name)
        if not entry.is_folder:
            if _matches(names, patterns):
                yield entry.path
        elif _may_hold(names, patterns):
            real = entry.path if storage.is_remote(folder) else os.path.realpath(entry.path)
            if real not in above:  # a link that leads back
                yield from _descend(entry.path, patterns, names, above | {real})


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns or not names:
        return not names and all(one == "**" for one in patterns)
    if patterns[0] == "**":
        return _matches(names, patterns[1:]) or _matches(names[1:], patterns)
    return fnmatch.fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _may_hold(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether a folder may hold files that match."""
    for name, pattern in zip(names, patterns, strict=False):
        if pattern == "**":
            return True
        if not fnmatch.fnmatchcase(name, pattern):
            return False
    return len(names) < len(patterns)


def _expand(pattern: str) -> Iterator[str]:
    """Yield the files that match a glob."""
    plain, mark, query = pattern, "", ""
    if storage.is_remote(pattern):  # where ? begins the options of the file system
        plain, mark, query = pattern.partition("?")
    scheme, colon, rest = plain.rpartition("://")
    parts = PurePosixPath(rest.replace(os.sep, "/")).parts
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    folder = str(PurePosixPath(*parts[:first]))
    yield from _walk(f"{scheme}{colon}{folder}{mark}{query}", parts[first:])


def _names_in_list(path: str) -> Iterator[str]:
    """Yield the names in a list, block by block; paths are relative to the current folder.

    Raises:
        OptionError: It cannot be read, or is no list.
    """
    try:
        if _suffix(path) == TABLE:
            yield from map(storage.absolute, _names_in_table(path))
            return
        with storage.open_stream(path) as file:
            blocks = iter(lambda: file.read(BLOCK), b"")
            yield from map(storage.absolute, _names_in_text(path, blocks))
    except OSError as error:
        if isinstance(error, storage.StorageError):
            raise
        reason = error.strerror or error
        raise OptionError(f"{printable(path)}: the list cannot be read: {reason}") from error


def _names_in_text(path: str, blocks: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for index, block in enumerate(blocks):
        if b"\0" in block:
            raise OptionError(
                f"{printable(path)}: not a list, which is text with one path or URI per line, or a "
                "Parquet table"
            )
        block = block.removeprefix(codecs.BOM_UTF8) if index == 0 else block
        *lines, rest = (rest + block).split(b"\n")
        yield from _names_in_lines(lines)
    yield from _names_in_lines([rest])


def _names_in_lines(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        name = os.fsdecode(line.removesuffix(b"\r"))
        if name.strip() and not name.startswith(COMMENT):
            yield name


def _names_in_table(path: str) -> Iterator[str]:
    arrow = storage.import_arrow()
    system, inside = storage.locate(path)
    with system.open_input_file(inside) as file:
        try:
            table = arrow.parquet.ParquetFile(file)
        except arrow.ArrowInvalid as error:
            raise OptionError(f"{printable(path)}: not a Parquet table: {error}") from error
        texts = [
            field.name
            for field in table.schema_arrow
            if arrow.types.is_string(field.type) or arrow.types.is_large_string(field.type)
        ]
        column = next((one for one in KEY_COLUMNS if one in texts), None)
        if column is None and len(texts) == 1:
            (column,) = texts
        if column is None:
            raise OptionError(
                f"{printable(path)}: which column names the pictures? Its columns of text are "
                f"{', '.join(texts) or 'none'}; call it {', '.join(KEY_COLUMNS[:-1])} or "
                f"{KEY_COLUMNS[-1]}"
            )
        for batch in table.iter_batches(columns=[column]):
            yield from (name for name in batch.column(0).to_pylist() if name)
