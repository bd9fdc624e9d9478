"""What a plugin says of itself, where it comes from, and what it costs on this machine."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import FaceattrError, PluginError, UnknownNameError, describe_unknown
from faceattr.registry import FIRST_CONTRACT, Registry
from faceattr.weights import Weights, find

SECONDS = 0.5  # for which a cost is measured, at least
MANY = 16  # faces at once
PICTURE = (480, 640)  # px

Row = tuple[str, str]
"""What is told, and what there is to tell."""


def describe(name: str, *, engine: str | None = None, precision: str | None = None) -> list[Row]:
    """Return all there is to know of the analyzer or detector of that name.

    What it costs is measured, if its weights are here; nothing is downloaded.

    Args:
        name: As `faceattr list` has it.
        engine: As in `Pipeline`.
        precision: As in `Pipeline`.

    Raises:
        UnknownNameError: Nothing has that name; the message suggests the nearest.
        FaceattrError: The plugin cannot be used.
    """
    runner = create_engine(engine, precision=precision)
    if name not in analyzers and name not in detectors:
        known = [*analyzers, *detectors]
        raise UnknownNameError(describe_unknown("analyzer or detector", name, known))
    try:
        if name in analyzers:
            return list(_describe_analyzer(analyzers.create(name), name, runner))
        return list(_describe_detector(detectors.create(name), name, runner))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, FaceattrError):
            raise
        raise PluginError(f"{name} does not declare what it should: {error}") from error


def weights_of(plugin: object) -> tuple[Weights, ...]:
    """Return the files that a plugin, or its class, downloads; maybe none."""
    declared = getattr(plugin, "weights", None)
    files = declared if isinstance(declared, tuple) else (declared,)
    return tuple(file for file in files if isinstance(file, Weights))


def _describe_analyzer(analyzer: Analyzer, name: str, engine: Engine) -> Iterator[Row]:
    yield "analyzer", _summary(analyzer)
    if analyzer.labels:
        yield "reads", f"{analyzer.attribute}: {', '.join(analyzer.labels)}"
    else:
        unit = f"in {analyzer.unit}" if analyzer.unit else "it declares neither labels nor unit"
        yield "reads", f"{analyzer.attribute}, {unit}"
    yield "from crops of", _describe_crop(analyzer.crop)
    yield from _describe_weights(analyzer)
    yield from _describe_source(analyzers, name)
    refresh = analyzer.refresh
    yield "on streams", f"looks at a face every {refresh:g} s" if refresh else "looks at each frame"
    yield "cost here", _cost(analyzer, engine, lambda: _time_analyzer(analyzer))


def _describe_detector(detector: Detector, name: str, engine: Engine) -> Iterator[Row]:
    yield "detector", _summary(detector)
    yield "threshold", f"{detector.threshold:g}, unless another is given"
    yield from _describe_weights(detector)
    yield from _describe_source(detectors, name)
    yield "cost here", _cost(detector, engine, lambda: _time_detector(detector))


def _summary(plugin: object) -> str:
    return (inspect.getdoc(type(plugin)) or "says nothing of itself").partition("\n\n")[0]


def _describe_crop(crop: CropSpec) -> str:
    height, width = crop.size
    how = {
        "landmarks": "the landmarks in fixed places",
        "box": "a square around the box",
        "letterbox": "the box with the eyes level, its sides kept",
        "stretch": "the box with the eyes level, stretched to it",
    }[crop.mode]
    margin = f", {crop.margin:.0%} margin" if crop.margin else ""
    return f"{width}×{height} px, {crop.color}, {how}{margin}"


def _describe_weights(plugin: Analyzer | Detector) -> Iterator[Row]:
    files = weights_of(plugin)
    for weights in files:
        copy = find(weights)
        place = "to download on first use" if copy is None else f"here, at {copy.path}"
        yield "weights", f"{weights}, {place}"
        yield "license", weights.license
    if not files:
        yield "weights", "none to download"
    cards = dict.fromkeys(weights.card for weights in files)
    yield "card", ", ".join(cards) or getattr(plugin, "card", "") or "none"


def _describe_source(registry: Registry[Any], name: str) -> Iterator[Row]:
    plugin = registry.get(name)
    yield "from", f"{registry.origin(name)}, as {plugin.__module__}.{plugin.__qualname__}"
    yield "contract", str(getattr(plugin, "contract", FIRST_CONTRACT))


def _cost(plugin: Analyzer | Detector, engine: Engine, measure: Callable[[], str]) -> str:
    """Return what loading and working take, or why that cannot be known."""
    if not all(map(find, weights_of(plugin))):
        return "not known before its weights are here"
    try:
        start = time.perf_counter()
        plugin.load(engine)
        ready = time.perf_counter() - start
        return f"{measure()}; ready in {ready:.2f} s"
    except FaceattrError as error:
        return f"cannot be measured: {error}"
    except Exception as error:  # a plugin may fail in any way
        return f"cannot be measured: {type(error).__name__}: {error}"


def _time_analyzer(analyzer: Analyzer) -> str:
    spec = analyzer.crop
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (MANY, *spec.size, spec.channels), np.uint8)
    alone = _seconds(lambda: analyzer.predict(crops[:1]))
    together = _seconds(lambda: analyzer.predict(crops)) / MANY
    return f"{_words(alone)} for one face, {_words(together)} each for {MANY} together"


def _time_detector(detector: Detector) -> str:
    picture = np.full((*PICTURE, 3), 128, np.uint8)
    height, width = PICTURE
    return f"{_words(_seconds(lambda: detector.detect(picture)))} for {width}×{height} px of nobody"


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time that the work takes."""
    work()  # the first time takes longer
    times: list[float] = []
    while sum(times) < SECONDS:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _words(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"
