"""Work in the background of a stream, for a share of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
AnyWorker = TypeVar("AnyWorker", bound="Worker")  # type: ignore[type-arg]


class Worker(Generic[T]):
    """Does one task at a time; closed by ``with``.

    Args:
        duty_cycle: Largest share of the time, above 0 and at most 1, in which it works, on a thread
            of its own; None to do every task at once, before `start` returns.
        clock: Gives the time in seconds.
    """

    def __init__(
        self, duty_cycle: float | None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._duty_cycle = duty_cycle
        self._clock = clock
        self._thread = None if duty_cycle is None else ThreadPoolExecutor(1)
        self._work: Future[T] | None = None
        self._rest_until = -math.inf

    @property
    def is_free(self) -> bool:
        """Whether there is no task, and it has rested for long enough."""
        return self._work is None and self._clock() >= self._rest_until

    def start(self, work: Callable[[], T]) -> None:
        """Start a task; only if the worker is free."""
        if self._thread is None:
            self._work = Future()
            self._work.set_result(work())
        else:
            self._work = self._thread.submit(self._run, work)

    def poll(self) -> T | None:
        """Return the result of the task, once; None if none is ready.

        Raises:
            Exception: That of the task.
        """
        if self._work is None or not self._work.done():
            return None
        work, self._work = self._work, None
        return work.result()

    def _run(self, work: Callable[[], T]) -> T:
        assert self._duty_cycle is not None
        began = self._clock()
        result = work()
        ended = self._clock()
        self._rest_until = ended + (ended - began) * (1 / self._duty_cycle - 1)
        return result

    def __enter__(self: AnyWorker) -> AnyWorker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown()
