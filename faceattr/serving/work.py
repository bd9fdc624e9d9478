"""A bounded pool of workers: who waits, for how long, and who is turned away."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from faceattr.serving.errors import RequestError

T = TypeVar("T")

SHARE_OF_NEW = 0.1  # of the last job in the running average of seconds
LONGEST_RETRY = 30  # seconds after which to try again, at most


class WorkPool:
    """Threads that do jobs in the order in which they came, and a limit for those that wait.

    A place in the queue is free again when its job has ended, not when somebody stops to wait
    for it.

    Args:
        workers: Number of threads.
        queue: Most jobs that wait.
        queue_timeout: Seconds that a job may wait.
        work_timeout: Seconds that anybody waits for a job that has begun.
    """

    def __init__(
        self, *, workers: int, queue: int, queue_timeout: float, work_timeout: float
    ) -> None:
        self.workers = workers
        self._places = workers + queue
        self._queue_timeout = queue_timeout
        self._work_timeout = work_timeout
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="faceattr-worker")
        self._lock = threading.Lock()
        self._num_taken = 0
        self._num_running = 0
        self._seconds = 0.1  # of a job, on average

    @property
    def num_running(self) -> int:
        """Jobs that are being done."""
        return self._num_running

    @property
    def num_waiting(self) -> int:
        """Jobs that have a place and wait for a worker."""
        return max(self._num_taken - self._num_running, 0)

    async def run(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results of the functions, which have places in the queue together or not.

        If nobody waits any more, as the client has gone, those that have not begun are dropped.

        Raises:
            RequestError: There are too few places, or it takes too long.
        """
        jobs = self._enter(functions)
        waiting = [asyncio.ensure_future(self._result(job)) for job in jobs]
        try:
            return await asyncio.gather(*waiting)
        finally:
            for one in waiting:
                one.cancel()
            for job in jobs:
                job.future.cancel()

    async def run_beside(self, function: Callable[[], T]) -> T:
        """Return the result of a function that needs no place, as its caller has one at most."""
        job = _Job(function)
        self._submit(job)
        return await asyncio.wrap_future(job.future)

    def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _enter(self, functions: Sequence[Callable[[], T]]) -> list[_Job[T]]:
        with self._lock:
            if self._num_taken + len(functions) > self._places:
                raise RequestError(
                    503,
                    "busy",
                    f"{self._num_taken} pictures are being worked on or wait, which is the limit; "
                    "try again later",
                    retry_after=self._retry_after(),
                )
            self._num_taken += len(functions)
        jobs = [_Job(function) for function in functions]
        for job in jobs:
            self._submit(job)
            job.future.add_done_callback(self._leave)
        return jobs

    def _submit(self, job: _Job[T]) -> None:
        job.future = self._threads.submit(self._work, job)

    def _work(self, job: _Job[T]) -> T:
        job.begun = begun = time.monotonic()
        with self._lock:
            self._num_running += 1
        try:
            return job.function()
        finally:
            seconds = time.monotonic() - begun
            with self._lock:
                self._num_running -= 1
                self._seconds += SHARE_OF_NEW * (seconds - self._seconds)

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._num_taken -= 1

    async def _result(self, job: _Job[T]) -> T:
        waiting = asyncio.wrap_future(job.future)
        waiting.add_done_callback(_look_at)
        wait_until = job.entered + self._queue_timeout
        while True:
            now = time.monotonic()
            begun = job.begun
            if begun is None:
                left = min(wait_until - now, self._work_timeout)
            else:
                left = begun + self._work_timeout - now
            if left <= 0 and begun is not None:
                raise RequestError(
                    504,
                    "work_timeout",
                    f"the picture took more than {self._work_timeout:g} s; send a smaller one",
                )
            if left <= 0 and job.future.cancel():
                raise RequestError(
                    503,
                    "queue_timeout",
                    f"no worker was free within {self._queue_timeout:g} s; try again later",
                    retry_after=self._retry_after(),
                )
            done, _ = await asyncio.wait({waiting}, timeout=max(left, 0.0))
            if done:
                return waiting.result()

    def _retry_after(self) -> float:
        """Return the seconds after which half of the queue should be done."""
        seconds = self._seconds * self._num_taken / self.workers / 2
        return min(max(math.ceil(seconds), 1), LONGEST_RETRY)


def _look_at(done: asyncio.Future[T]) -> None:
    """Keep asyncio from logging an error that comes when nobody waits any more."""
    if not done.cancelled():
        done.exception()


class _Job(Generic[T]):
    """A function to run, when it came, and when a worker began with it."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.entered = time.monotonic()
        self.begun: float | None = None
        self.future: Future[T]
