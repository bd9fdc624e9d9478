"""Where results go: tables, JSON, annotated pictures and videos, a window."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import cv2

from faceattr.drawing import draw_faces, draw_status
from faceattr.errors import ImageError, MissingDependencyError, SinkError
from faceattr.pipeline import ImageResult
from faceattr.streaming.smoothing import Averages
from faceattr.types import Attribute, BGRImage, Classification, Face, Frame

AnySink = TypeVar("AnySink", bound="Sink")

CONTAINERS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
CODECS = {".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v", ".mp4": "mp4v"}  # in every OpenCV
COLUMNS = ("frame", "timestamp", "track", "x1", "y1", "x2", "y2", "confidence")  # of any face
MIN_FREE = 32_000_000  # bytes that a video leaves on its disk; closing it takes some of them
BATCH_ROWS = 10_000  # of a Parquet table that are packed together
RATE_FRAMES = 30  # over which the frames per second are measured
WINDOW_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
WINDOW_SIDE = 960  # px, the longer one at first
OPEN_A_WINDOW = "import cv2; cv2.namedWindow('faceattr')"
TIMEOUT = 30.0  # s

logger = logging.getLogger(__name__)


def to_json(results: Iterable[ImageResult]) -> str:
    """Return a JSON list with one object per image."""
    return json.dumps([result.to_dict() for result in results], indent=2, ensure_ascii=False)


def write_csv(results: Sequence[ImageResult], file: IO[str]) -> None:
    """Write one row per face, and one per image that met an error or shows nobody."""
    rows = [row for result in results for row in _rows(result)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns.sort(key=lambda name: name == "error")  # to the end
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)


def _rows(result: ImageResult) -> list[dict[str, Any]]:
    if result.error is not None:
        return [{"source": result.source, "error": str(result.error)}]
    rows = [
        {"source": result.source, "face": index, **flatten(face)}
        for index, face in enumerate(result.faces)
    ]
    return rows or [{"source": result.source}]


def flatten(face: Face) -> dict[str, Any]:
    """Return a face as the columns of one row of a table."""
    x1, y1, x2, y2 = (round(value, 1) for value in face.bbox)
    row: dict[str, Any] = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    row["confidence"] = round(face.confidence, 4)
    for name, attribute in face.attributes.items():
        if isinstance(attribute, Classification):
            row[name] = attribute.label
            row[f"{name}_confidence"] = round(attribute.confidence, 4)
            row |= {f"{name}_{label}": round(score, 4) for label, score in attribute.scores.items()}
        else:
            row[name] = round(attribute.value, 2)
            row[f"{name}_std"] = None if attribute.std is None else round(attribute.std, 2)
    return row


class PictureFolder:
    """Writes annotated copies of pictures into a folder, each under its own name.

    Args:
        folder: Made if it is not there.

    Raises:
        ImageError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"{folder}: cannot be made: {error.strerror}") from error
        self._folder = folder
        self._taken: dict[str, int] = {}

    def write(self, result: ImageResult) -> Path:
        """Write the picture with its faces drawn on it.

        Raises:
            ImageError: The file cannot be written.
        """
        assert result.image is not None
        path = self._folder / self._name(result.source)
        ok, data = cv2.imencode(path.suffix, draw_faces(result.image, result.faces))
        if not ok:
            raise ImageError(f"{path}: OpenCV cannot write {path.suffix} pictures")
        try:
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise ImageError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    def _name(self, source: str) -> str:
        """Return a file name like that of the source, which no other picture has."""
        path = Path(urlsplit(source).path if "://" in source else source)
        suffix = path.suffix.lower()
        stem, suffix = (path.stem, suffix) if suffix in CONTAINERS else (path.name, ".png")
        count = self._taken[stem + suffix] = self._taken.get(stem + suffix, 0) + 1
        return f"{stem}{suffix}" if count == 1 else f"{stem}-{count}{suffix}"


def to_row(frame: Frame, face: Face) -> dict[str, Any]:
    """Return a face of a stream as the columns of one row of a table."""
    place = {"frame": frame.index, "timestamp": round(frame.timestamp, 3), "track": face.track_id}
    return place | flatten(face)


class Sink(ABC):
    """Where the faces of a stream go, frame by frame; closed by ``with``.

    Attributes:
        done: Whether the user has seen enough.
    """

    done: bool = False

    @abstractmethod
    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Take a frame and its faces.

        Raises:
            SinkError: They cannot be shown or written.
        """

    def close(self) -> None:
        """Finish what was written; may be called again.

        Raises:
            SinkError: It cannot be finished.
        """

    def __enter__(self: AnySink) -> AnySink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CallbackSink(Sink):
    """Calls a function with each frame and its faces.

    Args:
        function: What it returns does not matter.
    """

    def __init__(self, function: Callable[[Frame, Sequence[Face]], object]) -> None:
        self._function = function

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        try:
            self._function(frame, faces)
        except Exception as error:  # a callback may fail in any way
            name = getattr(self._function, "__name__", repr(self._function))
            raise SinkError(f"{name} failed: {type(error).__name__}: {error}") from error


class JsonLinesSink(Sink):
    """Writes one JSON object per line: a frame with its faces, or a face.

    Args:
        path: Of the file, which is written anew.
        per_face: One line per face, not per frame.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, per_face: bool = False) -> None:
        self._file = _TextFile(path)
        self._per_face = per_face

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        place = {"frame": frame.index, "timestamp": round(frame.timestamp, 3)}
        described = [face.to_dict() for face in faces]
        if self._per_face:
            lines = [place | face for face in described]
        else:
            height, width = frame.image.shape[:2]
            lines = [place | {"width": width, "height": height, "faces": described}]
        self._file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def close(self) -> None:
        """See the base class."""
        self._file.close()


class CsvSink(Sink):
    """Writes a table with one row per face and frame.

    An attribute's columns come when it is read for the first time, in a table written anew.

    Args:
        path: Of the file, which is written anew.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = _TextFile(path)
        self._columns = list(COLUMNS)
        self._file.write(_to_csv([], COLUMNS, header=True))

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        rows = [to_row(frame, face) for face in faces]
        columns = list(dict.fromkeys([*self._columns, *(name for row in rows for name in row)]))
        if columns != self._columns:
            older = csv.DictReader(io.StringIO(self._file.read()))
            self._file.replace(_to_csv(older, columns, header=True))
            self._columns = columns
        self._file.write(_to_csv(rows, columns))

    def close(self) -> None:
        """See the base class."""
        self._file.close()


class ParquetSink(Sink):
    """Writes a Parquet table with one row per face and frame, when it is closed.

    Args:
        path: Of the file, which is written anew.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        SinkError: The file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                "Parquet tables need pyarrow: pip install 'faceattr[parquet]'"
            ) from error
        self._arrow = pyarrow
        self._file = _TextFile(path)  # a path that cannot be written is known at once
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._batches: list[Any] = []

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        self._rows += (to_row(frame, face) for face in faces)
        if len(self._rows) >= BATCH_ROWS:
            self._pack()

    def close(self) -> None:
        """See the base class."""
        self._pack()
        self._file.close()
        table = self._arrow.concat_tables(self._batches, promote_options="permissive")
        with blaming(self._path):
            self._arrow.parquet.write_table(table, self._path)

    def _pack(self) -> None:
        """Turn rows into columns, which take less memory."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {name: [row.get(name) for row in self._rows] for name in names}
        self._batches.append(self._arrow.table(columns))
        self._rows = []


class VideoSink(Sink):
    """Writes a video with the faces drawn on it.

    It plays at the speed of the timestamps: frames are repeated or left out for that. Frames
    of another size than the first are stretched to it.

    Args:
        path: Of the file, which is written anew; ``.mp4``, ``.mov``, ``.mkv`` or ``.avi``.
        fps: Frames per second of the video.

    Raises:
        SinkError: The file's name has another ending.
    """

    def __init__(self, path: str | os.PathLike[str], *, fps: float = 25.0) -> None:
        self._path = Path(path)
        self._fps = fps
        self._num_written = 0
        self._first: Frame | None = None
        self._writer = cv2.VideoWriter()
        if self._path.suffix.lower() not in CODECS:
            raise SinkError(f"{path}: the name of a video ends in {', '.join(CODECS)}")

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        self._first = self._first or self._open(frame)
        num_due = round((frame.timestamp - self._first.timestamp) * self._fps) + 1
        if self._num_written < num_due:
            picture = draw_faces(frame.image, faces)
            height, width = self._first.image.shape[:2]
            if picture.shape[:2] != (height, width):
                picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        while self._num_written < num_due:
            self._require_space()
            self._writer.write(picture)
            self._num_written += 1

    def close(self) -> None:
        """See the base class."""
        self._writer.release()

    def _open(self, first: Frame) -> Frame:
        height, width = first.image.shape[:2]
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        self._require_space()
        if not self._writer.open(str(self._path), codec, self._fps, (width, height)):
            raise SinkError(f"{self._path}: cannot be written; is its folder there, and writable?")
        return first

    def _require_space(self) -> None:
        """Stop while the file can still be closed: OpenCV does not tell when a write fails."""
        with blaming(self._path):
            free = shutil.disk_usage(self._path.parent).free
        if free < MIN_FREE:
            raise SinkError(f"{self._path}: the disk is full but for {free // 1_000_000} MB")


class Presence(NamedTuple):
    """When a face was seen: timestamps of its first and last frame in s, and how many."""

    first: float
    last: float
    num_frames: int


class TrackTable(Sink):
    """Sums up each track.

    Attributes:
        presence: When each track was seen, by track id.
    """

    def __init__(self) -> None:
        self.presence: dict[int, Presence] = {}
        self._averages = Averages(defaultdict(lambda: math.inf))

    @property
    def attributes(self) -> dict[int, dict[str, Attribute]]:
        """The mean of what was read, by track id."""
        return {track_id: self._averages.of(track_id) for track_id in self.presence}

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        now = frame.timestamp
        for face in faces:
            track_id = face.track_id or 0
            first, _, num_frames = self.presence.get(track_id, (now, now, 0))
            self.presence[track_id] = Presence(first, now, num_frames + 1)
            for name, attribute in face.attributes.items():
                self._averages.add(track_id, name, attribute, quality=1.0, now=now)


class FrameRate(Sink):
    """Measures how many frames come per second.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=RATE_FRAMES)

    @property
    def fps(self) -> float:
        """Frames per second of late; 0 while there are too few to tell."""
        seconds = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / seconds if seconds else 0.0

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        self._times.append(self._clock())


class WindowSink(Sink):
    """Shows the faces in a window: q quits, space pauses, s saves the picture.

    Args:
        title: Of the window.
        snapshots: Folder in which pictures are saved.
        status: Gives a line to write over the picture.

    Raises:
        SinkError: There is no display, or an OpenCV without windows.
    """

    def __init__(
        self,
        title: str = "faceattr",
        *,
        snapshots: str | os.PathLike[str] = ".",
        status: Callable[[], str] = str,
    ) -> None:
        _require_display()
        self._title = title
        self._snapshots = Path(snapshots)
        self._status = status
        self._is_open = False

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        picture = draw_faces(frame.image, faces)
        self._open(picture)
        cv2.imshow(self._title, draw_status(picture, self._status()))
        paused = False
        while not self.done:
            key = cv2.waitKey(50 if paused else 1) & 0xFF
            paused ^= key == ord(" ")
            if key == ord("s"):
                self._save(picture, frame.index)
            closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
            self.done = key == ord("q") or closed
            if not paused:
                break

    def close(self) -> None:
        """See the base class."""
        with suppress(cv2.error):  # it may be closed already
            cv2.destroyWindow(self._title)

    def _open(self, picture: BGRImage) -> None:
        if not self._is_open:
            height, width = picture.shape[:2]
            scale = WINDOW_SIDE / max(height, width)
            cv2.namedWindow(self._title, WINDOW_FLAGS)
            cv2.resizeWindow(self._title, round(width * scale), round(height * scale))
            self._is_open = True

    def _save(self, picture: BGRImage, index: int) -> None:
        path = self._snapshots / f"faceattr-{index:06}.png"
        if cv2.imwrite(str(path), picture):
            logger.info("saved %s", path)
        else:
            logger.warning("%s cannot be written", path)


class _TextFile:
    """A file to which text is added as a whole or not at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).resolve()
        self._size = 0
        with blaming(self._path):
            self._file = io.FileIO(self._path, "w")

    def write(self, text: str) -> None:
        """Add text; if the disk is full the file is left as it was."""
        data = text.encode()
        rest = memoryview(data)
        with blaming(self._path):
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._size)
                raise
        self._size += len(data)

    def replace(self, text: str) -> None:
        """Put text in the place of all there is, which stays until the new file is whole."""
        part = _TextFile(f"{self._path}.part")
        try:
            part.write(text)
        except BaseException:  # Ctrl-C too leaves no second file
            part.close()
            part._path.unlink()
            raise
        part.close()
        self.close()
        with blaming(self._path):
            os.replace(part._path, self._path)
            self._file = io.FileIO(self._path, "a")
        self._size = part._size

    def read(self) -> str:
        """Return all there is."""
        with blaming(self._path):
            return self._path.read_text(encoding="utf-8")

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()


@contextmanager
def blaming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an error of the system name the file."""
    try:
        yield
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def _to_csv(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, header: bool = False
) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _require_display() -> None:
    """Try a window in another process: without a display, some OpenCVs end theirs."""
    command = [sys.executable, "-c", OPEN_A_WINDOW]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        raise SinkError(
            "no window can be opened: there is no display, or this OpenCV has no windows; "
            "go without one (--no-display) and write the results to a file"
        )
