"""Chunks on a Ray cluster, which starts the workers, places them, and starts dead ones anew."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceattr.batch.engines import MOMENT, Engine, Killed, Outcome
from faceattr.batch.plan import Chunk, Job
from faceattr.batch.work import Counts, Worker
from faceattr.errors import EngineError, FaceattrError, MissingDependencyError

MEMORY = 1 << 30  # bytes of a worker; 0.6 GB were measured, see docs/many-machines.md
OWN = "local"  # a cluster of this driver, never one that was left by another
TELEMETRY = "RAY_USAGE_STATS_ENABLED"
CONFIGURATION = Path("~/.ray/config.json")  # where `ray disable-usage-stats` writes its choice


class RayEngine(Engine):
    """Ray actors, one per core and without other tasks; they read their own input.

    An actor is given a chunk once it has answered, so that none waits for one that cannot be
    placed at the moment.

    Args:
        job: What is done with the chunks.
        workers: Number of actors; None for as many as the cluster has cores.
        address: Of the cluster; None for ``RAY_ADDRESS``, or one on this machine.

    Raises:
        MissingDependencyError: Ray is not installed.
        EngineError: The cluster cannot be reached.
    """

    def __init__(self, job: Job, workers: int | None, *, address: str | None = None) -> None:
        self._ray = import_ray()
        address = address or os.environ.get("RAY_ADDRESS") or OWN
        try:
            self._ray.init(
                address=address,
                include_dashboard=False if address == OWN else None,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(f"the Ray cluster cannot be reached: {error}") from error
        workers = workers or int(self._ray.cluster_resources().get("CPU", 1))
        actor = self._ray.remote(num_cpus=1, memory=MEMORY, max_restarts=-1)(_Actor)
        self._asked: dict[Any, Any] = {}  # actors by what they will answer
        self._free: list[Any] = []
        self._busy: dict[Any, tuple[Any, Chunk]] = {}
        for _ in range(workers):
            self._ask(actor.remote(job))

    @property
    def num_free(self) -> int:
        """See the base class."""
        return len(self._free)

    def submit(self, chunk: Chunk) -> None:
        """See the base class."""
        actor = self._free.pop()
        self._busy[actor.do.remote(chunk)] = actor, chunk

    def wait(self) -> Sequence[tuple[Chunk, Outcome]]:
        """See the base class."""
        waiting = [*self._asked, *self._busy]
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(waiting, timeout=MOMENT)
        done: list[tuple[Chunk, Outcome]] = []
        for one in ready:
            if one in self._asked:
                self._hear(one)
                continue
            actor, chunk = self._busy.pop(one)
            outcome = self._result(one)
            if isinstance(outcome, Killed):
                self._ask(actor)
            else:
                self._free.append(actor)
            done.append((chunk, outcome))
        return done

    def close(self) -> None:
        """See the base class."""
        self._ray.shutdown()  # which ends the actors of this driver

    def _ask(self, actor: Any) -> None:
        self._asked[actor.answer.remote()] = actor

    def _hear(self, answer: Any) -> None:
        actor = self._asked.pop(answer)
        if isinstance(self._result(answer), Killed):  # again, or not yet placed
            time.sleep(MOMENT)
            self._ask(actor)
        else:
            self._free.append(actor)

    def _result(self, reference: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            return Killed()
        except self._ray.exceptions.RayTaskError as error:  # not one that a worker returns
            raise EngineError(f"a Ray worker failed: {error}") from error
        return outcome


class _Actor:
    """A worker in a process of Ray.

    Args:
        job: What is done with the chunks.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._worker: Worker | None = None

    def answer(self) -> Counts:
        """Say that the process is there."""
        return Counts()

    def do(self, chunk: Chunk) -> Outcome:
        """Return what became of a chunk."""
        try:
            self._worker = self._worker or Worker(self._job)
            return self._worker.do(chunk)
        except FaceattrError as error:
            return error


def import_ray() -> Any:
    """Return Ray, which tells nobody about its use unless the user's configuration says so."""
    if not CONFIGURATION.expanduser().exists():
        os.environ.setdefault(TELEMETRY, "0")
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingDependencyError(
            "--engine ray needs Ray: pip install 'faceattr[ray]'"
        ) from error
    return ray
