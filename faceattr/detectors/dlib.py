"""dlib's two face detectors: histograms of oriented gradients, and a network."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import cv2

from faceattr.detectors.base import Detector, Finder, Search
from faceattr.detectors.calibration import BoxOffset, Logistic
from faceattr.detectors.scales import resize, scale_to
from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError
from faceattr.types import BBox, BGRImage, Detection
from faceattr.weights import Weights, fetch

MMOD = Weights(
    filename="mmod_human_face_detector.dat",
    sources=(
        "http://dlib.net/files/mmod_human_face_detector.dat.bz2",
        "https://github.com/davisking/dlib-models/raw/master/mmod_human_face_detector.dat.bz2",
    ),
    sha256="4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    num_bytes=729_940,
    license="CC0-1.0; trained on pictures of ImageNet, AFLW, VOC, VGG, WIDER FACE, FaceScrub",
    card="models/detectors/README.md",
)

SMALLEST_FACE = 90.0  # pixels: the window of both is 80, and HOG_BOX makes it higher
SMALLEST_LEVEL = 40  # pixels; the network fails on less
LARGEST_SCALE = 2.0  # if min_face is not given
HOG_PIXELS, CNN_PIXELS = 1_000_000, 300_000  # of the level that is searched by default
HOG_PIXELS_ASKED = 256_000_000  # the most, if min_face is given
CNN_PIXELS_ASKED = 4_000_000  # a million takes 1 GB and seconds

HOG_SCORES = Logistic(midpoint=-0.27, slope=5.7)
HOG_BOX = BoxOffset(x=0.0, y=-0.06, width=0.87, height=1.15)
LOWEST_HOG_SCORE = -1.0  # below, hundreds of windows are reported
CNN_SCORES = Logistic(midpoint=-0.13, slope=4.0)
CNN_BOX = BoxOffset(x=0.045, y=-0.01, width=0.88, height=1.24)


class DlibHogDetector(Detector):
    """dlib's detector by oriented gradients; needs ``faceattr[dlib]``.

    Reference: Dalal and Triggs, Histograms of oriented gradients, CVPR 2005; King,
    Max-margin object detection, 2015.
    """

    license = "BSL-1.0; part of dlib"

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _HogFinder(import_dlib())


class _HogFinder:
    def __init__(self, dlib: ModuleType) -> None:
        self._windows = _HogWindows(dlib)

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        scale = _search_scale(image.shape, search.min_face, HOG_PIXELS, HOG_PIXELS_ASKED)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2RGB)
        min_score = max(HOG_SCORES.score(search.threshold), LOWEST_HOG_SCORE)
        boxes, scores, _ = self._windows.detector.run(level, 0, min_score)
        return [
            Detection(HOG_BOX.apply(_bbox(box, scale)), HOG_SCORES.confidence(score))
            for box, score in zip(boxes, scores, strict=True)
        ]


class _HogWindows(threading.local):
    """dlib's detector; it holds the state of a search, so each thread has its own."""

    def __init__(self, dlib: ModuleType) -> None:
        self.detector = dlib.get_frontal_face_detector()


class DlibCnnDetector(Detector):
    """dlib's network for large faces; slow, needs ``faceattr[dlib]``.

    dlib holds Python's global lock while the network runs, so threads wait for each other.

    Reference: King, Max-margin object detection, 2015.
    """

    weights = (MMOD,)

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _CnnFinder(import_dlib().cnn_face_detection_model_v1(str(fetch(MMOD))))


class _CnnFinder:
    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        scale = _search_scale(image.shape, search.min_face, CNN_PIXELS, CNN_PIXELS_ASKED)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2RGB)
        if min(level.shape[:2]) < SMALLEST_LEVEL:
            return []
        return [
            Detection(
                CNN_BOX.apply(_bbox(found.rect, scale)), CNN_SCORES.confidence(found.confidence)
            )
            for found in self._network(level, 0)
        ]


def import_dlib() -> ModuleType:
    """Return the package dlib.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import dlib
    except ImportError as error:
        raise MissingDependencyError(
            "dlib's detectors need: pip install 'faceattr[dlib]'"
        ) from error
    return dlib


def _search_scale(
    shape: tuple[int, ...], min_face: float | None, num_pixels: int, max_pixels: int
) -> float:
    """Return the scale at which to search an image of that height and width.

    Args:
        shape: Height and width in pixels.
        min_face: Smallest face to find, in pixels; None for a size that suits `num_pixels`.
            Faces that would need more than `max_pixels` are left to tiles.
        num_pixels: Pixels to search if `min_face` is not given.
        max_pixels: Pixels to search at most if it is.
    """
    height, width = shape[:2]
    if min_face is None:
        return min(LARGEST_SCALE, (num_pixels / (height * width)) ** 0.5)
    return scale_to(SMALLEST_FACE, shape, min_face, max_pixels)


def _bbox(box: Any, scale: float) -> BBox:
    """Return dlib's box of whole pixels, both ends included, in pixels of the image."""
    return (
        box.left() / scale,
        box.top() / scale,
        (box.right() + 1) / scale,
        (box.bottom() + 1) / scale,
    )
