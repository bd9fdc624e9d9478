"""A fake camera that gives the frames of a video at its own pace."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import cv2

from faceattr.streaming.sources import VideoFile
from faceattr.types import BGRImage


class PacedCamera:
    """Gives images in a loop, each when it is due, like `cv2.VideoCapture`.

    Args:
        images: The images.
        fps: Frames per second.
    """

    def __init__(self, images: Sequence[BGRImage], fps: float) -> None:
        self._images = cycle(images)
        self._fps = fps
        self._began: float | None = None
        self._num_read = 0

    def read(self) -> tuple[bool, BGRImage]:
        """Wait until the next image is due, and return it."""
        now = time.perf_counter()
        self._began = self._began or now
        time.sleep(max(0.0, self._began + self._num_read / self._fps - now))
        self._num_read += 1
        return True, next(self._images).copy()

    def get(self, prop: int, /) -> float:
        """Return the frames per second, and 0 for other properties."""
        return self._fps if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Release nothing; the images are the caller's."""


def read_images(path: Path) -> list[BGRImage]:
    """Return all frames of a short video."""
    with VideoFile(path) as frames:
        return [frame.image for frame in frames]


def loop_images(path: Path) -> Iterator[BGRImage]:
    """Yield the frames of a short video in a loop."""
    for image in cycle(read_images(path)):
        yield image.copy()
