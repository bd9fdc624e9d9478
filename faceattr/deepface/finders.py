"""deepface's detectors, step for step, on our engines: images to areas.

A finder takes an image, (H, W, 3) BGR uint8, and returns its areas in the detector's order. They
may reach outside the image.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import Any, TypeAlias

import cv2
import cv2.data
import numpy as np

from faceattr.deepface.areas import EYES, Area, Point, to_area
from faceattr.detectors.base import Detector, Finder, LoadedDetector, Search
from faceattr.detectors.dlib import import_dlib
from faceattr.detectors.mtcnn.detector import SMALLEST_FACE, MtcnnDetector, MtcnnFinder
from faceattr.detectors.ssd import SSD, SSD_GRAPH, SsdNetwork
from faceattr.detectors.yunet import COARSEST, MAX_FACES, Faces, decode, read_network
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import OptionError
from faceattr.types import BGRImage, Detection
from faceattr.weights import Weights, fetch, find

AreaFinder: TypeAlias = Callable[[BGRImage], list[Area]]

FACE_CASCADE, EYE_CASCADE = "haarcascade_frontalface_default.xml", "haarcascade_eye.xml"
SCALE_STEP, MIN_NEIGHBORS = 1.1, 10  # of both cascades
YUNET_SIDE, YUNET_THRESHOLD, YUNET_OVERLAP = 640, 0.9, 0.3
SSD_SIDE, SSD_THRESHOLD = 300, 0.9

EYE_PREDICTOR = Weights(
    filename="shape_predictor_5_face_landmarks.dat",
    sources=(
        "http://dlib.net/files/shape_predictor_5_face_landmarks.dat.bz2",
        "https://github.com/davisking/dlib-models/raw/master/"
        "shape_predictor_5_face_landmarks.dat.bz2",
    ),
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    num_bytes=9_150_489,
    license="CC0-1.0; trained on 7,198 faces that its author has labelled",
    card="models/detectors/README.md",
)


def find_by_cascade(image: BGRImage) -> list[Area]:
    """Return the faces by OpenCV's cascade; their order depends on its number of threads."""
    boxes, _, scores = _cascade(FACE_CASCADE).detectMultiScale3(
        image, SCALE_STEP, MIN_NEIGHBORS, outputRejectLevels=True
    )
    areas = []
    for box, score in zip(boxes, scores, strict=True):
        x, y, w, h = map(int, box)
        areas.append(find_eyes(Area(x, y, w, h, (100 - float(score)) / 100), image))
    return areas


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + name)  # threads cannot share one


def find_eyes(area: Area, image: BGRImage) -> Area:
    """Return the area with the eyes that a cascade finds in it; unchanged if they are known."""
    if area.points:
        return area
    gray = cv2.cvtColor(area.cut(image), cv2.COLOR_BGR2GRAY)
    eyes = _cascade(EYE_CASCADE).detectMultiScale(gray, SCALE_STEP, MIN_NEIGHBORS)
    if len(eyes) < 2:
        return area
    largest = nlargest(2, eyes, key=lambda eye: eye[2] * eye[3])
    right, left = sorted(largest, key=lambda eye: eye[0])  # the subject's right is on the left
    return replace(
        area, points={"right_eye": _center(right, area), "left_eye": _center(left, area)}
    )


def _center(eye: Sequence[int], area: Area) -> Point:
    x, y, w, h = map(int, eye)
    return area.x + int(x + w / 2), area.y + int(y + h / 2)


class PackageMtcnn(MtcnnDetector):
    """MTCNN as the mtcnn package runs it: large images searched in full, small boxes kept."""

    default_threshold = 0.8

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _PackageFinder(engine)


class _PackageFinder(MtcnnFinder):
    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        return super().__call__(image, search._replace(min_face=SMALLEST_FACE))


class DetectorFinder:
    """One of our detectors.

    It always runs in float32: a box that is one pixel larger gives another crop.

    Args:
        detector: The detector.
        names: The landmarks that deepface gives.
    """

    def __init__(self, detector: Detector, names: tuple[str, ...] = EYES) -> None:
        self._loaded = LoadedDetector(detector, create_engine(precision="f32"))
        self._names = names

    def __call__(self, image: BGRImage) -> list[Area]:
        """Return the areas of an image."""
        found = self._loaded.detect(image)
        return [to_area(detection, image.shape, self._names) for detection in found]


class YunetFinder:
    """YuNet on at most 640 pixels, duplicates suppressed as OpenCV's reader does it.

    The environment variable ``yunet_score_threshold`` sets the smallest confidence.
    """

    def __init__(self) -> None:
        self._network = create_engine(precision="f32").compile(read_network())

    def __call__(self, image: BGRImage) -> list[Area]:
        """Return the areas of an image.

        Raises:
            OptionError: ``yunet_score_threshold`` is not a number in [0, 1].
        """
        threshold = _yunet_threshold()
        height, width = image.shape[:2]
        scale = min(1.0, YUNET_SIDE / max(height, width))
        if scale < 1:
            height, width = max(int(height * scale), 1), max(int(width * scale), 1)
            image = cv2.resize(image, (width, height))
        below, right = -height % COARSEST, -width % COARSEST
        padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT)
        output = self._network(padded[None])[0]
        faces = decode(output, height + below, width + right, threshold)
        return list(_to_areas(faces, scale, threshold))


def _yunet_threshold() -> float:
    text = os.environ.get("yunet_score_threshold", str(YUNET_THRESHOLD))  # noqa: SIM112  # its name
    try:
        threshold = float(text)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise OptionError(f"yunet_score_threshold is {text!r}; it must be a number in [0, 1]")
    return threshold


def _to_areas(faces: Faces, scale: float, threshold: float) -> Iterator[Area]:
    """Yield the areas, each once: cut to whole pixels before they are scaled, and after."""
    corners, sizes = faces.points[:, 0], faces.points[:, 1] - faces.points[:, 0]
    boxes = np.concatenate([corners, sizes], axis=1).astype(int)
    kept = cv2.dnn.NMSBoxes(
        boxes.tolist(), faces.scores.tolist(), threshold, YUNET_OVERLAP, top_k=MAX_FACES
    )
    boxes[:, :2] = np.maximum(boxes[:, :2], 0)
    for row in kept:
        x, y, w, h = (int(value / scale) for value in boxes[row].tolist())
        points = {
            name: (int(int(point[0]) / scale), int(int(point[1]) / scale))
            for name, point in zip(EYES, faces.landmarks[row], strict=False)
        }
        landmarks = (faces.landmarks[row] / scale).astype(np.float32)
        yield Area(x, y, w, h, float(faces.scores[row]), points, landmarks)


class SsdFinder:
    """OpenCV's SSD on 300×300 pixels whose mean is not subtracted."""

    def __init__(self) -> None:
        self._network = SsdNetwork(fetch(SSD), fetch(SSD_GRAPH))

    def __call__(self, image: BGRImage) -> list[Area]:
        """Return the areas of an image."""
        height, width = image.shape[:2]
        ratios = np.divide((width, height), SSD_SIDE)
        areas = []
        for row in self._network(cv2.resize(image, (SSD_SIDE, SSD_SIDE)), mean=(0, 0, 0)):
            if row[0] >= SSD_THRESHOLD:
                corners = (row[1:].astype(int) * np.tile(ratios, 2)).astype(int)
                x1, y1, x2, y2 = corners.tolist()
                areas.append(Area(x1, y1, x2 - x1, y2 - y1, float(row[0])))
        return areas


class DlibFinder:
    """dlib's detector by oriented gradients on the image at twice its size.

    The eyes are those of dlib's predictor where its file is at hand, as in deepface's folder.
    """

    def __init__(self) -> None:
        self._models = _DlibModels()

    def __call__(self, image: BGRImage) -> list[Area]:
        """Return the areas of an image."""
        boxes, scores, _ = self._models.detector.run(image, 1)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            x, y = max(box.left(), 0), max(box.top(), 0)
            w, h = min(box.right(), image.shape[1]) - x, min(box.bottom(), image.shape[0]) - y
            confidence = min(max(0.0, score), 1.0)
            found.append(Area(x, y, w, h, confidence, self._find_eyes(image, box)))
        return found

    def _find_eyes(self, image: BGRImage, box: Any) -> dict[str, Point]:
        """Return the middles between the corners of each eye."""
        if self._models.predictor is None:
            return {}
        corners = self._models.predictor(image, box).parts()
        return {
            name: ((a.x + b.x) // 2, (a.y + b.y) // 2)
            for name, a, b in (("right_eye", *corners[2:4]), ("left_eye", *corners[:2]))
        }


class _DlibModels(threading.local):
    """dlib's models; the detector holds the state of a search, so each thread has its own."""

    def __init__(self) -> None:
        dlib = import_dlib()
        copy = find(EYE_PREDICTOR)
        self.detector = dlib.get_frontal_face_detector()
        self.predictor = None if copy is None else dlib.shape_predictor(str(copy.path))
