"""Where chunks are done: in processes of this machine, or on Ray."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from faceattr.batch.plan import Chunk, Job
from faceattr.batch.work import Counts, Worker
from faceattr.errors import FaceattrError

if TYPE_CHECKING:
    from typing_extensions import Self


class Killed(NamedTuple):
    """The process of a chunk has ended before the chunk was done."""


Outcome: TypeAlias = Counts | FaceattrError | Killed
"""What became of a chunk: what its part holds, why there is none, or that its process ended."""


class Engine(ABC):
    """Workers that each do one chunk at a time; a context manager that ends them."""

    @abstractmethod
    def submit(self, chunk: Chunk) -> None:
        """Give a chunk to a free worker."""

    @abstractmethod
    def wait(self) -> Sequence[tuple[Chunk, Outcome]]:
        """Return chunks whose work has ended, or none after a moment."""

    @property
    @abstractmethod
    def num_free(self) -> int:
        """Number of workers that could do a chunk now."""

    @abstractmethod
    def close(self) -> None:
        """End the workers, whatever they do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


MOMENT = 0.5  # s


class LocalEngine(Engine):
    """Processes of this machine. One that is killed is started anew.

    Args:
        job: What is done with the chunks.
        workers: Number of processes.
    """

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job
        self._free: list[_Process] = [_Process(job) for _ in range(workers)]
        self._busy: dict[Connection, _Process] = {}

    @property
    def num_free(self) -> int:
        """See the base class."""
        return len(self._free)

    def submit(self, chunk: Chunk) -> None:
        """See the base class."""
        process = self._free.pop()
        process.start(chunk)
        self._busy[process.connection] = process

    def wait(self) -> Sequence[tuple[Chunk, Outcome]]:
        """See the base class."""
        done: list[tuple[Chunk, Outcome]] = []
        for ready in wait(list(self._busy), timeout=MOMENT):
            process = self._busy.pop(cast(Connection, ready))
            chunk = process.chunk
            outcome = process.receive()
            if isinstance(outcome, Killed):
                process.close()
                process = _Process(self._job)
            self._free.append(process)
            done.append((chunk, outcome))
        return done

    def close(self) -> None:
        """See the base class."""
        for process in [*self._free, *self._busy.values()]:
            process.close()
        self._free, self._busy = [], {}


class _Process:
    """A process that does chunks until the connection to it is closed.

    Args:
        job: What is done with them.
    """

    chunk: Chunk

    def __init__(self, job: Job) -> None:
        context = get_context("spawn")  # a fork of a process with threads may hang
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(job, theirs))  # may have children
        self._process.start()
        theirs.close()

    def start(self, chunk: Chunk) -> None:
        self.chunk = chunk
        try:
            self.connection.send(chunk)
        except OSError:  # it is dead, which receive() finds out
            return

    def receive(self) -> Outcome:
        try:
            outcome: Outcome = self.connection.recv()
        except (EOFError, OSError):
            return Killed()
        return outcome

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(job: Job, connection: Connection) -> None:
    """Do chunks until the other end of the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends this
    worker: Worker | None = None
    while True:
        try:
            chunk: Chunk = connection.recv()
        except EOFError:
            return
        try:
            worker = worker or Worker(job)
            outcome: Outcome = worker.do(chunk)
        except FaceattrError as error:
            outcome = error
        try:
            connection.send(outcome)
        except OSError:  # nobody waits for it any more
            return
