"""The run over all chunks: what is left to do, who does it, what came of it."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from faceattr.arguments import explained
from faceattr.batch import storage
from faceattr.batch.engines import Engine, Killed, LocalEngine, Outcome
from faceattr.batch.plan import Chunk, Job, list_chunks, part_name
from faceattr.batch.work import ATTEMPTS, Counts, read_counts
from faceattr.errors import FaceattrError, ImageError, OptionError, SinkError
from faceattr.images import printable
from faceattr.options import PipelineOptions

CHUNK_SIZE = 256  # pictures; some seconds of work, which is the most that a kill costs
ENGINES = ("local", "ray")
SETTINGS, SUCCESS = "_batch.json", "_SUCCESS.json"
PART = re.compile(r"part-([0-9a-f]{32})\.parquet")
READERS = 16  # threads that read the counts of parts
MOST_FAILED = 20  # chunks in a row, before the run ends

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        chunks: Chunks that are done, by earlier runs too.
        total: Chunks in all; None while they are still being counted.
        counts: What this run has done.
        rate: Pictures per second of this run.
        seconds_left: Time that the rest takes; None if that is not known yet.
    """

    chunks: int
    total: int | None
    counts: Counts
    rate: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Attributes:
        counts: What is in the parts: all of them, or those of ``chunk``.
        chunks: Number of parts.
        new: How many of them this run wrote.
        seconds: Duration of this run.
        errors: Why parts are missing; empty if all are there.
    """

    counts: Counts
    chunks: int
    new: int
    seconds: float
    errors: tuple[str, ...] = ()


@explained
def run(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    to: str | os.PathLike[str],
    options: PipelineOptions | None = None,
    *,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    chunk: str | None = None,
    chunk_size: int = CHUNK_SIZE,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Write what is on any number of pictures to a folder of Parquet files.

    Each file, a part, belongs to a chunk of the inputs, and a chunk is done when its part is there.
    So a run that was interrupted goes on when it is called again.

    Args:
        inputs: Pictures, folders, globs, lists, tar files, videos; see `list_names`. Local, or
            URIs of what `pyarrow.fs` reads, such as ``s3://bucket/folder``.
        to: Folder of the parts, a path or URI: empty, missing, or of an earlier run with the same
            inputs and options.
        options: What to find and read; by default emotions.
        engine: ``"local"``, processes of this machine; or ``"ray"``.
        address: Of the Ray cluster; None for ``RAY_ADDRESS``, or a cluster on this machine.
        workers: Number of workers; None for as many as there are cores.
        chunk: ``"3/8"`` to do only the third of eight shares, as a job of an array does; a run
            without it, after all of them, writes ``_SUCCESS.json``.
        chunk_size: Pictures in a chunk.
        on_progress: Called with how far the run is, at least twice a second.

    Raises:
        OptionError: An input is missing, or an option is wrong.
        ImageError: There are no pictures.
        SinkError: The folder is not empty, or belongs to a run with other inputs or options.
        MissingDependencyError: pyarrow, or Ray, is not installed.
        FaceattrError: As in `Pipeline`, and if many chunks fail, one after the other.
    """
    listed = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    share = _to_share(chunk)
    if chunk_size < 1 or (workers is not None and workers < 1):
        raise OptionError("workers and chunk_size must be at least 1")
    if engine not in ENGINES:
        raise OptionError(f"engine is {engine!r}; it can be {' or '.join(map(repr, ENGINES))}")
    options = options or PipelineOptions()
    job = Job(storage.absolute(to), replace(options, threads=options.threads or 1))
    plan = _Plan([_to_absolute(one) for one in listed], job, chunk_size, share)
    present = _claim(job, plan)
    if not share:
        storage.delete(storage.join(job.to, SUCCESS))
    drive = _Drive(plan, present, on_progress or (lambda _: None))
    if drive.has_work():
        with _make_engine(engine, job, workers, address) as started:
            drive.go(started)
    if not drive.planned:
        raise ImageError(f"{', '.join(map(printable, plan.inputs))}: no pictures there")
    summary = drive.summarize()
    if not share and not summary.errors:
        _finish(job, plan, summary, stale=present - set(drive.planned))
    return summary


def _to_share(chunk: str | None) -> tuple[int, int] | None:
    """Return the number of a share, from 0, and the number of shares."""
    if chunk is None:
        return None
    number, _, total = chunk.partition("/")
    if number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total):
        return int(number) - 1, int(total)
    raise OptionError(f"chunk is {chunk!r:.100}; write it like 3/8, the third of eight shares")


def _to_absolute(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if text.startswith("@") and not os.path.exists(text):
        return "@" + storage.absolute(text[1:])
    return storage.absolute(text)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The chunks of a run, which can be listed again and again."""

    inputs: list[str]
    job: Job
    chunk_size: int
    share: tuple[int, int] | None

    def chunks(self) -> Iterator[Chunk]:
        number, total = self.share or (0, 1)
        listed = list_chunks(self.inputs, self.job, size=self.chunk_size)
        return islice(listed, number, None, total)

    def describe(self) -> dict[str, Any]:
        """Return what runs that share a folder have in common, in JSON's own types."""
        own = {"inputs": self.inputs, "chunk_size": self.chunk_size}
        return {**own, "settings": self.job.settings}


def _claim(job: Job, plan: _Plan) -> set[str]:
    """Return the ids of the parts in the folder, which must be empty or of such a run.

    Raises:
        SinkError: It is another folder.
    """
    storage.make_folder(job.to)
    path, current = storage.join(job.to, SETTINGS), plan.describe()
    if not storage.exists(path):
        found = next(storage.entries(job.to), None)
        if found is not None and not storage.exists(path):  # nor written just now by another run
            raise SinkError(
                f"{printable(job.to)}: holds {printable(found.name)}, and not the parts of a run; "
                "name an empty folder, or one that is not there"
            )
        storage.write(path, json.dumps(current, indent=2).encode())
    with storage.open_stream(path) as file:
        earlier = json.loads(file.read())
    for mine, theirs in ((current, earlier), (current["settings"], earlier.get("settings", {}))):
        for name in mine:
            if mine[name] != theirs.get(name) and name != "settings":
                raise SinkError(
                    f"{printable(job.to)}: belongs to a run with {name} {theirs.get(name)!r:.200}; "
                    f"this one has {mine[name]!r:.200}; give the same, or another folder"
                )
    matches = (PART.fullmatch(one.name) for one in storage.entries(job.to))
    return {match[1] for match in matches if match}


def _make_engine(name: str, job: Job, workers: int | None, address: str | None) -> Engine:
    if name == "ray":
        from faceattr.batch.on_ray import RayEngine

        return RayEngine(job, workers, address=address)
    if address is not None:
        raise OptionError("address is that of a Ray cluster; add --engine ray")
    return LocalEngine(job, workers or _num_cores())


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _finish(job: Job, plan: _Plan, summary: Summary, *, stale: set[str]) -> None:
    """Say that all parts are there, and delete those of an earlier state of the inputs."""
    for one in stale:
        logger.warning("%s is of an earlier state of the inputs, and deleted", part_name(one))
        storage.delete(storage.join(job.to, part_name(one)))
    described = {**summary.counts._asdict(), "chunks": summary.chunks, **plan.describe()}
    storage.write(storage.join(job.to, SUCCESS), json.dumps(described, indent=2).encode())


class _Drive:
    """Gives chunks to workers until none is left.

    Args:
        plan: The chunks.
        present: Ids of the parts that are there.
        tell: Called with how far the run is.

    Attributes:
        planned: Ids of all chunks that were listed.
    """

    def __init__(self, plan: _Plan, present: set[str], tell: Callable[[Progress], None]) -> None:
        self.planned: list[str] = []
        self._plan, self._present, self._tell = plan, present, tell
        self._begun = time.monotonic()
        self._listed = plan.chunks()
        self._ready: deque[Chunk] = deque()
        self._videos: dict[str, tuple[Chunk, set[str]]] = {}  # by segment, with those not done
        self._counts, self._new, self._num_earlier = Counts(), 0, 0
        self._kills: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._failed_in_a_row = 0
        self._errors: list[str] = []
        self._total: int | None = None
        self._is_over = False

    def has_work(self) -> bool:
        """Return whether a chunk is ready; list on until one is."""
        while not self._ready:
            chunk = next(self._listed, None)
            if chunk is None:
                return False
            self.planned.append(chunk.id)
            if chunk.id in self._present:
                self._num_earlier += 1
                continue
            left = {one.id for one in chunk.after}
            self._videos.update(dict.fromkeys(left, (chunk, left)))
            self._ready.extend(chunk.after or [chunk])
        return True

    def go(self, engine: Engine) -> None:
        """Do all chunks.

        Raises:
            FaceattrError: One that other chunks would meet as well.
        """
        counting = threading.Thread(target=self._count, daemon=True)
        counting.start()
        num_busy = 0
        try:
            while num_busy or self.has_work():
                while engine.num_free and self.has_work():
                    engine.submit(self._ready.popleft())
                    num_busy += 1
                for chunk, outcome in engine.wait():
                    num_busy -= 1
                    self._take(chunk, outcome)
                self._tell(self._progress())
        finally:
            self._is_over = True
            counting.join()

    def summarize(self) -> Summary:
        """Return what the run came to; counts of parts that were there are read from them."""
        paths = [
            storage.join(self._plan.job.to, part_name(one))
            for one in self.planned
            if one in self._present
        ]
        counts = self._counts
        with ThreadPoolExecutor(READERS) as pool:
            for one in pool.map(read_counts, paths):
                counts = counts.plus(one)
        seconds = time.monotonic() - self._begun
        num_parts = len(paths) + self._new
        return Summary(counts, num_parts, self._new, seconds, tuple(self._errors))

    def _take(self, chunk: Chunk, outcome: Outcome) -> None:
        """Count what became of a chunk, or let it be done again."""
        if isinstance(outcome, Counts):
            self._failed_in_a_row = 0
            self._finish(chunk, outcome)
        elif isinstance(outcome, Killed):
            self._kills[chunk.id] += 1
            kills = self._kills[chunk.id]
            logger.info("chunk %s: its process was killed, %d times so far", chunk.id, kills)
            if kills == 2 * ATTEMPTS:
                self._give_up(f"{chunk.file}: its process was killed {kills} times")
            else:
                self._ready.append(replace(chunk, apart=kills >= ATTEMPTS))
        elif isinstance(outcome, storage.StorageError | SinkError):
            self._failures[chunk.id] += 1
            if self._failures[chunk.id] == ATTEMPTS:
                self._give_up(str(outcome))
            else:
                self._ready.append(chunk)
        else:
            raise outcome

    def _finish(self, chunk: Chunk, counts: Counts) -> None:
        if chunk.id not in self._videos:
            self._counts = self._counts.plus(counts)
            self._new += 1
            return
        video, left = self._videos.pop(chunk.id)
        left.remove(chunk.id)
        if not left:
            self._ready.append(video)

    def _give_up(self, why: str) -> None:
        """Leave a chunk to a later run; if that happens to many in a row, there is a reason."""
        self._errors.append(why)
        self._failed_in_a_row += 1
        if self._failed_in_a_row == MOST_FAILED:
            raise FaceattrError(f"{why}; {MOST_FAILED} chunks failed in a row, so the run ends")

    def _count(self) -> None:
        """Count the chunks, beside the work on them."""
        total = 0
        with suppress(FaceattrError):  # the work meets it as well
            for _ in self._plan.chunks():
                total += 1
                if self._is_over:
                    return
            self._total = total

    def _progress(self) -> Progress:
        seconds = time.monotonic() - self._begun
        done = self._num_earlier + self._new
        rest = None if self._total is None else self._total - done
        left = seconds * rest / self._new if rest is not None and self._new else None
        return Progress(done, self._total, self._counts, self._counts.pictures / seconds, left)
