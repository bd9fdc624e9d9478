"""Thousands of images, many of them broken: nothing is lost, and memory stays flat."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import EveryCorner

from faceattr.errors import ImageError
from faceattr.pipeline import Pipeline
from faceattr.types import BGRImage

NUM_IMAGES = 3000


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def image(index: int) -> BGRImage:
    height, width = 200 + index % 7 * 40, 240 + index % 5 * 60
    return np.full((height, width, 3), index % 250 + 1, np.uint8)


def broken(index: int, folder: Path) -> Any:
    """One of ten things that are not images."""
    jpeg = cv2.imencode(".jpg", image(index))[1].tobytes()
    png = cv2.imencode(".png", image(index))[1].tobytes()
    return [
        b"",
        b"no image",
        jpeg[: len(jpeg) // 2],
        png[:60],
        folder / "missing.jpg",
        folder,
        np.zeros((4, 4, 7), np.uint8),
        np.full((4, 4, 3), np.nan),
        "data:image/png;base64,????",
        None,
    ][index // 10 % 10]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_batch_of_3000_with_each_tenth_broken_loses_nothing(tmp_path: Path) -> None:
    memory: list[float] = []

    def images() -> Iterator[Any]:
        for index in range(NUM_IMAGES):
            if index % 500 == 0:
                memory.append(resident_megabytes())
            yield broken(index, tmp_path) if index % 10 == 3 else image(index)

    pipeline = Pipeline("emotion,age,gender", detector=EveryCorner(2))
    num_faces = 0
    for index, result in enumerate(pipeline.analyze_each(images())):
        if index % 10 == 3:
            assert isinstance(result.error, ImageError), (index, result)
        else:
            assert result.error is None
            assert (result.height, result.width) == image(index).shape[:2]
            num_faces += len(result.faces)
    assert index == NUM_IMAGES - 1
    assert num_faces == NUM_IMAGES * 9 // 10 * 2
    assert memory[-1] < memory[1] * 1.03, memory
