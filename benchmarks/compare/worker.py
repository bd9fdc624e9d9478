"""Time one task of the faceattr that is installed, whichever version it is.

    python worker.py JOB

takes a job in JSON and prints JSON: the seconds per picture or frame, and the peak memory. It uses
only `faceattr.analyze`, `faceattr.Pipeline` and `faceattr.stream`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from statistics import median
from typing import Any

import faceattr
from benchmarks.machine import peak_bytes, time_calls


def main() -> None:
    """Do the job, and print what was measured."""
    job = json.loads(sys.argv[1])
    call = CALLS[job["task"]](job)
    num_items: list[int] = []
    cpu_seconds: list[float] = []

    def timed() -> None:
        began = time.process_time()
        num_items.append(call())
        cpu_seconds.append((time.process_time() - began) / num_items[-1])

    durations = time_calls(timed, job["seconds"], at_least=1)
    seconds = [duration / num_items[0] for duration in durations]
    figures = {
        "seconds": median(seconds),
        "fastest": min(seconds),
        "cpu_seconds": median(cpu_seconds[1:]),  # without the call that warms up
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(figures))


def _picture(job: dict[str, Any]) -> Callable[[], int]:
    def analyze() -> int:
        faceattr.analyze(job["input"], job["actions"], **job["options"])
        return 1

    return analyze


def _batch(job: dict[str, Any]) -> Callable[[], int]:
    pipeline = faceattr.Pipeline(job["actions"], **job["options"])
    return lambda: len(list(pipeline.analyze_many(job["input"])))


def _stream(job: dict[str, Any]) -> Callable[[], int]:
    def stream() -> int:
        with closing(faceattr.stream(job["input"], job["actions"], **job["options"])) as results:
            return sum(1 for _ in islice(results, job["frames"]))

    return stream


CALLS = {"picture": _picture, "batch": _batch, "stream": _stream}
"""A job's task to a function that makes the call to time; it returns the number of items."""


if __name__ == "__main__":
    main()
