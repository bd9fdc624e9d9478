"""What the tests of batches share; their processes import the detector by this name."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceattr import Detection, Detector
from faceattr.batch.engines import Engine, Outcome
from faceattr.batch.plan import Chunk, Job
from faceattr.batch.work import Worker
from faceattr.detectors.base import Search
from faceattr.errors import FaceattrError
from faceattr.options import PipelineOptions
from faceattr.types import BGRImage

KILLER = (255, 0, 0)  # first pixel of a picture that kills the process


class BrightnessDetector(Detector):
    """Finds one face in a picture, none in a black one; some pictures kill the process.

    Args:
        marks: Folder in which a file is left for each process that was killed; None to kill none.
        most: Kill no more processes than this.
    """

    default_threshold = 0.0
    takes_tiles = False

    def __init__(self, *, marks: Path | None = None, most: int = 1000) -> None:
        super().__init__()
        self._marks, self._most = marks, most

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        """See the base class."""
        first = tuple(map(int, image[0, 0]))
        if first == KILLER and self._marks and len(list(self._marks.iterdir())) < self._most:
            (self._marks / f"{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        height, width = image.shape[:2]
        return [Detection((0, 0, width, height), first[1] / 255)] if any(first) else []


OPTIONS = PipelineOptions(actions=(), detector=BrightnessDetector())


class InlineEngine(Engine):
    """Does each chunk in this process, when it is waited for.

    Args:
        job: What is done with the chunks.
        fate: What becomes of a chunk instead of being done; None to do it.
    """

    def __init__(self, job: Job, fate: Callable[[Chunk], Outcome | None]) -> None:
        self._worker, self._fate = Worker(job), fate
        self._chunk: Chunk | None = None
        self.done: list[Chunk] = []

    @property
    def num_free(self) -> int:
        """See the base class."""
        return int(self._chunk is None)

    def submit(self, chunk: Chunk) -> None:
        """See the base class."""
        self._chunk = chunk

    def wait(self) -> Sequence[tuple[Chunk, Outcome]]:
        """See the base class."""
        chunk, self._chunk = self._chunk, None
        assert chunk is not None
        outcome = self._fate(chunk)
        if outcome is None:
            self.done.append(chunk)
            try:
                outcome = self._worker.do(chunk)
            except FaceattrError as error:
                outcome = error
        return [(chunk, outcome)]

    def close(self) -> None:
        """See the base class."""


class Inline:
    """The engines of the runs in this process, and what is to become of their chunks."""

    def __init__(self) -> None:
        self.engines: list[InlineEngine] = []
        self.fate: Callable[[Chunk], Outcome | None] = lambda _: None

    def make(self, _name: str, job: Job, _workers: int | None, _address: str | None) -> Engine:
        """Return an engine, as `running._make_engine` does."""
        self.engines.append(InlineEngine(job, lambda chunk: self.fate(chunk)))
        return self.engines[-1]

    @property
    def num_done(self) -> int:
        """Number of chunks that were done."""
        return sum(len(engine.done) for engine in self.engines)


def write_picture(path: Path, bgr: tuple[int, int, int] = (0, 200, 0), side: int = 8) -> Path:
    """Write a picture of one color; a face is found on it if that is not black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side + 2, 3), bgr, np.uint8))
    return path


def write_shard(path: Path, *pictures: Path) -> Path:
    """Write a tar file of pictures."""
    with tarfile.open(path, "w") as shard:
        for picture in pictures:
            shard.add(picture, f"inside/{picture.name}")
        shard.addfile(tarfile.TarInfo("inside/notes.txt"), io.BytesIO())
    return path


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of all parts, sorted."""
    import pyarrow.parquet

    rows: Iterable[dict[str, Any]] = (
        row
        for part in folder.glob("part-*.parquet")
        for row in pyarrow.parquet.read_table(part).to_pylist()
    )
    return sorted(rows, key=lambda row: (row["key"], row["timestamp"] or 0, row["face"] or 0))
