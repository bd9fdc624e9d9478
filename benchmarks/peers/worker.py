"""Time one system at some tasks, in a fresh process of the environment that has it.

    python worker.py JOB

takes a job in JSON and prints what it measured in JSON. A job names a system, its options and
steps; each step is timed after a warm-up, from a picture's path to its answers, in the same
process. It needs nothing but the system itself.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from benchmarks.machine import num_threads, peak_bytes

WARM_UP = 1.0  # seconds of a batch or video


class System(ABC):
    """What is measured; it takes one picture at a time, by its path or as an array."""

    @abstractmethod
    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """Analyze a picture; return the number of its faces."""

    def analyze(self, path: str, actions: Sequence[str]) -> int:
        """Analyze a picture in a file; return the number of its faces."""
        return self.read(path, actions)

    def analyze_many(self, paths: Iterable[str], actions: Sequence[str]) -> Iterator[int]:
        """Analyze pictures; yield the number of faces of each."""
        for path in paths:
            yield self.read(path, actions)

    def follow(self, path: str, actions: Sequence[str], **options: Any) -> Iterator[int]:
        """Analyze a video; yield the number of faces of each frame."""
        capture = _load("cv2").VideoCapture(path)
        while (frame := capture.read())[0]:
            yield self.read(frame[1], actions)


class Faceattr(System):
    """faceattr by its public functions.

    Args:
        options: Options of `faceattr.Pipeline`.
    """

    def __init__(self, **options: Any) -> None:
        self._faceattr = _load("faceattr")
        self._options = options
        self._pipelines: dict[tuple[str, ...], Any] = {}

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        return len(self._faceattr.analyze(picture, actions, **self._options))

    def analyze_many(self, paths: Iterable[str], actions: Sequence[str]) -> Iterator[int]:
        """See the base class."""
        key = tuple(actions)
        if key not in self._pipelines:
            self._pipelines[key] = self._faceattr.Pipeline(key, **self._options)
        return (len(result.faces) for result in self._pipelines[key].analyze_each(paths))

    def follow(self, path: str, actions: Sequence[str], **options: Any) -> Iterator[int]:
        """See the base class."""
        results = self._faceattr.stream(path, actions, **options, **self._options)
        return (len(faces) for _, faces in results)


class DeepFace(System):
    """deepface, or faceattr by deepface's calls.

    Args:
        module: Module that has ``analyze``.
        detector: Value of ``detector_backend``.
    """

    def __init__(self, module: str = "deepface.DeepFace", detector: str = "opencv") -> None:
        self._analyze = _load(module).analyze
        self._detector = detector

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class; a picture without a face counts as one."""
        return len(
            self._analyze(
                picture,
                actions=list(actions),
                detector_backend=self._detector,
                enforce_detection=False,
                silent=True,
            )
        )


class Fer(System):
    """The package fer, which classifies emotions."""

    def __init__(self) -> None:
        self._imread = _load("cv2").imread
        self._fer = _load("fer.fer").FER()

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        image = self._imread(picture) if isinstance(picture, str) else picture
        return len(self._fer.detect_emotions(image))


class Mtcnn(System):
    """The package mtcnn, which detects faces."""

    def __init__(self) -> None:
        self._imread = _load("cv2").imread
        self._mtcnn = _load("mtcnn").MTCNN()

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        image = self._imread(picture) if isinstance(picture, str) else picture
        return len(self._mtcnn.detect_faces(image[:, :, ::-1]))


class Uniface(System):
    """The package uniface, with its own small networks, which it downloads."""

    def __init__(self) -> None:
        self._imread = _load("cv2").imread
        self._uniface = _load("uniface")
        self._analyzers: dict[bool, Any] = {}

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        image = self._imread(picture) if isinstance(picture, str) else picture
        with_age = "age" in actions
        if with_age not in self._analyzers:
            ages = [self._uniface.AgeGender()] if with_age else []
            self._analyzers[with_age] = self._uniface.FaceAnalyzer(
                recognizer=None, predictors=[self._uniface.Emotion(), *ages]
            )
        return len(self._analyzers[with_age].analyze(image))


SYSTEMS: dict[str, Callable[..., System]] = {
    "faceattr": Faceattr,
    "deepface": DeepFace,
    "fer": Fer,
    "mtcnn": Mtcnn,
    "uniface": Uniface,
}


def main() -> None:
    """Do the job, and print what was measured as the only thing on stdout."""
    job = json.loads(sys.argv[1])
    stdout = os.dup(1)
    os.dup2(2, 1)  # what the systems print goes to stderr
    logging.disable(logging.WARNING)
    if "import" in job:
        began = time.perf_counter()
        _load(job["import"])
        seconds = time.perf_counter() - began
        measured = [{"repetitions": [{"seconds": seconds}], **_resources()}]
    else:
        system = SYSTEMS[job["system"]](**job["options"])
        measured = [_measure(system, step) for step in job["steps"]]
    os.write(stdout, json.dumps(measured).encode())


def _measure(system: System, step: dict[str, Any]) -> dict[str, Any]:
    """Return the time of each repetition, and the resources of the process so far."""
    actions, seconds = step["actions"], step["seconds"]
    if step["kind"] == "picture":
        calls = (system.analyze(step["path"], actions) for _ in count())
        _run(calls, 0.0)
        return {"repetitions": list(_repeat(calls, step)), **_resources()}

    def begin(seconds: float) -> Iterator[int]:
        if step["kind"] == "video":
            return system.follow(step["path"], actions, **step["options"])
        return system.analyze_many(_until(seconds, step["paths"]), actions)

    warm_up = begin(WARM_UP)  # kept alive, as is what it has loaded
    _run(warm_up, WARM_UP)
    run = _run(begin(seconds), seconds if step["kind"] == "video" else math.inf)
    return {"repetitions": [run], **_resources()}


def _until(seconds: float, paths: Sequence[str]) -> Iterator[str]:
    """Yield paths until the time is over."""
    began = time.perf_counter()
    for path in paths:
        yield path
        if time.perf_counter() - began >= seconds:
            return


def _repeat(calls: Iterator[int], step: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Repeat a call for the step's seconds, or ``least`` times unless that takes too long."""
    spent = 0.0
    for number in count(1):
        run = _run(calls, 0.0)
        yield run
        spent += run["seconds"]
        enough = step["seconds"] if number >= step["least"] else step["patience"]
        if spent >= enough:
            return


def _run(items: Iterator[int], seconds: float) -> dict[str, float]:
    """Go through items until they or the time end, but through one at least."""
    began, cpu_began = time.perf_counter(), time.process_time()
    num_items = num_faces = 0
    for faces in items:
        num_items += 1
        num_faces += faces
        if time.perf_counter() - began >= seconds:
            break
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "items": num_items,
        "faces": num_faces,
    }


def _resources() -> dict[str, int]:
    return {"peak_bytes": peak_bytes(), "threads": num_threads()}


def _load(module: str) -> Any:
    return importlib.import_module(module)


if __name__ == "__main__":
    main()
