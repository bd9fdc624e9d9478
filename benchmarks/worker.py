"""Times one system at some work, in a fresh process of the environment that has it.

    python worker.py TASK

takes a task in JSON and prints what it measured in JSON. A task names a system, its options and
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
from pathlib import Path
from typing import Any

WARM_UP = 1.0  # s of a batch or video


class System(ABC):
    """What is measured: takes one picture at a time, by its path or as an array."""

    @abstractmethod
    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """Return how many faces were found and read in a picture."""

    def analyze(self, path: str, actions: Sequence[str]) -> int:
        """Return how many faces the picture in a file has."""
        return self.read(path, actions)

    def analyze_many(self, paths: Iterable[str], actions: Sequence[str]) -> Iterator[int]:
        """Yield how many faces each picture has."""
        for path in paths:
            yield self.read(path, actions)

    def follow(self, path: str, actions: Sequence[str], **options: Any) -> Iterator[int]:
        """Yield how many faces each frame of a video has."""
        capture = _load("cv2").VideoCapture(path)
        while (frame := capture.read())[0]:
            yield self.read(frame[1], actions)


class Faceattr(System):
    """faceattr by its front door.

    Args:
        options: Of `faceattr.Pipeline`.
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
        module: Where its ``analyze`` is.
        detector: Its ``detector_backend``.
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
    """The package fer, which reads emotions."""

    def __init__(self) -> None:
        self._imread = _load("cv2").imread
        self._fer = _load("fer.fer").FER()

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        image = self._imread(picture) if isinstance(picture, str) else picture
        return len(self._fer.detect_emotions(image))


class Mtcnn(System):
    """The package mtcnn, which finds faces."""

    def __init__(self) -> None:
        self._imread = _load("cv2").imread
        self._mtcnn = _load("mtcnn").MTCNN()

    def read(self, picture: Any, actions: Sequence[str]) -> int:
        """See the base class."""
        image = self._imread(picture) if isinstance(picture, str) else picture
        return len(self._mtcnn.detect_faces(image[:, :, ::-1]))


class Uniface(System):
    """The package uniface, with its own small networks; it downloads them."""

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
    """Do the task, and print what was measured as the only thing on stdout."""
    task = json.loads(sys.argv[1])
    answer = os.dup(1)
    os.dup2(2, 1)  # for what the systems print
    logging.disable(logging.WARNING)
    if "import" in task:
        began = time.perf_counter()
        _load(task["import"])
        measured = [{"runs": [{"seconds": time.perf_counter() - began}], **_resources()}]
    else:
        system = SYSTEMS[task["system"]](**task["options"])
        measured = [_measure(system, step) for step in task["steps"]]
    os.write(answer, json.dumps(measured).encode())


def _measure(system: System, step: dict[str, Any]) -> dict[str, Any]:
    """Return what each repetition took, and what the process has needed so far."""
    actions, seconds = step["actions"], step["seconds"]
    if step["kind"] == "picture":
        calls = (system.analyze(step["path"], actions) for _ in count())
        _run(calls, 0.0)
        return {"runs": list(_repeat(calls, step)), **_resources()}

    def begin(seconds: float) -> Iterator[int]:
        if step["kind"] == "video":
            return system.follow(step["path"], actions, **step["options"])
        return system.analyze_many(_until(seconds, step["paths"]), actions)

    warm_up = begin(WARM_UP)  # kept, as what it has loaded would go with it
    _run(warm_up, WARM_UP)
    run = _run(begin(seconds), seconds if step["kind"] == "video" else math.inf)
    return {"runs": [run], **_resources()}


def _until(seconds: float, paths: Sequence[str]) -> Iterator[str]:
    """Yield paths as long as there is time; what was given is to be finished."""
    began = time.perf_counter()
    for path in paths:
        yield path
        if time.perf_counter() - began >= seconds:
            return


def _repeat(calls: Iterator[int], step: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Call as often as the time allows, and as often as is asked for unless that takes long."""
    spent = 0.0
    for number in count(1):
        run = _run(calls, 0.0)
        yield run
        spent += run["seconds"]
        enough = step["seconds"] if number >= step["least"] else step["patience"]
        if spent >= enough:
            return


def _run(items: Iterator[int], seconds: float) -> dict[str, float]:
    """Go through items until they or the time end, but take one at least."""
    began, processor = time.perf_counter(), time.process_time()
    num_items = num_faces = 0
    for faces in items:
        num_items += 1
        num_faces += faces
        if time.perf_counter() - began >= seconds:
            break
    return {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "items": num_items,
        "faces": num_faces,
    }


def _resources() -> dict[str, int]:
    """Return the most memory that this process has had so far, and its threads (on Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return {
        "peak_bytes": int(values["VmHWM"].split()[0]) * 1024,
        "threads": int(values["Threads"]),
    }


def _load(module: str) -> Any:
    return importlib.import_module(module)


if __name__ == "__main__":
    main()
