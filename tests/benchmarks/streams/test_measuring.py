from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.media import pan, write_video
from benchmarks.streams.camera import PacedCamera, read_images
from benchmarks.streams.measuring import measure_file, measure_flicker, measure_memory

OPTIONS = {"actions": ["emotion"], "detector": "haar"}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "gray.mp4"
    write_video(path, pan(np.full((90, 160, 3), 128, np.uint8)))
    return path


def test_a_generated_video_has_its_length_and_size(video: Path) -> None:
    images = read_images(video)
    assert len(images) == 300
    assert images[0].shape == (360, 640, 3)


def test_the_camera_gives_images_at_its_own_pace() -> None:
    images = [np.full((2, 2, 3), level, np.uint8) for level in (1, 2)]
    camera = PacedCamera(images, fps=50)
    began = time.perf_counter()
    levels = [int(camera.read()[1][0, 0, 0]) for _ in range(4)]
    assert time.perf_counter() - began >= 3 / 50
    assert levels == [1, 2, 1, 2]
    assert camera.get(cv2.CAP_PROP_FPS) == 50


def test_every_measurement_says_what_it_measured(video: Path) -> None:
    assert "(300 frames)" in measure_file(video, {**OPTIONS, "freeze": "face"})
    assert "memory over 40 frames" in measure_memory(video, OPTIONS, num_frames=40)
    assert list(measure_flicker(video, OPTIONS)) == []  # nobody is in the video
