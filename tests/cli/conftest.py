"""The command, called in this process or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import pytest

from faceattr.cli import run
from faceattr.images import load_image
from faceattr.streaming.sinks import VideoSink
from faceattr.types import Frame


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


class Command(Protocol):
    """Runs `faceattr` with these arguments."""

    def __call__(self, *arguments: str | float | Path) -> Done: ...


@pytest.fixture
def faceattr(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process; warnings go to `caplog`."""

    def call(*arguments: str | float | Path) -> Done:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Done(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def faceattr_process() -> Command:
    """The command in a process of its own."""

    def call(*arguments: str | float | Path) -> Done:
        command = [sys.executable, "-m", "faceattr", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def clip(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames, 10 per second, of a face that moves to the left."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    image = cv2.resize(load_image(astronaut), (320, 320), interpolation=cv2.INTER_AREA)
    with VideoSink(path, fps=10) as video:
        for index in range(12):
            video.write(Frame(np.roll(image, -4 * index, axis=1), index, index / 10), [])
    return path
