from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.machine import num_cores, peak_bytes, pin_cores, resident_bytes, time_calls
from benchmarks.processes import BenchmarkError, call_module, environment_variables, time_command

PYTHON = Path(sys.executable)


def test_the_call_that_warms_up_is_not_timed() -> None:
    calls: list[None] = []
    assert len(time_calls(lambda: calls.append(None), 0.0, at_least=3)) == 3
    assert len(calls) == 4


def test_peak_memory_stays_when_the_memory_is_freed() -> None:
    before = peak_bytes()
    block = np.ones(200_000_000, np.uint8)
    assert resident_bytes() > block.nbytes
    del block
    assert peak_bytes() >= before
    assert peak_bytes() > 200_000_000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins processes")
def test_a_pinned_process_has_so_many_cores() -> None:
    affinity = os.sched_getaffinity(0)
    try:
        pin_cores(1)
        assert num_cores() == 1
    finally:
        os.sched_setaffinity(0, affinity)


def test_a_command_is_timed_with_its_memory() -> None:
    script = "import time; block = b'x' * 100_000_000; time.sleep(0.2)"
    usage = time_command([str(PYTHON), "-I", "-c", script], env=environment_variables())
    assert 0.2 < usage.seconds < 20
    assert usage.peak_bytes > 100_000_000


def test_a_command_that_fails_is_named_by_its_last_line() -> None:
    script = "import sys; sys.exit('first\\nlast')"
    with pytest.raises(BenchmarkError, match=r"^last$"):
        time_command([str(PYTHON), "-I", "-c", script], env=environment_variables())


def test_a_module_runs_beside_the_faceattr_of_its_environment(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="'nothing'"):
        call_module(
            PYTHON, "benchmarks.compare.worker", '{"task": "nothing"}', env=environment_variables()
        )


def test_variables_that_disturb_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("FACEATTR_ENGINE", "tensorflow")
    variables = environment_variables(FACEATTR_HOME="there")
    assert "OMP_NUM_THREADS" not in variables
    assert "FACEATTR_ENGINE" not in variables
    assert variables["FACEATTR_HOME"] == "there"
