"""Checks that plugins keep their contract, and stand-ins for tests; for plugin authors and us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from faceattr.analyzers.base import Analyzer
from faceattr.detectors.base import Detector
from faceattr.engines import create_engine
from faceattr.errors import PluginError
from faceattr.testing.analyzers import ANALYZER_CHECKS, Subject
from faceattr.types import BGRImage, Crops, Detection

THREADS = 4
LONGEST_LOAD = 30.0  # s


class FixedDetector(Detector):
    """Finds the same faces in every picture.

    Args:
        detections: What it finds.
        threshold: As in `Detector`, but 0 if it is not given.
        min_face: As in `Detector`.
        max_faces: As in `Detector`.
        tile_size: As in `Detector`.
    """

    default_threshold = 0.0

    def __init__(
        self,
        detections: Sequence[Detection],
        *,
        threshold: float | None = None,
        min_face: float | None = None,
        max_faces: int | None = None,
        tile_size: int | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, min_face=min_face, max_faces=max_faces, tile_size=tile_size
        )
        self._detections = detections

    def find(self, image: BGRImage, min_face: float | None) -> Sequence[Detection]:
        """See the base class."""
        return self._detections


def check_detector(detector: Detector, pictures: Sequence[BGRImage] = ()) -> None:
    """Check that a detector keeps its contract; one line of a test.

    Args:
        detector: A new one, not loaded yet.
        pictures: Some with several faces each, if there are any: they sharpen the check.

    Raises:
        PluginError: It does not; the message says in what.
    """
    detector.load(create_engine(threads=1))
    for picture in (*edge_pictures(), *pictures):
        before = picture.copy()
        found = detector.detect(picture)
        _require(np.array_equal(picture, before), detector, "changed the picture")
        for detection in found:
            _check_detection(detector, detection, picture)
        _check_options(detector, found, picture)
    _check_threads(detector, pictures or [np.full((240, 320, 3), 128, np.uint8)])


def edge_pictures() -> Iterator[BGRImage]:
    """Yield pictures that are hard to search, with nobody in them."""
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (8, 8), (100, 10_000), (10_000, 100)):
        yield rng.integers(0, 256, (height, width, 3), np.uint8)
    for level in (0, 128):
        yield np.full((240, 320, 3), level, np.uint8)


def _require(condition: bool, detector: Detector, complaint: str) -> None:
    if not condition:
        raise PluginError(f"{type(detector).__name__} {complaint}")


def _check_detection(detector: Detector, detection: Detection, picture: BGRImage) -> None:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = detection.bbox
    _require(
        0 <= x1 <= x2 - 1 <= width - 1 and 0 <= y1 <= y2 - 1 <= height - 1,
        detector,
        f"gave the box {detection.bbox} in a picture of {width}×{height} px",
    )
    confidence = detection.confidence
    _require(
        isinstance(confidence, float) and detector.threshold <= confidence <= 1,
        detector,
        f"gave the confidence {confidence!r}, no float from {detector.threshold} to 1",
    )
    landmarks = detection.landmarks
    _require(
        landmarks is None or (landmarks.shape == (5, 2) and bool(np.isfinite(landmarks).all())),
        detector,
        f"gave landmarks that are no five points: {landmarks}",
    )


def _check_options(detector: Detector, found: Sequence[Detection], picture: BGRImage) -> None:
    """Check that options leave out what they should, and nothing else."""
    confidences = [detection.confidence for detection in found]
    _require(
        confidences == sorted(confidences, reverse=True), detector, "gave less sure faces first"
    )
    for count in range(1, len(found)):
        _require(
            _detect(detector, picture, max_faces=count) == found[:count],
            detector,
            f"did not give the surest with max_faces={count}",
        )
        threshold = (confidences[count - 1] + confidences[count]) / 2
        _require(
            threshold in confidences
            or _detect(detector, picture, threshold=threshold) == found[:count],
            detector,
            f"did not give the faces that are surer with threshold={threshold}",
        )


def _detect(detector: Detector, picture: BGRImage, **options: float) -> list[Detection]:
    """Detect with other options; what was loaded stays loaded."""
    detector = copy(detector)
    for name, value in options.items():
        setattr(detector, name, value)
    return detector.detect(picture)


def _check_threads(detector: Detector, pictures: Sequence[BGRImage]) -> None:
    expected = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(detector.detect, list(pictures) * THREADS))
    _require(answers == expected * THREADS, detector, "gives other faces in several threads")


def check_analyzer(
    analyzer: Analyzer, crops: Crops | None = None, *, longest_load: float = LONGEST_LOAD
) -> None:
    """Check that an analyzer keeps its contract; one line of a test.

    It is run in float32 on one processor thread. Its weights have to be here, or to be had.

    Args:
        analyzer: A new one, not loaded yet.
        crops: (N, H, W, C) uint8 of real faces, if there are any: they sharpen the check.
        longest_load: Seconds that `load` may take, without downloads.

    Raises:
        PluginError: It does not; the message says in what.
        WeightsError: Its weights cannot be had.
    """
    subject = Subject(analyzer, crops, longest_load)
    for check in ANALYZER_CHECKS:
        check(subject)


def contract_test(plugin: Callable[[], Analyzer | Detector]) -> Any:
    """Return a test of a plugin for pytest, in which each part of the contract shows by itself.

    One line of a test module is all that it takes: ``test_smile = contract_test(SmileAnalyzer)``.

    Args:
        plugin: The class, or a function that gives a new analyzer or detector.
    """
    import pytest

    made = plugin()
    if isinstance(made, Detector):
        parts = {"detector": partial(check_detector, made)}
    else:
        subject = Subject(made, None, LONGEST_LOAD)
        parts = {check.__name__: partial(check, subject) for check in ANALYZER_CHECKS}

    def test(part: str) -> None:
        parts[part]()

    return pytest.mark.parametrize("part", parts)(test)
