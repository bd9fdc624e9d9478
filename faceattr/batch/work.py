"""What a worker does with a chunk: read, analyze, write one part; the same on every engine."""

from __future__ import annotations

import io
import itertools
import json
import signal
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeAlias

import cv2

from faceattr.batch import seams, storage
from faceattr.batch.plan import (
    SEGMENT,
    SEGMENTS,
    Chunk,
    Job,
    Pictures,
    Segment,
    Shard,
    Video,
    segment_name,
)
from faceattr.batch.schema import Row, Rows, make_schema, to_rows
from faceattr.errors import FaceattrError, ImageError, SourceError
from faceattr.images import IMAGE_SUFFIX, ImageSource, printable
from faceattr.options import StreamOptions
from faceattr.results import ImageResult

ATTEMPTS = 3  # to do a chunk, or a picture of it, that kills its process
AHEAD = 16  # remote pictures that are read while others are analyzed
METADATA = "faceattr"  # key in the file's metadata

Named: TypeAlias = "tuple[str, ImageSource]"
"""A picture's key and the picture."""


class Counts(NamedTuple):
    """What is in a part.

    Attributes:
        pictures: Pictures, and frames of videos.
        faces: Faces on them.
        empty: Pictures without a face.
        failed: Pictures that met an error.
    """

    pictures: int = 0
    faces: int = 0
    empty: int = 0
    failed: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*map(sum, zip(self, other, strict=True)))


class Worker:
    """Does chunks, one after the other, with what it has loaded.

    Args:
        job: What is done with them.
    """

    def __init__(self, job: Job) -> None:
        cv2.setNumThreads(1)  # as many workers run as there are cores
        self._job = job
        self._pipeline = job.make_pipeline()
        self._schema = make_schema(self._pipeline.outputs)

    def load(self) -> None:
        """Load everything now rather than with the first picture."""
        self._pipeline.load()

    def do(self, chunk: Chunk) -> Counts:
        """Write the part of a chunk, unless it is there.

        Returns:
            What is in it.

        Raises:
            StorageError: A file system does not answer.
            SinkError: The part cannot be written.
            FaceattrError: The pipeline cannot be loaded.
        """
        path = storage.join(self._job.to, chunk.file)
        if storage.exists(path):
            return read_counts(path)
        if isinstance(chunk.work, Segment):
            storage.make_folder(storage.join(self._job.to, SEGMENTS))
        table = self._make_table(chunk)
        write_part(path, table, counts := count_rows(table), self._job)
        if isinstance(chunk.work, Video):
            for one in chunk.work.segments:
                storage.delete(storage.join(self._job.to, segment_name(one)))
        return counts

    def analyze(self, images: Iterable[Named]) -> Iterator[list[Row]]:
        """Yield the rows of each picture.

        Args:
            images: Their keys, and the pictures.
        """
        keys: deque[str] = deque()

        def sources() -> Iterator[ImageSource]:
            for key, source in images:
                keys.append(key)
                yield source

        for result in self._pipeline.analyze_each(sources()):
            yield to_rows(keys.popleft(), result)

    def rows(self, chunk: Chunk, start: int = 0) -> Iterator[list[Row]]:
        """Yield the rows of each picture of a chunk.

        Args:
            chunk: What to do; not the joining of a video.
            start: Begin with the picture of this number; a part of a video has one.
        """
        if isinstance(chunk.work, Segment):
            yield list(self._rows_of_segment(chunk.work)) if start == 0 else []
        else:
            images = itertools.islice(images_of(chunk.work), start, None)
            step = 1 if chunk.apart else None  # so that the number of the killer is known
            while some := list(itertools.islice(images, step)) if step else images:
                yield from self.analyze(some)
                if step is None:
                    return

    def _make_table(self, chunk: Chunk) -> Any:
        if isinstance(chunk.work, Video):
            names = map(segment_name, chunk.work.segments)
            parts = [_read(storage.join(self._job.to, name)) for name in names]
            return seams.join(parts, SEGMENT)
        rows = Rows(self._schema)
        for own in _rows_apart(self._job, chunk) if chunk.apart else self.rows(chunk):
            rows.add(own)
        return rows.to_table()

    def _rows_of_segment(self, segment: Segment) -> Iterator[Row]:
        """Yield the rows of the frames of a part of a video, and of a few after it."""
        from faceattr.streaming.analysis import LiveAnalysis  # SciPy takes a moment

        options = self._job.options
        given = {one.name: getattr(options, one.name) for one in fields(options)}
        try:
            with ExitStack() as stack:
                path = _to_local(segment.path, stack)
                live = stack.enter_context(LiveAnalysis.from_options(StreamOptions(**given)))
                for frame, faces in live.run(seams.frames_of(path, segment)):
                    height, width = frame.image.shape[:2]
                    result = ImageResult(segment.path, None, width, height, faces)
                    yield from to_rows(segment.path, result, timestamp=frame.timestamp)
        except SourceError as error:
            failed = ImageResult(segment.path, error=ImageError(str(error)))
            yield from to_rows(segment.path, failed, timestamp=segment.begin)


def _to_local(path: str, stack: ExitStack) -> str:
    """Return the path of a video on this machine, fetched for the time being if need be."""
    if not storage.is_remote(path):
        return path
    suffix = "." + path.partition("?")[0].rpartition(".")[2]
    copy = stack.enter_context(tempfile.NamedTemporaryFile(suffix=suffix))  # noqa: SIM115
    try:
        with storage.open_stream(path) as file:
            while block := file.read(1 << 20):
                copy.write(block)
    except storage.MISSING as error:
        raise SourceError(f"{printable(path)}: cannot be read: {error}") from error
    except OSError as error:
        raise storage.StorageError(f"{printable(path)}: cannot be read: {error}") from error
    copy.flush()
    return copy.name


# Pictures


def images_of(work: Pictures | Shard | Segment | Video) -> Iterator[Named]:
    """Yield the pictures of a piece of work with their keys.

    Raises:
        StorageError: A file system does not answer.
    """
    if isinstance(work, Pictures):
        yield from _read_ahead(work.names)
    elif isinstance(work, Shard):
        yield from _members(work.path)


def _read_ahead(names: Iterable[str]) -> Iterator[Named]:
    """Yield pictures; remote ones come as bytes, of which some are read before they are needed."""
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[tuple[str, Any]] = deque()
        for name in names:
            waiting.append((name, pool.submit(_fetch, name) if storage.is_remote(name) else None))
            if len(waiting) == AHEAD:
                yield _to_named(*waiting.popleft())
        while waiting:
            yield _to_named(*waiting.popleft())


def _to_named(name: str, fetched: Any) -> Named:
    return name, name if fetched is None else fetched.result()


class _Fetched(io.BytesIO):
    """A file that was read, with its name; or that could not be read, which reading it says."""

    def __init__(self, name: str, content: bytes, error: OSError | None = None) -> None:
        super().__init__(content)
        self.name = name
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        if self._error is not None:
            raise self._error
        return super().read(size)


def _fetch(name: str) -> _Fetched:
    try:
        return _Fetched(name, storage.read_bytes(name))
    except storage.StorageError:
        raise
    except OSError as error:  # of this file alone
        return _Fetched(name, b"", error)


def _members(path: str) -> Iterator[Named]:
    """Yield the pictures in a tar file; if it is damaged, the last one is its error."""
    try:
        with storage.open_stream(path) as file, tarfile.open(fileobj=file, mode="r|*") as shard:
            for member in shard:
                if member.isfile() and IMAGE_SUFFIX.search(member.name):
                    content = shard.extractfile(member)
                    key = f"{path}/{member.name}"
                    yield key, _Fetched(key, content.read() if content else b"")
    except (tarfile.TarError, EOFError, *storage.MISSING) as error:
        yield path, _Fetched(path, b"", OSError(f"the tar file cannot be read: {error}"))


# Parts


def count_rows(table: Any) -> Counts:
    """Return what is in a table of rows."""
    arrow = storage.import_arrow()
    failed = table.num_rows - table["error"].null_count
    faces = table.num_rows - table["face"].null_count
    further = arrow.compute.sum(arrow.compute.greater(table["face"], 0)).as_py() or 0
    pictures = table.num_rows - further
    return Counts(pictures, faces, table.num_rows - faces - failed, failed)


def write_part(path: str, table: Any, counts: Counts, job: Job) -> None:
    """Write a table, with what it depends on, in full or not at all.

    Raises:
        SinkError: It cannot be written.
    """
    arrow = storage.import_arrow()
    described = {"settings": job.settings, "counts": counts._asdict()}
    table = table.replace_schema_metadata({METADATA: json.dumps(described)})
    content = io.BytesIO()
    arrow.parquet.write_table(table, content, compression="zstd")
    storage.write(path, content.getvalue())


def read_counts(path: str) -> Counts:
    """Return what is in a part.

    Raises:
        StorageError: It cannot be read.
    """
    return Counts(**read_description(path)["counts"])


def read_description(path: str) -> dict[str, Any]:
    """Return settings and counts of a part.

    Raises:
        StorageError: It cannot be read.
    """
    arrow = storage.import_arrow()
    system, inside = storage.locate(path)
    try:
        with system.open_input_file(inside) as file:
            metadata = arrow.parquet.read_schema(file).metadata
        return dict(json.loads(metadata[METADATA.encode()]))
    except (OSError, KeyError, ValueError) as error:  # Arrow's own are among them
        raise storage.StorageError(f"{printable(path)}: cannot be read: {error}") from error


def _read(path: str) -> Any:
    """Return the table in a part."""
    arrow = storage.import_arrow()
    system, inside = storage.locate(path)
    try:
        with system.open_input_file(inside) as file:
            return arrow.parquet.read_table(file)
    except OSError as error:
        raise storage.StorageError(f"{printable(path)}: cannot be read: {error}") from error


# Chunks that kill their process


def _rows_apart(job: Job, chunk: Chunk) -> Iterator[list[Row]]:
    """Yield the rows of each picture; one that kills its process three times becomes an error."""
    start = attempt = 0
    while True:
        with _Child(job, chunk, start) as child:
            for own in child.rows():
                yield own
                start, attempt = start + 1, 0
        if child.is_finished:
            return
        attempt += 1
        if attempt == ATTEMPTS:
            yield [_blame(chunk, start, child.exit_code)]
            start, attempt = start + 1, 0


def _blame(chunk: Chunk, number: int, code: int | None) -> Row:
    """Return the row of a picture that kills its process."""
    work = chunk.work
    if isinstance(work, Pictures):
        key, at = work.names[number], None
    elif isinstance(work, Segment):
        key, at = work.path, work.begin
    else:
        key, at = next(itertools.islice(images_of(work), number, None), (work.path, ""))[0], None
    how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
    error = ImageError(
        f"{printable(key)}: the process that analyzed it was killed {ATTEMPTS} times ({how})"
    )
    (row,) = to_rows(key, ImageResult(key, error=error), timestamp=at)
    return row


class _Child:
    """A process of its own for the pictures of a chunk, from one of them on."""

    def __init__(self, job: Job, chunk: Chunk, start: int) -> None:
        context = get_context("spawn")  # a fork of a process with threads may hang
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_send_rows, args=(job, chunk, start, sender))
        self._process.start()
        sender.close()
        self.is_finished = False
        self.exit_code: int | None = None

    def rows(self) -> Iterator[list[Row]]:
        """Yield what it sends until it ends.

        Raises:
            FaceattrError: It met one that is not about a picture.
        """
        while True:
            try:
                message = self._receiver.recv()
            except EOFError:
                return
            if message is None:
                self.is_finished = True
                return
            if isinstance(message, FaceattrError):
                raise message
            yield message

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.close()
        self._process.join(0 if not self.is_finished else None)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.exit_code = self._process.exitcode


def _send_rows(job: Job, chunk: Chunk, start: int, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver
    try:
        for own in Worker(job).rows(chunk, start):
            sender.send(own)
        sender.send(None)
    except FaceattrError as error:
        sender.send(error)
