from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from servers import PATIENCE, assert_set, wait_until

from faceattr.serving.errors import RequestError
from faceattr.serving.work import WorkPool


def pool(*, workers: int = 1, queue: int = 2, seconds: float = PATIENCE) -> WorkPool:
    return WorkPool(workers=workers, queue=queue, queue_timeout=seconds, work_timeout=seconds)


def test_results_come_in_the_order_of_their_functions() -> None:
    work = pool(workers=3, queue=5)
    functions: list[Callable[[], int]] = [lambda n=n: n * n for n in range(8)]  # type: ignore[misc]
    assert asyncio.run(work.run(functions)) == [n * n for n in range(8)]
    assert (work.num_running, work.num_waiting) == (0, 0)
    work.close()


def test_an_error_of_a_function_is_raised_and_the_others_are_dropped() -> None:
    work, ran = pool(), []

    def fail() -> None:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        asyncio.run(work.run([fail, lambda: ran.append(1)]))
    wait_until(lambda: work.num_waiting == 0)
    assert asyncio.run(work.run([lambda: "again"])) == ["again"]
    work.close()


def test_a_job_that_cannot_begin_in_time_gives_its_place_back() -> None:
    work, go = pool(seconds=0.05), threading.Event()

    async def scene() -> None:
        held = asyncio.ensure_future(work.run_beside(lambda: assert_set(go)))
        while work.num_running == 0:
            await asyncio.sleep(0.001)
        with pytest.raises(RequestError) as late:
            await work.run([lambda: None])
        assert (late.value.status, late.value.code) == (503, "queue_timeout")
        assert work._num_taken == 0
        go.set()
        await held

    asyncio.run(scene())
    work.close()


def test_jobs_of_one_call_wait_together_and_not_one_after_the_other() -> None:
    work = pool(queue=9, seconds=0.3)

    async def scene() -> None:
        with pytest.raises(RequestError) as late:
            await work.run([lambda: time.sleep(0.2)] * 4)
        assert late.value.code == "queue_timeout"

    asyncio.run(scene())
    work.close()


def test_a_job_that_takes_too_long_keeps_its_place_until_it_ends() -> None:
    work, go = pool(seconds=0.05), threading.Event()

    async def scene() -> None:
        with pytest.raises(RequestError) as late:
            await work.run([lambda: assert_set(go)])
        assert (late.value.status, late.value.code) == (504, "work_timeout")
        assert work._num_taken == 1
        go.set()
        while work._num_taken:
            await asyncio.sleep(0.001)

    asyncio.run(scene())
    work.close()


def test_the_time_to_wait_grows_with_the_queue_and_has_an_end() -> None:
    work = pool(queue=10_000)
    work._num_taken, work._seconds = 10, 1.0
    assert work._retry_after() == 5
    work._num_taken = 10_000
    assert work._retry_after() == 30
    work._num_taken = 0
    assert work._retry_after() == 1
    work.close()
