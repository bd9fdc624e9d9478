"""H.264 videos with sound, encoded by the program ffmpeg.

It is a program here and not a library, because PyAV's copy of FFmpeg and OpenCV's disturb each
other in one process on macOS, and because a program can finish the file when this one is killed.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from faceattr.errors import SinkError
from faceattr.images import printable
from faceattr.outputs import OutputFile
from faceattr.types import BGRImage

ENCODER = "libx264"
QUALITY = ("-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p")
QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error", "-y")
FORMATS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}
FRAGMENTS = ("-movflags", "empty_moov+default_base_moof", "-frag_duration", "500000")  # µs
KEY_SECONDS = 2.0  # between frames to which a player can jump
PLAYED = {"aac", "mp3"}  # codecs of sound that all players of MP4 know; others become AAC
PROCESS: Mapping[str, Any] = {  # Ctrl-C ends this process, which lets ffmpeg finish
    "start_new_session": sys.platform != "win32",
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
}

logger = logging.getLogger(__name__)


class Sound(NamedTuple):
    """Sound to copy from a video.

    Attributes:
        source: Path or address of the video.
        start: Time in its video stream at which the copy begins, in seconds.
    """

    source: str
    start: float


@lru_cache(maxsize=1)
def find_ffmpeg() -> str | None:
    """Return the path of an ffmpeg that encodes H.264, on the PATH or of imageio-ffmpeg."""
    return next(filter(_encodes_h264, _candidates()), None)


def _candidates() -> Iterator[str]:
    found = shutil.which("ffmpeg")
    if found and os.path.dirname(os.path.abspath(found)) != os.getcwd():  # Windows looks here too
        yield found
    with suppress(ImportError, RuntimeError):  # it has none for this system
        from imageio_ffmpeg import get_ffmpeg_exe

        yield get_ffmpeg_exe()


def _encodes_h264(ffmpeg: str) -> bool:
    command = [ffmpeg, "-hide_banner", "-encoders"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:  # it cannot be started
        return False
    return f" {ENCODER} " in done.stdout


class H264Video:
    """An H.264 video that can be read while it grows, also after a process was killed.

    ffmpeg gets the frames through a pipe and writes fragments that can be read on their own. It
    takes the end of this process for the end of the video, and finishes the file. `close` turns
    it into an ordinary file whose index comes first, so that browsers play it at once.

    Args:
        ffmpeg: Path of the program.
        output: File to write; its suffix is one of `FORMATS`.
        size: Width and height in pixels, both even.
        fps: Frames per second.

    Raises:
        SinkError: ffmpeg cannot be started.
    """

    def __init__(self, ffmpeg: str, output: OutputFile, size: tuple[int, int], fps: float) -> None:
        self._ffmpeg = ffmpeg
        self._output = output
        self._fps = fps
        self._format = FORMATS[output.path.suffix.lower()]
        self._num_frames = 0
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115
        rate = str(Fraction(fps).limit_denominator(100_000))  # finds 30000/1001
        frames = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-framerate", rate)
        command = [ffmpeg, *QUIET, *frames, "-video_size", f"{size[0]}x{size[1]}", "-i", "pipe:"]
        command += ["-c:v", ENCODER, *QUALITY, "-g", str(max(1, round(KEY_SECONDS * fps)))]
        command += [*FRAGMENTS] if self._format != "matroska" else []
        command += ["-flush_packets", "1", "-f", self._format, _url(output.path)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._messages,
                **PROCESS,
            )
        except OSError as error:
            raise SinkError(f"{ffmpeg}: cannot be started: {error.strerror}") from error

    def add(self, picture: BGRImage) -> None:
        """Write a frame of the size of the video.

        Raises:
            SinkError: ffmpeg has ended, for example because the disk is full.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(picture).data)
        except OSError:
            self._process.wait()
            raise self._error() from None
        self._num_frames += 1

    def close(self, sound: Sound | None = None) -> None:
        """Finish the video, add the sound, and put the index first.

        Raises:
            SinkError: ffmpeg could not write all frames; those that it wrote can be read.
        """
        assert self._process.stdin is not None
        with suppress(OSError):  # if ffmpeg has ended, its status says why
            self._process.stdin.close()
        try:
            if self._process.wait():
                raise self._error()
        finally:
            self._messages.close()
        try:
            self._finish(sound)
        except SinkError as error:  # all frames are there
            logger.warning("%s plays only once it is loaded: %s", self._output.path, error)

    def _finish(self, sound: Sound | None) -> None:
        """Add the sound, and put the index of an MP4 file first; if that fails, the file stays."""
        if sound:
            try:
                self._rewrite(self._cut(sound))
            except SinkError as error:
                logger.warning("%s has no sound: %s", self._output.path, error)
            else:
                return
        if self._format != "matroska":
            self._rewrite()

    def _cut(self, sound: Sound) -> list[str]:
        """Return the options of ffmpeg that take the sound of a second input."""
        video_start, codec = _probe(self._ffmpeg, sound.source)
        start, seconds = video_start + sound.start, self._num_frames / self._fps
        part = ["-ss", f"{start:.3f}", "-t", f"{seconds:.3f}", "-i", _url(sound.source)]
        kept = codec in PLAYED or self._format == "matroska"
        drop_earlier = ["-copypriorss:a", "0"]  # what comes with the key frame before the start
        frames = ["-map", "0:v", "-map", "1:a?"]
        return [*part, *frames, "-c:a", "copy" if kept else "aac", *drop_earlier]

    def _rewrite(self, sound: Sequence[str] = ()) -> None:
        """Copy the frames into a file whose index comes first."""
        source = ["-i", _url(self._output.path)]
        with self._output.replacing() as file:
            target = ["-c:v", "copy", "-movflags", "+faststart", "-f", self._format]
            _run([self._ffmpeg, *QUIET, *source, *sound, *target, _url(file.name)])

    def _error(self) -> SinkError:
        self._messages.seek(0)
        reason = _reason(self._messages.read(), self._process.returncode)
        return SinkError(f"{printable(str(self._output.path))}: cannot be written: {reason}")


def _probe(ffmpeg: str, source: str) -> tuple[float, str]:
    """Return when the first frame of a video is shown, and the codec of its sound, or nothing.

    The time is in seconds; at 0 begins whichever of its streams comes first.

    Raises:
        SinkError: It cannot be read.
    """
    first = ["-map", "0:v:0", "-frames:v", "1", "-vf", "showinfo", "-f", "null", "-"]
    shown = _run([ffmpeg, *QUIET, "-loglevel", "info", "-i", _url(source), *first])
    time = re.search(r"pts_time:(-?[\d.]+)", shown)
    codec = re.search(r"Stream #0:.*: Audio: (\w+)", shown)
    if time is None:
        raise SinkError(f"{printable(source)}: ffmpeg finds no frame")
    return float(time[1]), codec[1] if codec else ""


def _run(command: Sequence[str]) -> str:
    """Run ffmpeg and return its messages.

    Raises:
        SinkError: It fails; the message says why.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, **PROCESS, check=False
    )
    if done.returncode:
        raise SinkError(f"ffmpeg failed: {_reason(done.stderr, done.returncode)}")
    return done.stderr.decode(errors="replace")


def _reason(messages: bytes, status: int) -> str:
    """Return why ffmpeg failed: its first message, or the signal that ended it."""
    lines = messages.decode(errors="replace").splitlines()
    if lines:
        return re.sub(r"^\[[^]]*\] ", "", lines[0])
    return f"ffmpeg ended: {signal.strsignal(-status) if status < 0 else f'status {status}'}"


def _url(path: str | os.PathLike[str]) -> str:
    """Return a path as an address, so that no name is taken for an option or a protocol."""
    name = os.fspath(path)
    return name if "://" in name and not os.path.exists(name) else f"file:{os.path.abspath(name)}"
