"""dlib's two detectors of faces: by oriented gradients, and by a network."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import cv2

from faceattr.detectors.base import Detector
from faceattr.detectors.calibration import Framing, Logistic
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
    license="CC0; trained on pictures of ImageNet, AFLW, VOC, VGG, WIDER FACE, FaceScrub",
    card="models/detectors/README.md",
)

SMALLEST_FACE = 90.0  # px: the window of both, 80, and as high as HOG_FRAMING makes it
SMALLEST_LEVEL = 40  # px; the network fails on less
LARGEST_SCALE = 2.0  # where min_face is not given
HOG_PIXELS, CNN_PIXELS = 1_000_000, 300_000  # that are searched, where min_face is not given
HOG_PIXELS_ASKED = 256_000_000  # where it is
CNN_PIXELS_ASKED = 4_000_000  # a million takes 1 GB and seconds

HOG_SCORES = Logistic(even=-0.27, slope=5.7)
HOG_FRAMING = Framing(right=0.0, down=-0.06, wider=0.87, higher=1.15)
LOWEST_HOG_SCORE = -1.0  # below, hundreds of windows are faces
CNN_SCORES = Logistic(even=-0.13, slope=4.0)
CNN_FRAMING = Framing(right=0.045, down=-0.01, wider=0.88, higher=1.24)


class DlibHogDetector(Detector):
    """dlib's detector by oriented gradients; needs ``faceattr[dlib]``.

    Reference: Dalal and Triggs, Histograms of oriented gradients, CVPR 2005; King,
    Max-margin object detection, 2015.
    """

    def load(self, engine: Engine) -> None:
        """See the base class."""
        self._windows = _HogWindows(_import_dlib())

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scale = _search_scale(image.shape, min_face, HOG_PIXELS, HOG_PIXELS_ASKED)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2RGB)
        lowest = max(HOG_SCORES.score(self.threshold), LOWEST_HOG_SCORE)
        boxes, scores, _ = self._windows.detector.run(level, 0, lowest)
        return [
            Detection(HOG_FRAMING.apply(_bbox(box, scale)), HOG_SCORES.confidence(score))
            for box, score in zip(boxes, scores, strict=True)
        ]


class _HogWindows(threading.local):
    """dlib's detector, which keeps a picture's state in it: one for each thread."""

    def __init__(self, dlib: ModuleType) -> None:
        self.detector = dlib.get_frontal_face_detector()


class DlibCnnDetector(Detector):
    """dlib's network for large faces; slow, needs ``faceattr[dlib]``.

    dlib holds Python's lock while the network runs, so threads wait for each other.

    Reference: King, Max-margin object detection, 2015.
    """

    weights = (MMOD,)

    def load(self, engine: Engine) -> None:
        """See the base class."""
        dlib = _import_dlib()
        self._network = dlib.cnn_face_detection_model_v1(str(fetch(MMOD)))

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scale = _search_scale(image.shape, min_face, CNN_PIXELS, CNN_PIXELS_ASKED)
        level = cv2.cvtColor(resize(image, scale), cv2.COLOR_BGR2RGB)
        if min(level.shape[:2]) < SMALLEST_LEVEL:
            return []
        return [
            Detection(
                CNN_FRAMING.apply(_bbox(found.rect, scale)),
                CNN_SCORES.confidence(found.confidence),
            )
            for found in self._network(level, 0)
        ]


def _bbox(box: Any, scale: float) -> BBox:
    """Return dlib's box of whole px, both ends included, in px of the picture."""
    return (
        box.left() / scale,
        box.top() / scale,
        (box.right() + 1) / scale,
        (box.bottom() + 1) / scale,
    )


def _import_dlib() -> ModuleType:
    try:
        import dlib
    except ImportError as error:
        raise MissingDependencyError(
            "dlib's detectors need: pip install 'faceattr[dlib]'"
        ) from error
    return dlib


def _search_scale(
    shape: tuple[int, ...], min_face: float | None, num_pixels: int, most_pixels: int
) -> float:
    """Return how much to scale a picture of that height and width before it is searched.

    Args:
        shape: Height and width of the picture in px.
        min_face: Smallest face to look for, in px; None for one that suits `num_pixels`.
            Faces that would need more than `most_pixels` are not looked for: tiles find them.
        num_pixels: To search where `min_face` is not given.
        most_pixels: To search where it is.
    """
    height, width = shape[:2]
    if min_face is None:
        return min(LARGEST_SCALE, (num_pixels / (height * width)) ** 0.5)
    return scale_to(SMALLEST_FACE, shape, min_face, most_pixels)
