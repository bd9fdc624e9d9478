from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import wait

import pytest

from faceattr.streaming.background import Worker


class Clock:
    """Tells the time that it is given."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def do(worker: Worker[str], work: Callable[[], str]) -> str | None:
    """Let something be done, and wait for it."""
    worker.start(work)
    assert worker._work is not None
    wait([worker._work], timeout=10)
    return worker.poll()


def test_without_a_thread_work_is_done_at_once_and_needs_no_rest() -> None:
    with Worker[int](None) as worker:
        for number in range(3):
            assert worker.is_free
            worker.start(lambda number=number: number)  # type: ignore[misc]
            assert not worker.is_free
            assert worker.poll() == number


def test_a_result_is_taken_once_and_when_it_is_ready() -> None:
    go_on = threading.Event()
    with Worker[str](1.0) as worker:
        assert worker.poll() is None
        worker.start(lambda: "late" if go_on.wait(10) else "never")
        assert not worker.is_free
        assert worker.poll() is None
        go_on.set()
        deadline = time.monotonic() + 10
        while (result := worker.poll()) is None:
            assert time.monotonic() < deadline
        assert result == "late"
        assert worker.poll() is None
        assert worker.is_free


@pytest.mark.parametrize(("duty_cycle", "rest"), [(1.0, 0.0), (0.5, 3.0), (0.25, 9.0)])
def test_after_work_comes_rest_by_the_duty_cycle(duty_cycle: float, rest: float) -> None:
    clock = Clock()

    def work_for_three_seconds() -> str:
        clock.now += 3.0
        return "done"

    with Worker[str](duty_cycle, clock=clock) as worker:
        assert do(worker, work_for_three_seconds) == "done"
        for now, is_free in ((3.0 + rest - 0.01, False), (3.0 + rest, True)):
            clock.now = now
            assert worker.is_free is is_free


def fail() -> str:
    raise ZeroDivisionError("no light")


@pytest.mark.parametrize("duty_cycle", [None, 0.5])
def test_an_error_comes_to_who_takes_the_result(duty_cycle: float | None) -> None:
    with Worker[str](duty_cycle) as worker, pytest.raises(ZeroDivisionError, match="no light"):
        do(worker, fail)
