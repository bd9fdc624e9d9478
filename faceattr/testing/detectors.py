"""The rules that a detector keeps, as checks that each say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from faceattr.detectors.base import (
    Detector,
    Finder,
    LoadedDetector,
    Search,
    problem_of,
    resolve_search,
)
from faceattr.forms import is_number
from faceattr.options import SearchOptions
from faceattr.registry import require_list
from faceattr.testing.subject import (
    LONGEST_LOAD,
    THREADS,
    Subject,
    declares_the_api_version,
    has_weights_metadata,
    loads_in_time,
    new_engine,
    reports_missing_weights,
    run_checks,
)
from faceattr.types import BBox, BGRImage, Detection

Exact: TypeAlias = tuple[BBox, float, list[list[float]] | None]
"""Box, confidence and landmarks of a detection."""


def check_detector(
    detector: Detector, images: Sequence[BGRImage] = (), *, longest_load: float = LONGEST_LOAD
) -> None:
    """Check that a detector keeps the rules of the plugin API; one line of a test.

    It runs in float32 on one processor thread. Its weights are downloaded if they are missing.

    Args:
        detector: The detector.
        images: (H, W, 3) BGR uint8 images with several faces each; without them less is checked.
        longest_load: Seconds that `load` may take, without downloads.

    Raises:
        PluginError: It breaks a rule; the message says which.
        WeightsError: Its weights are missing and cannot be downloaded.
    """
    run_checks(DetectorSubject(detector, images, longest_load), DETECTOR_CHECKS)


class SearchedImage(NamedTuple):
    """An image, the copy of it that a detector has searched, and what it found."""

    image: BGRImage
    searched: BGRImage
    found: Sequence[Any]


class DetectorSubject(Subject[Detector]):
    """A detector that is checked.

    Args:
        detector: The detector.
        images: (H, W, 3) BGR uint8 images with faces, or none.
        longest_load: Seconds that `load` may take, without downloads.
    """

    def __init__(
        self,
        detector: Detector,
        images: Sequence[BGRImage] = (),
        longest_load: float = LONGEST_LOAD,
    ) -> None:
        super().__init__(detector, detector.weights, longest_load)
        self.images = images or [np.full((240, 320, 3), 128, np.uint8)]

    def load(self, **options: Any) -> LoadedDetector:
        """Load the detector once more, as a pipeline with these `SearchOptions` does."""
        return LoadedDetector(self.plugin, new_engine(), SearchOptions(**options))

    @cached_property
    def loaded(self) -> LoadedDetector:
        """The detector as the first pipeline has loaded it."""
        return self.load()

    @cached_property
    def threshold(self) -> float:
        """Smallest confidence that the detector is asked for."""
        return resolve_search(self.plugin, None).threshold or 0.0

    @cached_property
    def searched(self) -> list[SearchedImage]:
        """What the detector itself finds on all images, the difficult ones too."""
        with self.blaming("cannot be loaded"):
            find: Finder = self.plugin.load(new_engine())
        return [self._search(find, image) for image in (*edge_images(), *self.images)]

    def _search(self, find: Finder, image: BGRImage) -> SearchedImage:
        height, width = image.shape[:2]
        searched = image.copy()
        with self.blaming(f"failed on an image of {width}×{height} pixels"):
            found = require_list(find(searched, Search(self.threshold)), type(self.plugin).__name__)
        return SearchedImage(image, searched, found)

    def detect(self, image: BGRImage) -> list[Exact]:
        """Return the faces of an image as a pipeline gets them, landmarks included."""
        return _exactly(self.loaded.detect(image.copy()))


def edge_images() -> Iterator[BGRImage]:
    """Yield images that are difficult to search, without faces."""
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (8, 8), (100, 10_000), (10_000, 100)):
        yield rng.integers(0, 256, (height, width, 3), np.uint8)
    for level in (0, 128):
        yield np.full((240, 320, 3), level, np.uint8)


def _exactly(detections: Sequence[Detection]) -> list[Exact]:
    """Return all numbers of the detections, as `==` leaves out landmarks, and `repr` digits."""
    return [
        (one.bbox, one.confidence, None if one.landmarks is None else one.landmarks.tolist())
        for one in detections
    ]


def declares_its_threshold(subject: DetectorSubject) -> None:
    """Check that the default threshold is a confidence."""
    threshold = subject.plugin.default_threshold
    subject.require(
        is_number(threshold) and 0 <= threshold <= 1,
        f"declares a default_threshold of {threshold!r}; it must be in [0, 1]",
    )


def searches_every_image(subject: DetectorSubject) -> None:
    """Check that small, long, dark and noisy images are searched without an error."""
    subject.require(bool(subject.searched), "searched no image")


def gives_detections(subject: DetectorSubject) -> None:
    """Check that each result is a `Detection` with finite numbers, its confidence in [0, 1]."""
    for _, _, found in subject.searched:
        for one in found:
            problem = problem_of(one)
            subject.require(problem is None, f"gave {problem}")


def gives_boxes_with_corners_in_order(subject: DetectorSubject) -> None:
    """Check that the upper left corner of each box comes first."""
    for _, _, found in subject.searched:
        for one in found:
            x1, y1, x2, y2 = one.bbox
            subject.require(
                x1 < x2 and y1 < y2,
                f"gave the box {one.bbox}; it must be x1, y1, x2, y2 with x1 < x2 and y1 < y2",
            )


def leaves_images_unchanged(subject: DetectorSubject) -> None:
    """Check that the detector does not write to the image."""
    for image, searched, _ in subject.searched:
        subject.require(np.array_equal(image, searched), "changed the image")


def stays_as_it_is(subject: DetectorSubject) -> None:
    """Check that searching does not change the detector."""
    before = subject.state
    for image in subject.images:
        subject.detect(image)
    subject.require_unchanged(before, "while it searched images")


def is_deterministic(subject: DetectorSubject) -> None:
    """Check that what is found depends on nothing but the image."""
    for image in subject.images:
        first, second = subject.detect(image), subject.detect(image)
        subject.require(
            first == second, f"finds different faces in the same image: {first}, then {second}"
        )


def respects_the_threshold(subject: DetectorSubject) -> None:
    """Check that a higher threshold leaves out less confident faces, and no others."""
    for image in subject.images:
        found = subject.loaded.detect(image.copy())
        for count in range(1, len(found)):
            threshold = (found[count - 1].confidence + found[count].confidence) / 2
            if threshold in (found[count - 1].confidence, found[count].confidence):
                continue  # both are equally confident
            fewer = subject.loaded.detect(image.copy(), threshold=threshold)
            subject.require(
                _exactly(fewer) == _exactly(found[:count]),
                f"finds {len(fewer)} faces with threshold={threshold:.3g}, and {count} of those "
                "without it are as confident",
            )


def is_thread_safe(subject: DetectorSubject) -> None:
    """Check that several threads may search at once."""
    expected = [subject.detect(image) for image in subject.images]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(subject.detect, list(subject.images) * THREADS))
    subject.require(found == expected * THREADS, "finds other faces in several threads than in one")


def serves_several_pipelines(subject: DetectorSubject) -> None:
    """Check that loading and closing it again does not disturb who loaded it before."""
    for image in subject.images:
        before = subject.detect(image)
        second = subject.load()
        found = _exactly(second.detect(image.copy()))
        second.close()
        subject.require(
            before == found == subject.detect(image),
            "finds other faces after it was loaded for a second pipeline",
        )


DETECTOR_CHECKS: Sequence[Callable[[DetectorSubject], None]] = (
    declares_the_api_version,
    declares_its_threshold,
    has_weights_metadata,
    loads_in_time,
    searches_every_image,
    gives_detections,
    gives_boxes_with_corners_in_order,
    leaves_images_unchanged,
    stays_as_it_is,
    is_deterministic,
    respects_the_threshold,
    is_thread_safe,
    serves_several_pipelines,
    reports_missing_weights,
)
"""In the order in which one relies on those before it."""
