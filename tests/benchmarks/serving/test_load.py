from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs faceattr[serve]")

from servers import picture, serving

from benchmarks.serving.load import Process, percentiles, send_load, to_request


def test_percentiles_lie_between_the_values() -> None:
    assert percentiles([float(value) for value in range(101)], 50, 99) == [50, 99]
    assert percentiles([3.0], 50, 99) == [3, 3]


def test_each_request_is_sent_once_and_counted() -> None:
    with serving() as one:
        url = f"{one.url}/v1/analyze"
        requests = [to_request(url, data, "image/png") for data in (picture(9), b"no picture")]
        process = Process(os.getpid())
        load = asyncio.run(send_load(url, requests, process, clients=3, total=10))
        assert load.statuses == {200: 5, 422: 5}
        assert len(load.latencies) == 5
        assert load.cpu_seconds >= 0
        assert str(load).startswith("| 3 | ")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_a_process_says_what_it_took() -> None:
    process = Process(os.getpid())
    assert process.cpu_seconds > 0
    assert process.num_bytes > 1_000_000
    assert os.getpid() in process.pids
