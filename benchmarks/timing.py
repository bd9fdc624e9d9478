"""Contestants at work in turn: A B C, A B C, each time in fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.contestants import WORKS, Contestant, Work
from benchmarks.environments import BenchmarkError, Place


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        starts: Turns of each contestant at an import or a start.
        rounds: Turns at other work.
        least: Repetitions of a picture, but one is enough if it takes `patience`.
        picture: Seconds for them, if there is time for more.
        patience: Seconds after which there are no more.
        batch: Seconds after which a batch or video gets no more pictures.
        faces: By which `auto` and `f32` are compared.
    """

    starts: int
    rounds: int
    least: int
    picture: float
    patience: float
    batch: float
    faces: int


FULL = Effort(starts=2, rounds=2, least=3, picture=2.0, patience=5.0, batch=8.0, faces=200)
QUICK = Effort(starts=1, rounds=1, least=1, picture=1.0, patience=1.0, batch=3.0, faces=40)


@dataclass(frozen=True)
class Turn:
    """One contestant's turn at one work.

    Attributes:
        contestant: Its name.
        work: Its key.
        number: Of the round, from 0.
        runs: What each repetition took: ``seconds``, and where known ``processor`` seconds,
            ``items`` and ``faces``.
        peak_bytes: Most memory of the process so far.
        threads: Of the process.
        error: Why there are no runs.
    """

    contestant: str
    work: str
    number: int = 0
    runs: Sequence[Mapping[str, float]] = ()
    peak_bytes: int = 0
    threads: int = 0
    error: str = ""


def measure(
    place: Place,
    contestants: Sequence[Contestant],
    files: Mapping[str, Any],
    effort: Effort,
    show: Callable[[Turn], None],
) -> list[Turn]:
    """Return all turns of all contestants.

    Args:
        place: With the environments.
        contestants: Those to measure, variants in the first round only; one that fails at more
            than its import is not asked again.
        files: What there is to work on.
        effort: How long to measure.
        show: Called with each turn.
    """
    turns: list[Turn] = []
    failed: set[str] = set()
    for works in _sessions():
        is_start = works[0].kind in ("import", "start")
        for number in range(effort.starts if is_start else effort.rounds):
            for contestant in contestants:
                asked = [work for work in works if contestant.can(work)]
                if not asked or contestant.name in failed or (number and contestant.is_variant):
                    continue
                try:
                    answers = _take_turn(place, contestant, asked, files, effort)
                except BenchmarkError as error:
                    failed.add(contestant.name)
                    asked, answers = asked[:1], [Turn("", "", error=str(error))]
                for work, answer in zip(asked, answers, strict=True):
                    turn = replace(answer, contestant=contestant.name, work=work.key, number=number)
                    turns.append(turn)
                    show(turn)
    return turns


def _sessions() -> Iterator[list[Work]]:
    """Yield the works that one process does: all pictures after another, else a single one."""
    for work in WORKS:
        if work.kind != "picture":
            yield [work]
        elif work == next(one for one in WORKS if one.kind == "picture"):
            yield [one for one in WORKS if one.kind == "picture"]


def _take_turn(
    place: Place,
    contestant: Contestant,
    works: Sequence[Work],
    files: Mapping[str, Any],
    effort: Effort,
) -> list[Turn]:
    if works[0].kind == "start":
        return [_start(place, contestant, works[0], files)]
    task: dict[str, Any] = {"system": contestant.system, "options": dict(contestant.options)}
    if works[0].kind == "import":
        task["import"] = contestant.module
    task["steps"] = [_step(contestant, work, files, effort) for work in works]
    answers = place.ask(
        contestant.environment, "worker.py", json.dumps(task), variables=contestant.variables
    )
    return [Turn("", "", **answer) for answer in answers]


def _step(
    contestant: Contestant, work: Work, files: Mapping[str, Any], effort: Effort
) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "actions": contestant.actions.get(work.task),
        "seconds": effort.picture if work.kind == "picture" else effort.batch,
        "least": effort.least,
        "patience": effort.patience,
        "paths" if work.kind == "batch" else "path": files[work.shows],
        "options": contestant.videos.get(work.key, {}),
    }


def _start(place: Place, contestant: Contestant, work: Work, files: Mapping[str, Any]) -> Turn:
    """Run a command or script as a user does, from the start of Python to its end."""
    actions, picture = list(contestant.actions[work.task]), files[work.shows]
    python = place.python(contestant.environment)
    if contestant.script is None:
        command = [str(python.with_name("faceattr")), "analyze", picture]
        command += ["--actions", ",".join(actions)]
    else:
        script = contestant.script.format(picture=picture, actions=actions)
        command = [str(python), "-I", "-c", script]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=place.variables(contestant.variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    words = process.stderr.read().decode(errors="replace").strip()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(words.splitlines()[-1] if words else f"exit status {status}")
    run = {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime}
    return Turn("", "", runs=[run], peak_bytes=usage.ru_maxrss * 1024)
