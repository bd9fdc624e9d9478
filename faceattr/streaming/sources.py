"""Where frames come from: cameras, streams, videos, pictures, arrays."""

from __future__ import annotations

import logging
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from glob import has_magic
from itertools import count
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

import cv2
import numpy as np

from faceattr.errors import ImageError, OptionError, SourceError
from faceattr.images import ImageSource, find_images, load_image
from faceattr.types import BGRImage, Frame

AnySource = TypeVar("AnySource", bound="Source")

FrameSource: TypeAlias = "Source | int | str | os.PathLike[str] | Iterable[ImageSource | Frame]"
"""What `open_source` takes: the number of a camera; an address like ``rtsp://…``; the path of
a video, or of a folder or glob of pictures; pictures as for `load_image`; a source."""

FPS = 25.0  # of pictures that come without a time
MOST_FPS = 1000.0  # that are believed
TOLERANCE = 1e-6  # of a frame, so that rounding of timestamps does not cost one
MOST_DAMAGED = 100  # frames in a row; after more of them a video is at its end
BELIEVED = 0.9  # of the frames that a video claims to have; many have a few less
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # s, each before a camera is opened again
TIMEOUT = 10_000  # ms, for servers
VIDEOS = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}

logger = logging.getLogger(__name__)


class Source(ABC):
    """A sequence of frames, to be read once and closed.

    Attributes:
        live: Whether frames come at their own pace, so that who is slow misses some.
        fps: Frames per second, None if unknown.
        num_frames: How many there are, None if unknown; a file's claim may be wrong.
        num_dropped: How many could not be read, or came too fast.
    """

    live: bool = False
    fps: float | None = None
    num_frames: int | None = None
    num_dropped: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: The source is lost.
        """

    def close(self) -> None:
        """Let go of what the source holds; may be called again."""

    def __enter__(self: AnySource) -> AnySource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(source: FrameSource, *, fps: float = FPS) -> Source:
    """Return the frames of a camera, stream, video, folder of pictures or sequence of arrays.

    An http(s) address that ends like a video file is read as one, and no frame dropped; any
    other address is live.

    Args:
        source: As in `FrameSource`.
        fps: Frames per second of pictures, which come without a time.

    Raises:
        SourceError: It cannot be opened.
        ImageError: A folder or glob has no pictures.
    """
    if isinstance(source, str | os.PathLike):
        source = os.fspath(source)
    match source:
        case Source():
            return source
        case int():
            return LiveSource(partial(open_capture, source), name=f"camera {source}")
        case str() if source.isdecimal():
            return open_source(int(source))
        case str() if "://" in source:
            suffix = Path(urlsplit(source).path).suffix.lower()
            if suffix in VIDEOS:
                return VideoFile(source)
            return LiveSource(partial(open_capture, source), name=source)
        case str() if os.path.isdir(source) or (has_magic(source) and not os.path.exists(source)):
            return Pictures(find_images([source]), fps=fps)
        case str():
            return VideoFile(source)
    return Pictures(source, fps=fps)


class Pictures(Source):
    """Pictures or frames, one after the other; one that cannot be read is reported and left out.

    Args:
        pictures: Each as in `load_image`, or a `Frame` with its own time.
        fps: Pictures per second.
    """

    def __init__(self, pictures: Iterable[ImageSource | Frame], *, fps: float = FPS) -> None:
        if not 0 < fps <= MOST_FPS:
            raise OptionError(f"fps is {fps}; it must be above 0 and at most {MOST_FPS:g}")
        self._pictures = pictures
        self._period = 1 / fps
        self.fps = fps
        self.num_frames = len(pictures) if isinstance(pictures, Sized) else None

    def __iter__(self) -> Iterator[Frame]:
        for index, picture in enumerate(self._pictures):
            if isinstance(picture, Frame):
                yield picture
                continue
            try:
                yield Frame(load_image(picture), index, index * self._period)
            except ImageError as error:
                self.num_dropped += 1
                logger.warning("picture %d is left out: %s", index, error)


class VideoFile(Source):
    """The frames of a video, none left out but those that cannot be decoded.

    Args:
        path: Of a file, or its http(s) address.

    Raises:
        SourceError: There is no such file, or it is no video that OpenCV can read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = os.fspath(path)
        if "://" not in self._name and not os.path.isfile(self._name):
            raise SourceError(f"{self._name}: no such file")
        self._capture = open_capture(self._name)
        self.fps = _believe(self._capture.get(cv2.CAP_PROP_FPS), most=MOST_FPS)
        num_frames = _believe(self._capture.get(cv2.CAP_PROP_FRAME_COUNT), most=2**31)
        self.num_frames = None if num_frames is None else round(num_frames)

    def __iter__(self) -> Iterator[Frame]:
        timestamp, last = -math.inf, -1
        for index, image in self._decode():
            position = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            step = (index - last) / (self.fps or FPS)  # some containers have no times
            timestamp = position if position > timestamp else timestamp + step
            last = index
            yield Frame(image, index, timestamp)
        if last < 0:
            raise SourceError(f"{self._name}: a video without a frame that can be decoded")
        if self.num_frames and last + 1 < BELIEVED * self.num_frames:
            logger.warning("%s ends after %d of %d frames", self._name, last + 1, self.num_frames)

    def close(self) -> None:
        """See the base class."""
        self._capture.release()

    def _decode(self) -> Iterator[tuple[int, BGRImage]]:
        """Yield the frames that can be decoded, with their numbers."""
        due = 0
        for index in count():
            ok, image = self._capture.read()
            if ok:
                if index > due:
                    self.num_dropped += index - due
                    logger.warning(
                        "%s: frames %d to %d cannot be decoded", self._name, due, index - 1
                    )
                due = index + 1
                yield index, np.asarray(image, np.uint8)
            elif index - due >= MOST_DAMAGED:
                return


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
        self.fps = _believe(self._capture.get(cv2.CAP_PROP_FPS), most=MOST_FPS)
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
    if isinstance(address, str) and "://" in address:
        timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        options = [value for timeout in timeouts for value in (timeout, TIMEOUT)]
        capture = cv2.VideoCapture(address, cv2.CAP_ANY, options)
    else:
        capture = cv2.VideoCapture(address)
    if not capture.isOpened():
        if isinstance(address, int):
            raise SourceError(f"camera {address} cannot be opened; is it there and not in use?")
        raise SourceError(f"{address}: not a video or stream that OpenCV can read")
    return capture


def thin_out(frames: Iterable[Frame], max_fps: float | None) -> Iterator[Frame]:
    """Leave out frames that come faster than so many per second, by their timestamps.

    Raises:
        OptionError: ``max_fps`` is not above 0.
    """
    if max_fps is not None and not max_fps > 0:
        raise OptionError(f"max_fps is {max_fps}; it must be above 0")
    slot = None
    for frame in frames:
        last, slot = slot, math.floor(frame.timestamp * max_fps + TOLERANCE) if max_fps else None
        if slot is None or slot != last:
            yield frame


def _believe(value: float, *, most: float) -> float | None:
    """Return what a driver claims, or None where it does not know."""
    return value if 0 < value <= most else None
