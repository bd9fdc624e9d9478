"""What a detector is: the declaration of something that finds the faces of an image."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

from faceattr.boxes import nms
from faceattr.detectors.tiles import LARGEST_FACE, tiles
from faceattr.engines.base import Engine
from faceattr.errors import PluginError, blaming
from faceattr.forms import is_number
from faceattr.options import SearchOptions
from faceattr.registry import require_function, require_list
from faceattr.types import TOLERANCE, BBox, BGRImage, Detection
from faceattr.weights import Weights

MAX_OVERLAP = 0.7  # IoA of two faces; MTCNN's own


class Search(NamedTuple):
    """What a detector has to look for in one image.

    Attributes:
        threshold: Smallest confidence of a face, in [0, 1].
        min_face: Longer side of the smallest box in pixels of that image; None for a size that
            suits the image.
    """

    threshold: float
    min_face: float | None = None


Finder: TypeAlias = Callable[[BGRImage, Search], Sequence[Detection]]
"""Finds the faces of an (H, W, 3) BGR uint8 image of at least 1×1 pixels.

It returns them in any order, maybe partly outside the image; some may be below the threshold or
`min_face`, or duplicates. Several threads may call it, and it does not write to the image. If it
has a method `close`, the pipeline calls that when it is closed.
"""


class Detector(ABC):  # noqa: B024  # a subclass defines one of two methods
    """Finds faces.

    A detector is a declaration: it keeps its options and is never changed. What is loaded belongs
    to the pipeline that called `load`.

    A subclass defines one of two methods: `find`, or `load` if something must be loaded first.
    Thresholds, tiles, clipping, duplicates and order are taken care of by `LoadedDetector`.

    Attributes:
        default_threshold: Smallest confidence of a detection, where a user gives none.
        weights: Files to download.
        license: License of weights that come with a package, as in `Weights`; empty if there are
            none.
        takes_tiles: Whether a part of an image can be searched as an image.
        api_version: Version of the plugin API that it was written for, `faceattr.API_VERSION` at
            that time; plugins of other packages declare it.

    Args:
        threshold: As in `SearchOptions`, like all others.
        min_face: Smallest face.
        max_faces: Most faces.
        tile_size: Side of tiles.

    Raises:
        OptionError: A value is out of range.
    """

    default_threshold: ClassVar[float] = 0.5
    weights: ClassVar[tuple[Weights, ...]] = ()
    license: ClassVar[str] = ""
    takes_tiles: ClassVar[bool] = True

    def __init__(
        self,
        *,
        threshold: float | None = None,
        min_face: float | None = None,
        max_faces: int | None = None,
        tile_size: int | None = None,
    ) -> None:
        self.search = SearchOptions(threshold, min_face, max_faces, tile_size)

    def load(self, engine: Engine) -> Finder:
        """Load what is heavy and return a function that finds faces.

        Called once by each pipeline that uses the detector.

        Args:
            engine: Runs the pipeline's networks.
        """
        return self.find

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        """Return the faces of an image, as `Finder` says."""
        raise PluginError(f"{type(self).__name__} defines neither find nor load")


def resolve_search(detector: Detector, options: SearchOptions | None) -> SearchOptions:
    """Return the options in force: those given, else the detector's own; with a threshold."""
    defaults = SearchOptions(threshold=detector.default_threshold)
    own = getattr(detector, "search", defaults).over(defaults)  # super().__init__ may be missing
    return own if options is None else options.over(own)


class LoadedDetector:
    """A detector that is ready to use.

    Args:
        detector: What to load.
        engine: Runs its networks.
        options: Take the place of the detector's own, where they are given.

    Raises:
        FaceattrError: The detector cannot be loaded.
    """

    def __init__(
        self, detector: Detector, engine: Engine, options: SearchOptions | None = None
    ) -> None:
        self._options = resolve_search(detector, options)
        self._name = type(detector).__name__
        self._takes_tiles = detector.takes_tiles
        with blaming(self._name):
            self._find = require_function(detector.load(engine), self._name)

    def detect(self, image: BGRImage, *, threshold: float | None = None) -> list[Detection]:
        """Return the faces of the image, the most confident first; maybe none.

        Boxes lie inside the image and are at least one pixel wide and high.

        Args:
            image: (H, W, 3) BGR uint8.
            threshold: Smallest confidence, in this call only.

        Raises:
            PluginError: The detector fails, or gives something else than detections.
        """
        height, width = image.shape[:2]
        min_face = self._options.min_face
        if min_face is not None and min_face < 1:
            min_face *= min(height, width)
        if threshold is None:
            threshold = self._options.threshold
        assert threshold is not None  # resolve_search sees to it
        search = Search(threshold, min_face)
        found = [
            replace(detection, bbox=bbox)
            for detection in self._search(image, search)
            if detection.confidence >= search.threshold
            and _longer_side(detection.bbox) >= (min_face or 0)
            and (bbox := _clip(detection.bbox, width, height)) is not None
        ]
        return _distinct(found)[: self._options.max_faces]

    def close(self) -> None:
        """Release what the detector holds."""
        close = getattr(self._find, "close", None)
        if close is not None:
            close()

    def _search(self, image: BGRImage, search: Search) -> Iterator[Detection]:
        """Search the whole image, or its tiles and the whole for what is too large for them."""
        side = self._options.tile_size if self._takes_tiles else None
        parts = tiles(image.shape, side) if side else []
        largest = (side or 0) * LARGEST_FACE
        if len(parts) < 2 or (search.min_face or 0) > largest:
            yield from self._run(image, search)
            return
        yield from self._run(image, search._replace(min_face=largest))
        for tile in parts:
            for detection in self._run(tile.cut(image), search):
                if (placed := tile.place(detection)) is not None:
                    yield placed

    def _run(self, image: BGRImage, search: Search) -> list[Detection]:
        """Return what the detector finds, if its detections are as `Detection` says."""
        with blaming(self._name):
            found = require_list(self._find(image, search), self._name)
        for detection in found:
            problem = problem_of(detection)
            if problem is not None:
                raise PluginError(f"{self._name} gave {problem}")
        return found


def problem_of(detection: object) -> str | None:
    """Return what is wrong with a detector's result, or None."""
    if not isinstance(detection, Detection):
        return f"{detection!r:.100} instead of a Detection"
    bbox, confidence, landmarks = detection.bbox, detection.confidence, detection.landmarks
    if not _is_finite(bbox, (4,)):
        return f"the box {bbox!r:.100}; it must be four finite numbers x1, y1, x2, y2"
    # NaN fails every comparison
    if not (is_number(confidence) and -TOLERANCE <= confidence <= 1 + TOLERANCE):
        return f"the confidence {confidence!r:.100}; it must be in [0, 1]"
    if landmarks is not None and not (
        isinstance(landmarks, np.ndarray) and _is_finite(landmarks, (5, 2))
    ):
        return f"the landmarks {landmarks!r:.200}; they must be a (5, 2) array of finite numbers"
    return None


def _is_finite(values: object, shape: tuple[int, ...]) -> bool:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return False
    return array.shape == shape and bool(np.isfinite(array).all())


def _distinct(found: Sequence[Detection]) -> list[Detection]:
    """Return one detection of each face, the most confident first."""
    boxes = np.array([detection.bbox for detection in found]).reshape(-1, 4)
    scores = np.array([detection.confidence for detection in found])
    rows = nms(boxes, scores, MAX_OVERLAP, measure="ioa")
    return [found[row] for row in sorted(rows, key=lambda row: (-scores[row], row))]


def _longer_side(bbox: BBox) -> float:
    return max(bbox[2] - bbox[0], bbox[3] - bbox[1])


def _clip(bbox: BBox, width: int, height: int) -> BBox | None:
    """Return the part of the box inside the image, None if there is none."""
    x1, x2 = (min(max(float(x), 0.0), float(width)) for x in (bbox[0], bbox[2]))
    y1, y2 = (min(max(float(y), 0.0), float(height)) for y in (bbox[1], bbox[3]))
    return (x1, y1, x2, y2) if x2 - x1 >= 1 and y2 - y1 >= 1 else None
