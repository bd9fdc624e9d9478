"""Pictures for batches, and runs in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batch_runs import Inline, write_picture

from faceattr.batch import running
from faceattr.streaming.sinks import VideoSink
from faceattr.types import Frame


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Inline:
    """Runs do their chunks in this process."""
    inline = Inline()
    monkeypatch.setattr(running, "_make_engine", inline.make)
    return inline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of nine pictures: seven faces, one black, one that is none."""
    for index in range(7):
        write_picture(tmp_path / "pictures" / f"{index}.png", (0, 100 + index, 0))
    write_picture(tmp_path / "pictures" / "more" / "black.png", (0, 0, 0))
    (tmp_path / "pictures" / "more" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "pictures"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 6 seconds, 10 frames each, that becomes brighter."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoSink(path, fps=10) as video:
        for index in range(60):
            image = np.full((64, 64, 3), 60 + 3 * index, np.uint8)
            video.write(Frame(image, index, index / 10), [])
    return path
