"""The machine: its name, which cores are used, and how time and memory are measured (on Linux).

It needs only Python, since workers import it in environments that have nothing else.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def pin_cores(count: int) -> None:
    """Let this process, and those that it starts, run only on its first ``count`` cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def num_cores() -> int:
    """Return the number of cores on which this process may run."""
    return len(os.sched_getaffinity(0))


def time_calls(call: Callable[[], Any], seconds: float, *, at_least: int = 5) -> list[float]:
    """Call a function repeatedly, after one call that warms it up.

    Args:
        call: What is timed.
        seconds: Time after which no further call begins.
        at_least: Number of calls that are timed however long they take.

    Returns:
        Seconds of each call.
    """
    call()
    durations: list[float] = []
    while len(durations) < at_least or sum(durations) < seconds:
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return durations


def peak_bytes() -> int:
    """Return the largest resident memory that this process has had so far."""
    return int(_status("VmHWM").split()[0]) * 1024


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(_status("VmRSS").split()[0]) * 1024


def num_threads() -> int:
    """Return the number of threads of this process."""
    return int(_status("Threads"))


def _status(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)[name]
