"""Where frames come from: cameras, streams, videos, pictures, arrays."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from glob import has_magic
from itertools import count
from numbers import Integral, Real
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import cv2
import numpy as np

from faceattr.arguments import explained
from faceattr.errors import ImageError, OptionError, SourceError
from faceattr.headers import detect_format, is_animated
from faceattr.images import (
    IMAGE_SUFFIX,
    ChannelOrder,
    ImageSource,
    describe_source,
    find_images,
    is_inline,
    is_single_image,
    load_image,
    printable,
)
from faceattr.types import BGRImage, Frame

if TYPE_CHECKING:
    from faceattr.streaming.sinks import Sink

AnySource = TypeVar("AnySource", bound="Source")

FrameSource: TypeAlias = "Source | int | str | os.PathLike[str] | Iterable[ImageSource | Frame]"
"""What `open_source` takes: the number of a camera; an address like ``rtsp://…``; the path of
a video or an image, or of a folder or glob of images; images as for `load_image`; a source."""

FPS = 25.0  # of images that come without timestamps
MAX_FPS = 1000.0  # that a file may have
MAX_LIVE_FPS = 240.0  # above that, a camera states its clock, not its frame rate
FEW_FRAMES, MANY_FRAMES = 3, 30  # to measure a frame rate, if few agree with the claim or not
MAX_AHEAD = 100_000_000  # bytes of frames read ahead for that
MAX_CAMERAS = 10_000  # OpenCV counts those of each of its backends from another hundred
MAX_TIMESTAMP = 1e15  # s; rounding is coarser than a frame beyond
TOLERANCE = 1e-6  # of a frame, so that rounding of timestamps does not cost one
MAX_DAMAGED = 100  # frames in a row; after more of them a video is at its end
COMPLETE = 0.9  # of the frames that a video claims to have; many have a few less
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # s, each before a camera is opened again
TIMEOUT = 10_000  # ms, for servers
MAX_LATE = 1.0  # s that a video at its own speed makes up for; after a longer pause it goes on
VIDEOS = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}
MATROSKA = {".mkv", ".webm"}
PLAYLIST = b"#EXTM3U"  # first bytes of an HLS playlist
PLAYLIST_NAMES = re.compile(r'^(?!#)(\S.*?)\s*$|\bURI="([^"]+)"', re.MULTILINE)
MAX_PLAYLIST = 10_000_000  # bytes
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

logger = logging.getLogger(__name__)


class Source(ABC):
    """A sequence of frames, to be read once and closed.

    Attributes:
        live: Whether frames come at their own pace, so that a slow reader misses some.
        fps: Frames per second, None if unknown.
        num_frames: Number of frames, None if unknown; a file may state a wrong one.
        num_dropped: Number of frames that could not be read, or came too fast.
        paths: Files that it reads, which no sink may write.
    """

    live: bool = False
    fps: float | None = None
    num_frames: int | None = None
    num_dropped: int = 0
    paths: Sequence[str | os.PathLike[str]] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: The source is lost.
        """

    def close(self) -> None:
        """Release what the source holds; may be called again."""

    def __enter__(self: AnySource) -> AnySource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@explained
def open_source(source: FrameSource, *, fps: float = FPS, color: ChannelOrder = "bgr") -> Source:
    """Return the frames of a camera, stream, video, folder of images or sequence of arrays.

    A text is first of all the name of a file or folder, if there is one. An http(s) address that
    ends like a video file is read as one, without dropping frames; any other address is live. A
    still image is a source of one frame.

    Args:
        source: As in `FrameSource`.
        fps: Frames per second of images, which come without timestamps.
        color: As in `load_image`, for images that are arrays.

    Raises:
        SourceError: It cannot be opened.
        ImageError: A folder or glob has no images, or a lone image cannot be read.
    """
    match source:
        case Source():
            return source
        case bool() | None:
            raise SourceError(f"{source} is not a source; give a camera's number, a path, …")
        case int() | Integral():  # NumPy's are of the second kind
            number = int(source)
            if not 0 <= number < MAX_CAMERAS:  # which crash OpenCV
                raise SourceError(f"{number} is not the number of a camera; the first one is 0")
            return LiveSource(partial(open_capture, number), name=f"camera {number}")
        case os.PathLike():
            return _open_path(os.fspath(source), fps)
        case str() if os.path.exists(source):
            return _open_path(source, fps)
        case str() if source.isdecimal():
            return open_source(int(source))
        case str() if (path := _without_scheme(source)) != source:
            return _open_path(path, fps)
        case str() if _ADDRESS.match(source):
            suffix = Path(re.split("[?#]", source)[0]).suffix.lower()
            if suffix in VIDEOS:
                return VideoFile(source)
            return LiveSource(partial(open_capture, source), name=printable(source))
        case str() if not is_inline(source):
            return _open_path(source, fps)
    return Pictures(source, fps=fps, color=color)


def _open_path(path: str, fps: float) -> Source:
    """Return the frames of a video, an image, or a folder or glob of images."""
    if os.path.isdir(path) or (has_magic(path) and not os.path.exists(path)):
        errors: list[ImageError] = []
        images = find_images([path], on_error=errors.append)
        if not images:
            raise errors[0]
        for error in errors:
            logger.warning("%s", error)
        return Pictures(images, fps=fps)
    if _is_still_image(path):
        still = Pictures([load_image(path)], fps=fps)
        still.paths = (path,)
        return still
    return VideoFile(path)


def _without_scheme(address: str) -> str:
    """Return the path of a ``file://`` address, so that it is known as an input; others as is."""
    if not address.lower().startswith("file://"):
        return address
    from urllib.request import url2pathname  # takes a moment

    path = address.partition("://")[2].removeprefix("localhost")
    return path if os.path.exists(path) else url2pathname(path)


def _files_of(path: str) -> list[str]:
    """Return a video's file, and of an HLS playlist the local files that FFmpeg reads with it."""
    found: list[str] = []
    waiting = [path]
    while waiting:
        file_path = waiting.pop()
        if file_path in found:
            continue
        found.append(file_path)
        with suppress(OSError, ValueError), open(file_path, "rb") as file:  # reading says why
            if file.read(len(PLAYLIST)) == PLAYLIST:
                names = PLAYLIST_NAMES.findall(os.fsdecode(file.read(MAX_PLAYLIST)))
                folder = os.path.dirname(file_path)
                local = [_without_scheme(name or uri) for name, uri in names]
                waiting += [os.path.join(folder, one) for one in local if not _ADDRESS.match(one)]
    return found


def _is_still_image(path: str) -> bool:
    """Return whether a file is an image without animation, by its name and content."""
    if not os.path.isfile(path) or (os.path.splitext(path)[1] and not IMAGE_SUFFIX.search(path)):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(100_000)
            if detect_format(start) == "GIF":  # its second frame may begin anywhere
                start += file.read(100_000_000)
    except OSError:
        return False  # the video reader says why
    return detect_format(start) is not None and not is_animated(start)


@explained
class Pictures(Source):
    """Images or frames, one after the other; one that cannot be read is reported and left out.

    Args:
        pictures: Each as in `load_image`, or a `Frame` with its own timestamp.
        fps: Images per second.
        color: As in `load_image`, for images that are arrays; a `Frame` is BGR.

    Raises:
        SourceError: It is a single image, or nothing to iterate over.
        OptionError: ``fps`` is out of range.
    """

    def __init__(
        self,
        pictures: Iterable[ImageSource | Frame],
        *,
        fps: float = FPS,
        color: ChannelOrder = "bgr",
    ) -> None:
        if is_single_image(pictures) or isinstance(pictures, Frame):
            name = printable(describe_source(pictures))
            raise SourceError(f"{name}: a stream needs several pictures; use analyze()")
        if not isinstance(pictures, Iterable):
            raise SourceError(
                f"{describe_source(pictures)} is not a source; give a camera's number, an "
                "address, a path, or a sequence of pictures"
            )
        if not 0 < fps <= MAX_FPS:
            raise OptionError(f"fps is {fps}; it must be above 0 and at most {MAX_FPS:g}")
        self._pictures = pictures
        self._color = color
        self._period = 1 / fps
        self.fps = fps
        self.num_frames = len(pictures) if isinstance(pictures, Sized) else None
        if isinstance(pictures, Sequence):
            self.paths = [one for one in pictures if isinstance(one, str | os.PathLike)]

    def __iter__(self) -> Iterator[Frame]:
        yield from check_frames(self._load())

    def _load(self) -> Iterator[Frame]:
        for index, picture in enumerate(self._pictures):
            try:
                if isinstance(picture, Frame):
                    yield replace(picture, image=load_image(picture.image))
                else:
                    image = load_image(picture, color=self._color)
                    yield Frame(image, index, index * self._period)
            except ImageError as error:
                self.num_dropped += 1
                logger.warning("picture %d is left out: %s", index, error)


@explained
class VideoFile(Source):
    """All frames of a video, except for those that cannot be decoded.

    The frame rate is the file's own if the timestamps of its first frames agree with it, and
    else measured from them: the files of browsers, for example, state their clock of 1000 Hz.

    Args:
        path: Path of a file, or its http(s) address.

    Raises:
        SourceError: There is no such file, or it is not a video that OpenCV can read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        address = _without_scheme(os.fspath(path))
        self._name = printable(describe_source(address))
        if os.path.exists(address) or not _ADDRESS.match(address):
            if not os.path.exists(address):
                raise SourceError(f"{self._name}: no such file")
            if not os.path.isfile(address):
                raise SourceError(f"{self._name}: not a file; a camera is given by its number")
            if not os.path.getsize(address):
                raise SourceError(f"{self._name}: an empty file")
            address = os.path.abspath(address)  # FFmpeg takes "12:" for a protocol
            self.paths = _files_of(address)
        self._capture = open_capture(address)
        self._first_pts = 0.0  # in frames
        self._decoded = self._decode()
        self._ahead: deque[tuple[int, BGRImage, float]] = deque()
        claimed_fps = _believe(self._capture.get(cv2.CAP_PROP_FPS), most=MAX_FPS)
        self.fps = self._measure_fps(claimed_fps)
        num_frames = _believe(self._capture.get(cv2.CAP_PROP_FRAME_COUNT), most=2**31)
        if num_frames is not None and self.fps == claimed_fps:
            self.num_frames = round(num_frames)
            if os.path.splitext(address)[1].lower() in MATROSKA:  # counted from time 0 to the end
                self.num_frames -= min(round(max(self._first_pts, 0.0)), self.num_frames - 1)

    def __iter__(self) -> Iterator[Frame]:
        timestamp, last = -math.inf, -1
        while decoded := self._next():
            index, image, position = decoded
            step = (index - last) / (self.fps or FPS)  # some containers have no timestamps
            timestamp = position if position > timestamp else timestamp + step
            last = index
            yield Frame(image, index, timestamp)
        if last < 0:
            raise SourceError(f"{self._name}: a video without a frame that can be decoded")
        if self.num_frames and last + 1 < COMPLETE * self.num_frames:
            logger.warning("%s ends after %d of %d frames", self._name, last + 1, self.num_frames)

    def seek(self, seconds: float) -> None:
        """Go to a frame at that time or somewhat before; frames are then numbered from there.

        Not every file can be sought in: look at the timestamp of the next frame.
        """
        self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * seconds)
        self._ahead.clear()
        self._decoded = self._decode()
        self.num_frames = None  # of those that are left

    def close(self) -> None:
        """See the base class."""
        self._capture.release()

    def _next(self) -> tuple[int, BGRImage, float] | None:
        return self._ahead.popleft() if self._ahead else next(self._decoded, None)

    def _measure_fps(self, claimed: float | None) -> float | None:
        """Return the claimed frame rate, or that of the first frames if they differ by half."""
        measured = None
        for num_frames in (FEW_FRAMES, MANY_FRAMES):
            while len(self._ahead) < num_frames:
                if sum(image.nbytes for _, image, _ in self._ahead) > MAX_AHEAD:
                    break
                decoded = next(self._decoded, None)
                if decoded is None:
                    break
                self._ahead.append(decoded)
            indices = np.array([index for index, _, _ in self._ahead])
            steps = np.diff([position for _, _, position in self._ahead]) / np.diff(indices)
            step = float(np.median(steps)) if len(steps) else 0.0
            if step <= 0:  # no timestamps, or wrong ones
                return claimed
            measured = min(1 / step, MAX_FPS)
            if claimed is not None and 0.5 <= claimed / measured <= 2:
                return claimed
        return measured

    def _decode(self) -> Iterator[tuple[int, BGRImage, float]]:
        """Yield number, image and time in seconds of each frame that can be decoded."""
        due = 0
        for index in count():
            ok, image = self._capture.read()
            if ok:
                if index > due:
                    self.num_dropped += index - due
                    logger.warning(
                        "%s: frames %d to %d cannot be decoded", self._name, due, index - 1
                    )
                if due == 0:
                    self._first_pts = self._capture.get(cv2.CAP_PROP_PTS)
                due = index + 1
                position = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield index, np.asarray(image, np.uint8), position
            elif index - due >= MAX_DAMAGED:
                return


class Paced(Source):
    """A video at its own speed, as live as a camera: what comes late is left out.

    Args:
        video: The frames.
        clock: Gives the time in seconds.
        sleep: Waits for as many seconds.
    """

    live = True

    def __init__(
        self,
        video: Source,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._video = video
        self._clock = clock
        self._sleep = sleep
        self._num_late = 0
        self.fps = video.fps
        self.num_frames = video.num_frames
        self.paths = video.paths

    @property
    def num_dropped(self) -> int:  # type: ignore[override]
        """Number of frames that could not be read, or came too late."""
        return self._video.num_dropped + self._num_late

    def __iter__(self) -> Iterator[Frame]:
        began = -math.inf
        for frame in self._video:
            late = self._clock() - began - frame.timestamp
            if late > MAX_LATE:  # the first frame, or the reader paused
                began, late = self._clock() - frame.timestamp, 0.0
            if late > 1 / (self.fps or FPS):
                self._num_late += 1
                continue
            if late < 0:
                self._sleep(-late)
            yield frame

    def close(self) -> None:
        """See the base class."""
        self._video.close()


def paced_for(sinks: Iterable[Sink], source: Source) -> Source:
    """Return a video file at its own speed if one of the sinks wants that, else the source."""
    is_paced = isinstance(source, VideoFile) and any(sink.paces for sink in sinks)
    return Paced(source) if is_paced else source


@explained
class LiveSource(Source):
    """The newest frame of a camera or stream, whenever somebody asks for one.

    A thread reads all frames, so that none waits in a queue. When no more come the source is
    opened again, after growing pauses.

    Args:
        open_capture: Opens the camera; called again when it is lost.
        name: Of the camera, for messages.
        pauses: Seconds before each attempt to open it again; after the last one it is lost.
        clock: Gives the time in seconds.

    Raises:
        SourceError: It cannot be opened.
    """

    live = True

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        *,
        name: str,
        pauses: Sequence[float] = PAUSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_capture = open_capture
        self._name = name
        self._pauses = pauses
        self._clock = clock
        self._capture = open_capture()
        self.fps = _believe(self._capture.get(cv2.CAP_PROP_FPS), most=MAX_LIVE_FPS)
        self._began = clock()
        self._thread = Thread(target=self._read_all, daemon=True)
        self._closing = Event()
        self._changed = Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._error: SourceError | None = None

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while (frame := self._take()) is not None:
            yield frame
        if self._error is not None:
            raise self._error

    def age(self, frame: Frame) -> float:
        """Return the seconds since the frame was captured."""
        return self._clock() - self._began - frame.timestamp

    def close(self) -> None:
        """See the base class."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)  # a server may keep it waiting for longer
        else:
            self._capture.release()

    def _take(self) -> Frame | None:
        """Wait for a frame that was not given yet; None after the last one."""
        with self._changed:
            while self._newest is None and not self._ended:
                self._changed.wait(timeout=1.0)  # for ever, Windows would not hear Ctrl-C
            frame, self._newest = self._newest, None
        return frame

    def _read_all(self) -> None:
        try:
            for index in count():
                image = self._read_or_reopen()
                if image is None:
                    break
                self._offer(Frame(image, index, self._clock() - self._began))
        except SourceError as error:
            self._error = error
        finally:
            self._capture.release()
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _offer(self, frame: Frame) -> None:
        with self._changed:
            self.num_dropped += self._newest is not None
            self._newest = frame
            self._changed.notify()

    def _read_or_reopen(self) -> BGRImage | None:
        """Return the next picture, however long it takes; None if the source is closed."""
        image = self._read()
        if image is None:  # one bad frame happens
            image = self._read()
        for pause in self._pauses:
            if image is not None:
                break
            logger.warning("%s gives no pictures; trying again in %g s", self._name, pause)
            if self._closing.wait(pause):
                break
            image = self._reopen_and_read()
        if self._closing.is_set():
            return None
        if image is None:
            raise SourceError(f"{self._name}: lost; {len(self._pauses)} attempts to open it failed")
        return image

    def _reopen_and_read(self) -> BGRImage | None:
        self._capture.release()
        try:
            self._capture = self._open_capture()
        except SourceError:
            return None
        return self._read()

    def _read(self) -> BGRImage | None:
        try:
            ok, image = self._capture.read()
            return load_image(image) if ok else None
        except Exception as error:  # drivers fail in any way
            logger.warning("%s: %s", self._name, error)
            return None


class Capture(Protocol):
    """What is used of OpenCV's ``VideoCapture``."""

    def read(self) -> tuple[bool, Any]:
        """Return whether there is a picture, and the picture."""

    def get(self, prop: int, /) -> float:
        """Return a property."""

    def release(self) -> None:
        """Close the camera."""


def open_capture(address: int | str) -> cv2.VideoCapture:
    """Open a camera by its number, or a stream or file by its address.

    Raises:
        SourceError: It cannot be opened.
    """
    if isinstance(address, int):
        capture = cv2.VideoCapture(address)
    elif "://" in address:
        timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        options = [value for timeout in timeouts for value in (timeout, TIMEOUT)]
        capture = cv2.VideoCapture(printable(address), cv2.CAP_ANY, options)
    else:
        with _decodable_name(address) as path:
            capture = cv2.VideoCapture(path)
    if not capture.isOpened():
        if isinstance(address, int):
            raise SourceError(f"camera {address} cannot be opened; is it there and not in use?")
        name = printable(describe_source(address))
        raise SourceError(f"{name}: not a video or stream that OpenCV can read")
    return capture


@contextmanager
def _decodable_name(path: str) -> Iterator[str]:
    """Give a file a name in UTF-8 for a moment, if it has none: another crashes OpenCV."""
    if _is_unicode(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        suffix = os.path.splitext(path)[1]
        link = os.path.join(folder, "video" + (suffix if _is_unicode(suffix) else ""))
        try:
            if not _is_unicode(link):
                raise OSError("the temporary folder has such a name too")
            os.symlink(path, link)
        except OSError as error:
            name = printable(describe_source(path))
            raise SourceError(f"{name}: its name is not in UTF-8; rename it ({error})") from error
        yield link


def _is_unicode(text: str) -> bool:
    """Return whether a name has no bytes that Python could not decode (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_frames(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the frames, their images in BGR.

    Raises:
        SourceError: Something is not a frame, or its timestamp is not a finite number or lies
            before that of the frame before.
        ImageError: A frame's image is not one.
    """
    last = -math.inf
    for frame in frames:
        if not isinstance(frame, Frame):
            raise SourceError(f"a source yields {describe_source(frame)}; it must yield frames")
        time_ = frame.timestamp
        if not (isinstance(time_, Real) and abs(float(time_)) <= MAX_TIMESTAMP):  # nor NaN
            raise SourceError(f"frame {frame.index}: {time_!r} is not a timestamp in seconds")
        if time_ < last:
            raise SourceError(
                f"frame {frame.index}: its timestamp, {time_:g} s, lies before that of the frame "
                f"before, {last:g} s"
            )
        last = time_
        image = load_image(frame.image)
        yield frame if image is frame.image else replace(frame, image=image)


def thin_out(frames: Iterable[Frame], max_fps: float | None) -> Iterator[Frame]:
    """Check the frames, and leave out those that exceed a frame rate by their timestamps.

    Raises:
        OptionError: ``max_fps`` is not above 0.
        SourceError: As in `check_frames`.
        ImageError: As in `check_frames`.
    """
    if max_fps is not None and not max_fps > 0:
        raise OptionError(f"max_fps is {max_fps}; it must be above 0")
    slot = None
    for frame in check_frames(frames):
        last, slot = slot, math.floor(frame.timestamp * max_fps + TOLERANCE) if max_fps else None
        if slot is None or slot != last:
            yield frame


def _believe(value: float, *, most: float) -> float | None:
    """Return a property of a capture, or None where the driver does not know it."""
    return value if 0 < value <= most else None
