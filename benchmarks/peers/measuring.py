"""Run contestants in turn, each time in fresh processes: A B C, A B C."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.peers.contestants import TASKS, Contestant, Task
from benchmarks.peers.environments import Workspace
from benchmarks.processes import BenchmarkError, time_command


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Attributes:
        starts: Rounds of imports and starts.
        rounds: Rounds of other tasks.
        least: Repetitions of a picture, unless a single one takes `patience`.
        picture: Seconds for all repetitions of a picture.
        patience: Seconds after which a picture is not repeated, even if `least` is not reached.
        batch: Seconds after which a batch or video gets no more pictures.
        faces: Number of faces on which `auto` and `f32` are compared.
    """

    starts: int
    rounds: int
    least: int
    picture: float
    patience: float
    batch: float
    faces: int


FULL = Settings(starts=2, rounds=2, least=3, picture=2.0, patience=5.0, batch=8.0, faces=200)
QUICK = Settings(starts=1, rounds=1, least=1, picture=1.0, patience=1.0, batch=3.0, faces=40)


@dataclass(frozen=True)
class Run:
    """One contestant at one task, in one process.

    Attributes:
        contestant: Name of the contestant.
        task: Key of the task.
        number: Number of the round, from 0.
        repetitions: What each repetition took: ``seconds``, and where known ``cpu_seconds``,
            ``items`` and ``faces``.
        peak_bytes: Largest resident memory of the process so far.
        threads: Number of threads of the process.
        error: Why there are no repetitions.
    """

    contestant: str
    task: str
    number: int = 0
    repetitions: Sequence[Mapping[str, float]] = ()
    peak_bytes: int = 0
    threads: int = 0
    error: str = ""


def measure(
    workspace: Workspace,
    contestants: Sequence[Contestant],
    files: Mapping[str, Any],
    settings: Settings,
    show: Callable[[Run], None],
) -> list[Run]:
    """Return all runs of all contestants.

    Args:
        workspace: Has the environments.
        contestants: Those to measure, variants in the first round only. One that fails at more
            than its import is not run again.
        files: Pictures and videos, by what they show.
        settings: How long to measure.
        show: Called with each run.
    """
    runs: list[Run] = []
    failed: set[str] = set()
    for tasks in _sessions():
        is_start = tasks[0].kind in ("import", "start")
        for number in range(settings.starts if is_start else settings.rounds):
            for contestant in contestants:
                own = [task for task in tasks if contestant.can(task)]
                if not own or contestant.name in failed or (number and contestant.is_variant):
                    continue
                try:
                    results = _run(workspace, contestant, own, files, settings)
                except BenchmarkError as error:
                    failed.add(contestant.name)
                    own, results = own[:1], [Run("", "", error=str(error))]
                for task, result in zip(own, results, strict=True):
                    run = replace(result, contestant=contestant.name, task=task.key, number=number)
                    runs.append(run)
                    show(run)
    return runs


def _sessions() -> Iterator[list[Task]]:
    """Yield the tasks of one process: all single pictures one after another, else one task."""
    pictures = [task for task in TASKS if task.kind == "picture"]
    for task in TASKS:
        if task.kind != "picture":
            yield [task]
        elif task is pictures[0]:
            yield pictures


def _run(
    workspace: Workspace,
    contestant: Contestant,
    tasks: Sequence[Task],
    files: Mapping[str, Any],
    settings: Settings,
) -> list[Run]:
    if tasks[0].kind == "start":
        return [_start(workspace, contestant, tasks[0], files)]
    job: dict[str, Any] = {"system": contestant.system, "options": dict(contestant.options)}
    if tasks[0].kind == "import":
        job["import"] = contestant.module
    job["steps"] = [
        {
            "kind": task.kind,
            "actions": contestant.actions.get(task.attributes),
            "seconds": settings.picture if task.kind == "picture" else settings.batch,
            "least": settings.least,
            "patience": settings.patience,
            "paths" if task.kind == "batch" else "path": files[task.shows],
            "options": contestant.stream_options.get(task.key, {}),
        }
        for task in tasks
    ]
    results = workspace.call(
        contestant.environment, "worker", json.dumps(job), variables=contestant.variables
    )
    return [Run("", "", **result) for result in results]


def _start(
    workspace: Workspace, contestant: Contestant, task: Task, files: Mapping[str, Any]
) -> Run:
    """Run a command or script as a user does, from the start of Python to its end."""
    actions, picture = list(contestant.actions[task.attributes]), files[task.shows]
    python = workspace.python(contestant.environment)
    if contestant.script is None:
        command = [str(python.with_name("faceattr")), "analyze", picture]
        command += ["--actions", ",".join(actions)]
    else:
        script = contestant.script.format(picture=picture, actions=actions)
        command = [str(python), "-I", "-c", script]
    usage = time_command(command, env=workspace.variables(contestant.variables))
    repetition = {"seconds": usage.seconds, "cpu_seconds": usage.cpu_seconds}
    return Run("", "", repetitions=[repetition], peak_bytes=usage.peak_bytes)
