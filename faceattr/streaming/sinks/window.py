"""A window that shows a stream."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import cv2

from faceattr.drawing import FramePainter, draw_status
from faceattr.errors import SinkError
from faceattr.options import DrawOptions
from faceattr.outputs import Outputs
from faceattr.results import encode_image
from faceattr.streaming.sinks.base import Sink
from faceattr.types import BGRImage, Face, Frame

WINDOW_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
WINDOW_SIDE = 960  # pixels, the longer side at first
OPEN_A_WINDOW = "import cv2; cv2.namedWindow('faceattr')"
TIMEOUT = 30.0  # seconds
KEYS = "q quit · space pause · s save · h help"
KEYS_SECONDS = 5.0  # for which they are shown

logger = logging.getLogger(__name__)


class WindowSink(Sink):
    """Shows the faces in a window: q quits, space pauses, s saves the image, h shows the keys.

    The keys are shown in the first seconds too. `faceattr.stream` plays a video file at its own
    speed while there is a window: analyzers work in the background, and frames that come late are
    left out, also for the other sinks.

    Args:
        title: Title of the window.
        snapshots: Folder in which images are saved; none is replaced.
        status: Gives a line to write over the image.
        drawing: What is drawn of each face; by default, its box and attributes.
        outputs: The files of the run.
        clock: Gives the time in seconds.
        paces: Play a video file at its own speed; otherwise every frame is shown, as soon as it
            is ready.

    Raises:
        SinkError: There is no display, or an OpenCV without windows.
    """

    def __init__(
        self,
        title: str = "faceattr",
        *,
        snapshots: str | os.PathLike[str] = ".",
        status: Callable[[], str] = str,
        drawing: DrawOptions | None = None,
        outputs: Outputs | None = None,
        clock: Callable[[], float] = time.monotonic,
        paces: bool = True,
    ) -> None:
        _require_display()
        self.paces = paces
        self._title = title
        self._snapshots = Path(snapshots)
        self._outputs = outputs or Outputs()
        self._status = status
        self._clock = clock
        self._keys_until = 0.0  # by the clock
        self._painter = FramePainter(drawing)
        self._is_open = False

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        picture = self._painter.draw(frame.image, faces)
        self._open(picture)
        self._show(picture)
        paused = False
        while not self.done:
            key = cv2.waitKey(50 if paused else 1) & 0xFF
            paused ^= key == ord(" ")
            if key == ord("h"):
                self._keys_until = self._clock() + KEYS_SECONDS
                self._show(picture)
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
            self._keys_until = self._clock() + KEYS_SECONDS

    def _show(self, picture: BGRImage) -> None:
        line = KEYS if self._clock() < self._keys_until else self._status()
        cv2.imshow(self._title, draw_status(picture, line))

    def _save(self, picture: BGRImage, index: int) -> None:
        try:
            path = self._outputs.folder(self._snapshots).write_new(
                f"faceattr-{index:06}.png", encode_image(picture, ".png")
            )
        except SinkError as error:  # the stream is worth more
            logger.warning("%s", error)
        else:
            logger.info("saved %s", path)


def _require_display() -> None:
    """Try a window in another process: without a display, some OpenCVs end theirs."""
    command = [sys.executable, "-c", OPEN_A_WINDOW]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        raise SinkError(
            "no window can be opened: there is no display, or this OpenCV has no windows; "
            "go without one (--no-display) and write the results to a file"
        )
