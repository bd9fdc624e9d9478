"""A photograph and a video that need no download."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from faceattr.types import BGRImage

NUM_FRAMES, FPS = 300, 25
FRAME_SIZE = (640, 360)  # width and height of a generated video in pixels
SWAY = (20, 10)  # pixels to the left and right, up and down
SWAY_FRAMES = 100  # frames until the view is where it began


def astronaut() -> Path:
    """Return the path of a photograph in the public domain that comes with scikit-image.

    Raises:
        SystemExit: scikit-image is not installed.
    """
    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("no pictures were given; name some, or pip install scikit-image")
    return Path(package.submodule_search_locations[0], "data", "astronaut.png")


def pan(image: BGRImage) -> Iterator[BGRImage]:
    """Yield views of an image that sways to and fro, without end."""
    height, width = image.shape[:2]
    scale = max(FRAME_SIZE[0] / width, FRAME_SIZE[1] / height)
    for angle in cycle(np.linspace(0, 2 * np.pi, SWAY_FRAMES, endpoint=False)):
        x, y = SWAY[0] * np.sin(angle), SWAY[1] * np.cos(angle)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        yield np.asarray(
            cv2.warpAffine(image, matrix, FRAME_SIZE, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


def write_video(path: Path, frames: Iterator[BGRImage]) -> None:
    """Write the first `NUM_FRAMES` frames as an MP4 file."""
    first = next(frames)
    size = first.shape[1], first.shape[0]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    for frame in (first, *islice(frames, NUM_FRAMES - 1)):
        writer.write(frame)
    writer.release()
