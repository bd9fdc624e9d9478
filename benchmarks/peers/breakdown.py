"""Measure where faceattr's time goes: decoding, detection, networks, and all the rest.

    python breakdown.py ACTIONS SECONDS PICTURE...

prints the seconds of each part for the first picture, repeated, and for all as a batch. It
runs in faceattr's environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, TypeVar

import faceattr
from faceattr.detectors.base import Finder
from faceattr.detectors.yunet import YunetDetector
from faceattr.engines import engines
from faceattr.engines.base import Compiled, Engine
from faceattr.engines.openvino import OpenVinoEngine
from faceattr.networks.graph import Network
from faceattr.options import Precision

R = TypeVar("R")

WARM_UP = 16  # pictures


class Clock:
    """Adds up the time spent in parts of the program; nested parts count as the outer one."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._is_running = False

    def watch(self, part: str, function: Callable[..., R]) -> Callable[..., R]:
        """Return a function that does the same and whose time is added to a part."""

        def watched(*arguments: Any) -> R:
            if self._is_running:
                return function(*arguments)
            self._is_running = True
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.seconds[part] += time.perf_counter() - began
                self._is_running = False

        return watched


CLOCK = Clock()


class WatchedDetector(YunetDetector):
    """The default detector; its networks are part of it."""

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return CLOCK.watch("detection", super().load(engine))


class WatchedEngine(OpenVinoEngine):
    """The default engine."""

    def build(self, network: Network, precision: Precision) -> Compiled:
        """See the base class."""
        return CLOCK.watch("networks", super().build(network, precision))


def main() -> None:
    """Measure both, and print the seconds."""
    actions, seconds, paths = sys.argv[1].split(","), float(sys.argv[2]), sys.argv[3:]
    engines.register("watched", WatchedEngine)
    pipeline = faceattr.Pipeline(actions, detector=WatchedDetector(), engine="watched")
    read = CLOCK.watch("decoding", faceattr.load_image)
    pipeline.analyze_many(paths[:WARM_UP])
    one = measure((pipeline.analyze(read(path)) for path in repeat(paths[0])), seconds)
    batch = measure(pipeline.analyze_each(map(read, paths)), seconds)
    print(json.dumps({"one picture": one, "batch": batch}))


def measure(items: Iterable[Any], seconds: float) -> dict[str, float]:
    """Go through items until they or the time end; return the seconds of each part."""
    CLOCK.seconds.clear()
    began = time.perf_counter()
    for _ in items:
        if time.perf_counter() - began > seconds:
            break
    total = time.perf_counter() - began
    return {**CLOCK.seconds, "rest": total - sum(CLOCK.seconds.values()), "all": total}


if __name__ == "__main__":
    main()
