"""Processes that are killed, and the picture that kills them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_runs import KILLER, OPTIONS, BrightnessDetector, read_rows, write_picture

from faceattr.batch import Progress, run
from faceattr.options import PipelineOptions

pytest.importorskip("pyarrow")


@pytest.mark.slow
def test_the_picture_that_kills_its_process_becomes_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    write_picture(folder / "3-killer.png", KILLER)
    options = PipelineOptions(actions=(), detector=BrightnessDetector(marks=tmp_path / "marks"))
    summary = run(folder, tmp_path / "out", options, chunk_size=5, workers=2)
    assert (summary.counts.pictures, summary.counts.failed, summary.errors) == (10, 2, ())
    (row,) = [row for row in read_rows(tmp_path / "out") if row["key"].endswith("killer.png")]
    assert "was killed 3 times (signal 9)" in row["error"]
    assert len(list((tmp_path / "marks").iterdir())) == 6  # three times in company, three alone


@pytest.mark.slow
def test_a_process_that_is_killed_from_outside_costs_no_row(folder: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if not killed and progress.chunks:
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.pid)

    summary = run(folder, tmp_path / "out", OPTIONS, chunk_size=1, workers=2, on_progress=kill)
    assert killed
    assert (summary.counts.pictures, summary.new) == (9, 9)
    assert len(read_rows(tmp_path / "out")) == 9


SCRIPT = """
import sys
from batch_runs import OPTIONS
from faceattr.batch import run
if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], OPTIONS, chunk_size=2, workers=1)
"""


def start(script: Path, folder: Path, to: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, script, folder, to], env=environment)


@pytest.mark.slow
def test_two_drivers_on_one_folder_double_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(SCRIPT)
    drivers = [start(tmp_path / "driver.py", folder, tmp_path / "out") for _ in range(2)]
    assert [driver.wait(timeout=300) for driver in drivers] == [0, 0]
    assert len(read_rows(tmp_path / "out")) == 9
    assert (tmp_path / "out" / "_SUCCESS.json").exists()


@pytest.mark.slow
def test_after_a_driver_is_killed_the_next_call_goes_on(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(SCRIPT)
    for index in range(100):
        write_picture(folder / f"more-{index}.png")
    with start(tmp_path / "driver.py", folder, tmp_path / "out") as driver:
        while not list((tmp_path / "out").glob("part-*")):
            time.sleep(0.05)
        driver.kill()
    assert run(folder, tmp_path / "out", OPTIONS, chunk_size=2, workers=1).counts.pictures == 109
    assert len(read_rows(tmp_path / "out")) == 109
