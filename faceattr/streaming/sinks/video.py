"""An annotated video."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2

from faceattr.drawing import FramePainter
from faceattr.errors import OptionError, SinkError
from faceattr.options import DrawOptions
from faceattr.outputs import AppendFile, OutputFile, Outputs
from faceattr.streaming.sinks.base import Sink, require_time
from faceattr.streaming.sinks.containers import (
    CONTAINERS,
    Avi,
    Container,
    JpegEncoder,
    Mpeg4Encoder,
    Packet,
)
from faceattr.streaming.sinks.ffmpeg import H264Video, Sound, find_ffmpeg
from faceattr.types import BGRImage, Face, Frame

USUAL_FPS = 60.0  # more than that is measured: browsers' recordings claim 1000
PROBE_FRAMES = 10  # by which the frame rate is measured
FPS = 25.0  # where nothing can be measured
MAX_GAP = 5.0  # seconds for which a picture is held at most where timestamps jump,
MAX_REPEATED = 10  # or for as many frames, if they last longer

logger = logging.getLogger(__name__)


class VideoSink(Sink):
    """Writes a video with the faces drawn on it.

    It plays at the speed of the timestamps: frames are repeated or left out for that. A gap of
    more than five seconds, or ten frames, becomes as short as that. Frames of another size than
    the first are stretched to it. The file can be read at any moment, also after the process was
    killed.

    The video is H.264 if an ffmpeg that encodes it is found, on the PATH or from
    ``pip install 'faceattr[h264]'``; otherwise it is MPEG-4 Part 2, without sound, which browsers
    do not play. AVI files hold JPEGs.

    Args:
        path: File to write; ``.mp4``, ``.mov``, ``.mkv`` or ``.avi``.
        fps: Frames per second of the video; above 60, at most what the timestamps show.
        sound: Path or address of the video that the frames come from, to copy its sound, trimmed
            to the frames, into an H.264 video. It is left out where timestamps jump.
        drawing: What is drawn of each face; by default, its box and attributes.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Attributes:
        codec: ``"H.264"``, ``"MPEG-4"`` or ``"JPEG"``.

    Raises:
        OptionError: ``fps`` is not above 0.
        SinkError: The name has another suffix, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float = FPS,
        sound: str | os.PathLike[str] | None = None,
        drawing: DrawOptions | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        if not 0 < fps < math.inf:
            raise OptionError(f"fps is {fps}; it must be above 0")
        if Path(path).suffix.lower() not in CONTAINERS:
            raise SinkError(f"{path}: the name of a video ends in {', '.join(CONTAINERS)}")
        self._output = (outputs or Outputs(overwrite=True)).file(path)
        self.paths = (self._output.path,)
        self._fps = float(fps)
        self._sound = None if sound is None else os.fspath(sound)
        is_avi = CONTAINERS[self._output.path.suffix.lower()] is Avi
        self._ffmpeg = None if is_avi or self._output.is_special else find_ffmpeg()
        self.codec = "JPEG" if is_avi else "H.264" if self._ffmpeg else "MPEG-4"
        self._painter = FramePainter(drawing)
        self._waiting: list[tuple[float, BGRImage]] | None = [] if fps > USUAL_FPS else None
        self._video: _Video | H264Video | None = None
        self._size = 2, 2  # width and height in pixels, those of the first frame made even
        self._start = 0.0  # timestamp of the first frame, moved by the jumps since
        self._last: float | None = None  # timestamp
        self._num_frames = 0
        self._has_warned = False

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        timestamp = require_time(frame)
        if self._last is None:
            self._start = timestamp
        else:
            self._hold_less(frame, timestamp - self._last)
        self._last = timestamp
        due = timestamp - self._start
        if self._waiting is None:
            self._add(due, frame.image, faces)
            return
        self._waiting.append((due, self._painter.draw(frame.image, faces)))
        if len(self._waiting) == PROBE_FRAMES:
            self._add_waiting()

    def close(self) -> None:
        """See the base class."""
        self._add_waiting()
        video, self._video = self._video, None
        if isinstance(video, H264Video):
            video.close(None if self._sound is None else Sound(self._sound, self._start))
        elif video is not None:
            video.close()

    def _hold_less(self, frame: Frame, step: float) -> None:
        """Cut a jump of timestamps short, which would fill the disk, or end the video."""
        most = max(MAX_GAP, MAX_REPEATED / self._fps)
        if 0 <= step <= most:
            return
        held = most if step > 0 else 1 / self._fps
        self._start += step - held
        if not self._has_warned:
            self._has_warned = True
            without = ", and has no sound" if self._sound else ""
            self._sound = None  # it would not fit
            logger.warning(
                "timestamps jump by %g s at frame %d; %s is cut short there, and at later jumps%s",
                *(step, frame.index, self._output.path, without),
            )

    def _add_waiting(self) -> None:
        """Write the frames by which the frame rate was measured."""
        waiting, self._waiting = self._waiting or [], None
        steps = [later - earlier for (earlier, _), (later, _) in pairwise(waiting)]
        if steps:
            step = median(steps)
            self._fps = min(self._fps, 1 / step if step > 0 else FPS)
        for due, picture in waiting:
            self._add(due, picture, ())

    def _add(self, due: float, image: BGRImage, faces: Sequence[Face]) -> None:
        """Write a frame as often as it takes until that many seconds are full."""
        num_due = round(due * self._fps) + 1
        if self._num_frames >= num_due:
            return
        picture = self._painter.draw(image, faces)
        if self._video is None:
            height, width = picture.shape[:2]
            self._size = max(2, width // 2 * 2), max(2, height // 2 * 2)  # codecs take even sizes
            self._video = self._open()
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        for _ in range(num_due - self._num_frames):
            self._video.add(picture)
        self._num_frames = num_due

    def _open(self) -> _Video | H264Video:
        if self._ffmpeg:
            return H264Video(self._ffmpeg, self._output, self._size, self._fps)
        return _Video(self._output, self._size, self._fps)


class _Video:
    """A video file of a fixed frame rate.

    Args:
        output: File to write.
        size: Width and height in pixels, both even.
        fps: Frames per second.
    """

    def __init__(self, output: OutputFile, size: tuple[int, int], fps: float) -> None:
        self._size = size
        self._output = output
        self._fps = fps
        self._kind = CONTAINERS[output.path.suffix.lower()]
        is_avi = self._kind is Avi
        self._encoder = JpegEncoder() if is_avi else Mpeg4Encoder(self._size, fps)
        self._file: AppendFile | None = None  # made with the first packets, not to be empty
        self._container: Container | None = None
        self._is_whole = True  # no write was cut short, by Ctrl-C or a full disk

    def add(self, picture: BGRImage) -> None:
        self._write(self._encoder.encode(picture))

    def close(self) -> None:
        try:
            if self._is_whole:  # else what is there can be read, but not be added to
                self._write(self._encoder.finish())
                if self._container is not None:
                    self._container.finish()
        finally:
            self._encoder.close()
            if self._file is not None:
                self._file.close()

    def _write(self, packets: Sequence[Packet]) -> None:
        if not packets:
            return
        self._is_whole = False
        if self._container is None:
            self._file = self._output.append()
            self._container = self._kind(self._file, self._size, self._fps)
            self._container.begin(self._encoder.config)
        self._container.add(packets)
        self._is_whole = True
