"""Images to the areas in which deepface finds faces, and to the eyes in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from heapq import nlargest
from typing import Any, TypeAlias

import cv2
import cv2.data
import numpy as np

from faceattr.detectors.base import Detector, Finder, LoadedDetector, Search
from faceattr.detectors.mtcnn.detector import SMALLEST_FACE, MtcnnDetector, MtcnnFinder
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.types import BGRImage, Detection

Point: TypeAlias = tuple[int, int]
"""x and y in pixels."""

FACES, EYES = "haarcascade_frontalface_default.xml", "haarcascade_eye.xml"
SCALE_STEP, MIN_NEIGHBORS = 1.1, 10  # of both cascades


class PackageMtcnn(MtcnnDetector):
    """MTCNN as the mtcnn package runs it: large images searched in full, small boxes kept."""

    default_threshold = 0.8

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return _PackageFinder(engine)


class _PackageFinder(MtcnnFinder):
    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        return super().__call__(image, search._replace(min_face=SMALLEST_FACE))


DETECTORS: dict[str, Detector] = {"mtcnn": PackageMtcnn()}
"""Our detectors in place of deepface's, by deepface's names."""

BACKENDS = ("opencv", *DETECTORS, "skip")

LIVE_DETECTORS: Mapping[str, str] = {
    "opencv": "haar",
    "mtcnn": "mtcnn",
    "ssd": "ssd",
    "yunet": "yunet",
}
"""Names of our detectors for streams, by deepface's names."""


@dataclass(frozen=True, slots=True)
class Area:
    """Where a face lies in an image, in pixels.

    Attributes:
        x: Its left side.
        y: Its upper side.
        w: Its width.
        h: Its height.
        confidence: The detector's confidence, on its own scale.
        left_eye: The subject's own left eye; None if it is not known.
        right_eye: The subject's own right eye; None if it is not known.
    """

    x: int
    y: int
    w: int
    h: int
    confidence: float = 0.0
    left_eye: Point | None = None
    right_eye: Point | None = None

    def cut(self, image: BGRImage) -> BGRImage:
        """Return this part of an image."""
        return image[self.y : self.y + self.h, self.x : self.x + self.w]

    def expand(self, shape: tuple[int, ...], percentage: int) -> Area:
        """Return the area with longer sides, within an image of that shape."""
        height, width = shape[:2]
        w, h = (side + int(side * percentage / 100) for side in (self.w, self.h))
        x, y = max(0, self.x - int((w - self.w) / 2)), max(0, self.y - int((h - self.h) / 2))
        return replace(self, x=x, y=y, w=min(width - x, w), h=min(height - y, h))

    def to_region(self, shape: tuple[int, ...], border: Point = (0, 0)) -> dict[str, Any]:
        """Return deepface's ``facial_area``.

        Args:
            shape: Shape of the image without its border.
            border: Width of the border on the left, and its height above.
        """
        height, width = shape[:2]
        x, y = max(0, self.x - border[0]), max(0, self.y - border[1])
        return {
            "x": x,
            "y": y,
            "w": min(width - x - 1, self.w),
            "h": min(height - y - 1, self.h),
            "left_eye": _inside(self.left_eye, shape, border),
            "right_eye": _inside(self.right_eye, shape, border),
        }


def _inside(eye: Point | None, shape: tuple[int, ...], border: Point) -> Point | None:
    """Return where an eye is in the image, None if it is in the border."""
    if eye is None:
        return None
    x, y = eye[0] - border[0], eye[1] - border[1]
    return (x, y) if 0 <= x < shape[1] and 0 <= y < shape[0] else None


def find_areas(image: BGRImage, backend: str) -> list[Area]:
    """Return the areas of an image that show faces, in the detector's order.

    Args:
        image: (H, W, 3) BGR uint8.
        backend: ``"opencv"``, or a name in `DETECTORS`.
    """
    if backend == "opencv":
        return list(_find_by_cascade(image))
    detections = load_detector(backend, os.getpid()).detect(image)
    areas = [_to_area(detection, image.shape) for detection in detections]
    return [area for area in areas if area.w > 0 and area.h > 0]


@cache
def load_detector(backend: str, process_id: int) -> LoadedDetector:
    """Return a detector of `DETECTORS`, loaded once in each process.

    It always runs in float32: a box that is one pixel larger gives another crop.
    """
    return LoadedDetector(DETECTORS[backend], create_engine(precision="f32"))


def _find_by_cascade(image: BGRImage) -> Iterator[Area]:
    """Yield the faces in OpenCV's order, which depends on its number of threads."""
    boxes, _, scores = _cascade(FACES).detectMultiScale3(
        image, SCALE_STEP, MIN_NEIGHBORS, outputRejectLevels=True
    )
    for box, score in zip(boxes, scores, strict=True):
        x, y, w, h = map(int, box)
        yield find_eyes(Area(x, y, w, h, (100 - float(score)) / 100), image)


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + name)  # threads cannot share one


def find_eyes(area: Area, image: BGRImage) -> Area:
    """Return the area with the eyes that a cascade finds in it; unchanged if they are known."""
    if area.left_eye is not None:
        return area
    gray = cv2.cvtColor(area.cut(image), cv2.COLOR_BGR2GRAY)
    eyes = _cascade(EYES).detectMultiScale(gray, SCALE_STEP, MIN_NEIGHBORS)
    if len(eyes) < 2:
        return area
    first, second = nlargest(2, eyes, key=lambda eye: eye[2] * eye[3])
    right, left = (first, second) if first[0] < second[0] else (second, first)
    return replace(area, left_eye=_center(left, area), right_eye=_center(right, area))


def _center(eye: Sequence[int], area: Area) -> Point:
    x, y, w, h = map(int, eye)
    return area.x + int(x + w / 2), area.y + int(y + h / 2)


def _to_area(detection: Detection, shape: tuple[int, ...]) -> Area:
    """Round as the mtcnn package does: corner and size of the box, up to the last pixel."""
    height, width = shape[:2]
    box = np.clip(detection.bbox, 0, np.tile((width - 1, height - 1), 2))
    x, y, w, h = np.rint([*box[:2], *(box[2:] - box[:2])]).astype(int).tolist()
    if detection.landmarks is None:
        return Area(x, y, w, h, detection.confidence)
    eyes = np.rint(detection.landmarks[:2]).astype(int).tolist()
    right, left = ((x, y) for x, y in eyes)  # the viewer's left is the subject's right
    return Area(x, y, w, h, detection.confidence, left, right)
