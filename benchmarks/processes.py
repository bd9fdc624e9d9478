"""Fresh processes of other Python environments, and what they take."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

RUN_MODULE = f"""
import importlib.util, runpy, sys
spec = importlib.util.spec_from_file_location(
    "benchmarks", {str(HERE / "__init__.py")!r}, submodule_search_locations=[{str(HERE)!r}]
)
sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""Runs a module of these benchmarks with the search path of the environment as it is.

The environment's own faceattr is found, and not the one beside this file; nor the benchmarks of
another checkout that is installed there.
"""

DISTURBING = ("PYTHON", "OPENBLAS_", "FACEATTR_", "DEEPFACE_", "TF_", "OMP_")
"""Beginnings of variables that a user may have set and that would change what is measured."""


class BenchmarkError(Exception):
    """Something that was to be measured failed; the message says what."""


@dataclass(frozen=True)
class CommandUsage:
    """What a command took from its start to its end.

    Attributes:
        seconds: Wall-clock time.
        cpu_seconds: Time of all cores together.
        peak_bytes: Largest resident memory.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def environment_variables(**extra: str) -> dict[str, str]:
    """Return the user's environment variables without those that disturb, and some more."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DISTURBING)}
    return {**kept, **extra}


def call_module(python: Path, module: str, *arguments: str, env: Mapping[str, str]) -> Any:
    """Run a module of these benchmarks in another environment.

    Args:
        python: Interpreter of the environment, which must have the packages of the module.
        module: Name of the module, which prints JSON in its last line.
        arguments: Command-line arguments of the module.
        env: Environment variables.

    Returns:
        What the module printed.

    Raises:
        BenchmarkError: It failed; the message is the last line that it wrote.
    """
    command = [str(python), "-I", "-c", RUN_MODULE, module, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(_last_line(done.stderr, done.returncode))
    return json.loads(done.stdout.strip().splitlines()[-1])


def time_command(command: Sequence[str], *, env: Mapping[str, str]) -> CommandUsage:
    """Run a command as a user does, from the start of its process to its end.

    Raises:
        BenchmarkError: It failed; the message is the last line that it wrote.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    words = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise BenchmarkError(_last_line(words, process.returncode))
    return CommandUsage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _last_line(words: str, status: int) -> str:
    return (words.strip() or f"exit status {status}").splitlines()[-1]
