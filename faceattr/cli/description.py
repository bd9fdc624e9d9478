"""What a plugin declares, where it comes from, and what it costs on this machine."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.declaration import check_declaration, forms_of
from faceattr.analyzers.loaded import LoadedAnalyzer, batch_for
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector, LoadedDetector, resolve_search
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import FaceattrError, UnknownNameError, describe_unknown
from faceattr.registry import API_VERSION, Registry
from faceattr.types import CropBatch, CropGeometry
from faceattr.weights import declared_weights, find, terms_of

MIN_SECONDS = 0.5  # for which a cost is measured
NUM_FACES = 16  # that are read together
IMAGE_SIZE = (480, 640)  # height and width in pixels

Row = tuple[str, str]
"""A heading, and what there is to say under it."""


def describe(name: str, engine: Engine | None = None) -> list[Row]:
    """Return what there is to know about an analyzer or detector.

    Its cost is measured, if its weights are here; nothing is downloaded.

    Args:
        name: As `faceattr list` shows it.
        engine: Runs its networks; None for the default engine.

    Raises:
        UnknownNameError: Nothing has that name; the message suggests the nearest.
        FaceattrError: The plugin cannot be used.
    """
    engine = engine or create_engine()
    if name not in analyzers and name not in detectors:
        known = [*analyzers, *detectors]
        raise UnknownNameError(describe_unknown("analyzer or detector", name, known))
    if name in detectors and name not in analyzers:
        return list(_describe_detector(detectors.create(name), name, engine))
    analyzer = analyzers.create(name)
    check_declaration(analyzer, name)
    return list(_describe_analyzer(analyzer, name, engine))


def _describe_analyzer(analyzer: Analyzer, name: str, engine: Engine) -> Iterator[Row]:
    yield "analyzer", _summary(analyzer)
    yield "reads", f"{analyzer.attribute}: {analyzer.output}"
    yield "from crops of", "; and ".join(map(_describe_crop, forms_of(analyzer)))
    yield from _describe_weights(analyzer)
    yield from _describe_source(analyzers, name)
    refresh = analyzer.refresh
    yield "on streams", f"runs every {refresh:g} s on a face" if refresh else "runs on every frame"
    yield "cost here", _cost(analyzer, lambda: _time_analyzer(analyzer, engine))


def _describe_detector(detector: Detector, name: str, engine: Engine) -> Iterator[Row]:
    yield "detector", _summary(detector)
    yield "threshold", f"{resolve_search(detector, None).threshold:g}, unless another is given"
    yield from _describe_weights(detector)
    yield from _describe_source(detectors, name)
    yield "cost here", _cost(detector, lambda: _time_detector(detector, engine))


def _summary(plugin: object) -> str:
    """Return the first paragraph of a plugin's docstring, in one line, without its markup."""
    documented = (inspect.getdoc(type(plugin)) or "has no description").partition("\n\n")[0]
    return " ".join(documented.replace("``", "").split())


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
    files = declared_weights(plugin)
    for weights in files:
        copy = find(weights)
        place = "to download on first use" if copy is None else f"here, at {copy.path}"
        yield "weights", f"{weights}, {place}"
    if not files:
        yield "weights", "none to download"
    for _, license in terms_of(plugin):
        yield "license", license or "none named"
    cards = dict.fromkeys(weights.card for weights in files)
    yield "card", ", ".join(cards) or getattr(plugin, "card", "") or "none"


def _describe_source(registry: Registry[Any], name: str) -> Iterator[Row]:
    plugin = registry.get(name)
    yield "from", f"{registry.provider(name)}, as {plugin.__module__}.{plugin.__qualname__}"
    yield "api version", str(getattr(plugin, "api_version", API_VERSION))


def _cost(plugin: Analyzer | Detector, measure: Callable[[], str]) -> str:
    """Return what loading and running the plugin take, or why that is not known."""
    if not all(map(find, declared_weights(plugin))):
        return "not known before its weights are here"
    try:
        return measure()
    except FaceattrError as error:
        return f"cannot be measured: {error}"


def _time_analyzer(analyzer: Analyzer, engine: Engine) -> str:
    start = time.perf_counter()
    loaded = LoadedAnalyzer(analyzer, engine, {})
    ready = time.perf_counter() - start
    batch = batch_for(analyzer, {spec: _noise(spec) for spec in forms_of(analyzer)})
    alone = _seconds(lambda: loaded.read(batch[:1]))
    together = _seconds(lambda: loaded.read(batch[:])) / NUM_FACES  # with nothing computed yet
    return (
        f"{_in_ms(alone)} for one face, {_in_ms(together)} each for {NUM_FACES} together; "
        f"ready in {ready:.2f} s"
    )


def _noise(spec: CropSpec) -> CropBatch:
    shape = NUM_FACES, *spec.size, spec.channels
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return CropBatch(crops, [CropGeometry()] * NUM_FACES)


def _time_detector(detector: Detector, engine: Engine) -> str:
    start = time.perf_counter()
    loaded = LoadedDetector(detector, engine)
    ready = time.perf_counter() - start
    height, width = IMAGE_SIZE
    image = np.full((height, width, 3), 128, np.uint8)
    alone = _seconds(lambda: loaded.detect(image))
    return f"{_in_ms(alone)} for {width}×{height} pixels without a face; ready in {ready:.2f} s"


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time of a run; the first one, which takes longer, does not count."""
    work()
    times: list[float] = []
    while sum(times) < MIN_SECONDS:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _in_ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"
