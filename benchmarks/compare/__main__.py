"""Compare the speed and memory of two installed versions of faceattr.

    python -m benchmarks.compare --python old/.venv/bin/python --python new/.venv/bin/python

measures four tasks, each time in a fresh process: the cold start of the command
``faceattr analyze photo --actions emotion``, ``analyze`` of one picture after others, a batch of
64 pictures, and a video. In each round both versions run each task right after another, in
alternating order, so that whatever else the machine does affects both alike. The ratio is the
median of the rounds' ratios, with its quartiles; above 1, the new version, the second, is slower
or larger. The ratios of the fastest calls and of processor time stand beside it: they suffer least
from other work on the machine.

It needs scikit-image unless pictures are given. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.compare.report import Measurement, to_table
from benchmarks.machine import num_cores, pin_cores, processor
from benchmarks.media import astronaut, pan, write_video
from benchmarks.processes import (
    BenchmarkError,
    call_module,
    environment_variables,
    time_command,
)
from faceattr.images import find_images, load_image

COLD_START, PICTURE, BATCH, STREAM = TASKS = ("cold start", "picture", "batch", "stream")
WORKER = "benchmarks.compare.worker"


def main() -> None:
    """Measure both versions and print a table."""
    options = parse()
    if options.cores:
        pin_cores(options.cores)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = prepare(options, folder)
        measurements = measure(options.python, jobs, options.rounds, folder)
    old, new = options.python
    print(
        f"{num_cores()} cores of {processor()}, {options.rounds} rounds; old: {old}, new: {new}\n"
    )
    print(to_table(measurements).to_markdown())
    if options.output:
        results = [asdict(measurement) for measurement in measurements]
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(results, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--python",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="an interpreter that has faceattr; give two",
    )
    parser.add_argument("--pictures", nargs="+", metavar="PATH", help="files, folders, globs")
    parser.add_argument("--video", type=Path, metavar="FILE", help="[generated]")
    parser.add_argument("--actions", default="emotion,age,gender", help="[%(default)s]")
    parser.add_argument("--detector", help="the same for both [the default of each version]")
    parser.add_argument("--precision", help="[the default of each version]")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7, help="[%(default)s]")
    parser.add_argument("--seconds", type=float, default=2.0, help="per task [%(default)s]")
    parser.add_argument("--batch", type=int, default=64, help="pictures [%(default)s]")
    parser.add_argument("--frames", type=int, default=100, help="in the video [%(default)s]")
    parser.add_argument("--cores", type=int, help="cores to use [all]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    if len(options.python) != 2:
        parser.error("give --python twice: the old version and the new one")
    options.python = [
        path.absolute() for path in options.python
    ]  # not resolved: a venv's is a link
    return options


def prepare(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the worker shall do for each task."""
    paths = [str(path) for path in find_images(options.pictures or [astronaut()])]
    paths = [str(Path(path).absolute()) for path in paths]
    video = options.video
    if video is None and STREAM in options.tasks:
        video = folder / "video.mp4"
        write_video(video, pan(load_image(paths[0])))
    choices = {"detector": options.detector, "precision": options.precision}
    common = {
        "actions": options.actions.split(","),
        "options": {name: value for name, value in choices.items() if value is not None},
        "seconds": options.seconds,
        "frames": options.frames,
    }
    inputs: dict[str, Any] = {
        COLD_START: paths[0],
        PICTURE: paths[0],
        BATCH: list(islice(cycle(paths), options.batch)),
        STREAM: str(video),
    }
    return {task: {"task": task, "input": inputs[task], **common} for task in options.tasks}


def measure(
    pythons: Sequence[Path], jobs: dict[str, dict[str, Any]], rounds: int, folder: Path
) -> list[Measurement]:
    """Return the figures of both versions; a first round converts networks and is not counted.

    Raises:
        SystemExit: A version failed at a task.
    """
    measurements = []
    for number in range(rounds + 1):
        for task, job in jobs.items():
            order = (0, 1) if number % 2 else (1, 0)
            for version in order:
                home = str(folder / f"home{version}")
                env = environment_variables(FACEATTR_HOME=home, FACEATTR_OFFLINE="1")
                try:
                    figures = run(pythons[version], job, env)
                except BenchmarkError as error:
                    raise SystemExit(f"{pythons[version]}: {task}: {error}") from error
                if number:
                    measurements.append(Measurement(version, task, number, **figures))
    return measurements


def run(python: Path, job: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """Return the time and peak memory of one version at one task, as in `Measurement`."""
    if job["task"] != COLD_START:
        return dict(call_module(python, WORKER, json.dumps(job), env=env))
    command = [str(python.with_name("faceattr")), "analyze", job["input"], "--actions", "emotion"]
    for name, value in job["options"].items():
        command += [f"--{name}", value]
    usage = time_command(command, env=env)
    return {
        "seconds": usage.seconds,
        "fastest": usage.seconds,
        "cpu_seconds": usage.cpu_seconds,
        "peak_bytes": usage.peak_bytes,
    }


if __name__ == "__main__":
    main()
