"""Images to face crops, and crops to the forms that people and networks get."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.deepface.areas import Area, Point
from faceattr.deepface.detection import SUBSTITUTES, check_backend, load_finder
from faceattr.deepface.finders import find_eyes
from faceattr.errors import NoFaceError, OptionError
from faceattr.images import ImageSource, describe_source, load_image
from faceattr.types import BGRImage

SIDE = 224  # pixels of the square that a face is fitted into


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face cut out of an image.

    Attributes:
        image: (H, W, 3) BGR uint8, of any size.
        source: The image that it was cut out of.
        area: Where it was there.
    """

    image: BGRImage
    source: BGRImage
    area: Area

    @property
    def region(self) -> dict[str, Any]:
        """Where it was, as deepface's ``facial_area``."""
        return self.area.to_region(self.source.shape)

    @property
    def confidence(self) -> float:
        """The detector's confidence, with two decimals."""
        return round(self.area.confidence, 2)


@dataclass(frozen=True, slots=True)
class Extraction:
    """How faces are found and cut out: options with the meanings that `extract_faces` gives them.

    Raises:
        OptionError: An option has a value that it cannot have here.
    """

    detector_backend: str
    enforce_detection: bool
    align: bool
    expand_percentage: int
    anti_spoofing: bool
    max_faces: int | None = None

    def __post_init__(self) -> None:
        check_backend(self.detector_backend)
        if self.anti_spoofing:
            raise OptionError("anti_spoofing is not offered by faceattr; leave it out")

    def cut_faces(self, source: ImageSource) -> list[FaceCrop]:
        """Return the faces of an image in the detector's order, or the whole image as one.

        Raises:
            NoFaceError: No face was found, and detection is enforced.
            ImageError: The image cannot be read.
        """
        image = load_image(source)
        if self.detector_backend != "skip":
            faces = self._find_and_cut(image)
            if faces:
                return faces
            if self.enforce_detection:
                raise NoFaceError(
                    f"{describe_source(source)}: no face found; try another detector_backend, or "
                    "enforce_detection=False to take the whole image for a face"
                )
        height, width = image.shape[:2]
        return [FaceCrop(image, image, Area(0, 0, width, height))]

    def _find_and_cut(self, image: BGRImage) -> list[FaceCrop]:
        height, width = image.shape[:2]
        border = (width // 2, height // 2) if self.align else (0, 0)
        padded = cut(image, -border[0], -border[1], width + border[0], height + border[1])
        areas = self._find(image, padded, border)
        if self.max_faces is not None and self.max_faces < len(areas):
            areas = nlargest(self.max_faces, areas, key=lambda area: area.w * area.h)
        if self.expand_percentage > 0:
            areas = [area.expand(padded.shape, self.expand_percentage) for area in areas]
        areas = [area.clip(padded.shape) for area in areas]
        areas = [area for area in areas if area.w > 0 and area.h > 0]
        if self.detector_backend != "opencv":  # which finds eyes before the area is expanded
            areas = [find_eyes(area, padded) for area in areas]
        return [
            FaceCrop(
                cut_level(padded, area) if self.align else area.cut(padded),
                image,
                area.shift(-border[0], -border[1]),
            )
            for area in areas
        ]

    def _find(self, image: BGRImage, padded: BGRImage, border: Point) -> list[Area]:
        """Return the areas of the padded image; our own detectors need no border for it."""
        find = load_finder(self.detector_backend, os.getpid())
        if self.detector_backend in SUBSTITUTES:
            return [area.shift(*border) for area in find(image)]
        return find(padded)


def cut(image: BGRImage, x1: int, y1: int, x2: int, y2: int) -> BGRImage:
    """Return a part of the image, black where it reaches outside."""
    height, width = image.shape[:2]
    inside = image[max(y1, 0) : y2, max(x1, 0) : x2]
    around = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
    return np.asarray(cv2.copyMakeBorder(inside, *around, cv2.BORDER_CONSTANT))


def cut_level(image: BGRImage, area: Area) -> BGRImage:
    """Rotate the image about the center of the face until the eyes are level, and cut it there."""
    x, y = area.w // 2, area.h // 2  # pixels on each side that may be rotated into the area
    around = cut(image, area.x - x, area.y - y, area.x + area.w + x, area.y + area.h + y)
    if area.points:
        height, width = around.shape[:2]
        dx, dy = np.subtract(area.points["left_eye"], area.points["right_eye"]).tolist()
        angle = math.degrees(math.atan2(dy, dx))
        rotation = cv2.getRotationMatrix2D((width // 2, height // 2), angle, 1.0)
        around = cv2.warpAffine(around, rotation, (width, height), flags=cv2.INTER_CUBIC)
    return around[y : y + area.h, x : x + area.w]


def to_color(crop: BGRImage, color: str, *, normalize: bool) -> NDArray[Any]:
    """Return a crop in ``"rgb"``, ``"bgr"`` or ``"gray"``.

    Args:
        crop: (H, W, 3) BGR uint8.
        color: Name of the color order.
        normalize: Return float64 in [0, 1] instead of uint8.

    Raises:
        OptionError: The color is another word.
    """
    conversions = {"rgb": cv2.COLOR_BGR2RGB, "gray": cv2.COLOR_BGR2GRAY}
    if color != "bgr" and color not in conversions:
        raise OptionError(f"color_face is {color!r}; it can be 'rgb', 'bgr' or 'gray'")
    face: NDArray[Any] = crop if color == "bgr" else cv2.cvtColor(crop, conversions[color])
    return scale_down(face) if normalize else face


def scale_down(face: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the pixels in [0, 1]; those of an almost black face stay as they are."""
    return face / 255 if face.max() > 1 else face.astype(np.float64)


def to_square(crop: BGRImage) -> NDArray[np.float32]:
    """Return (224, 224, 3) float32 in [0, 255], the crop in the middle and the rest black."""
    return (fit(scale_down(crop), SIDE) * 255).astype(np.float32)


def fit(face: NDArray[Any], side: int) -> NDArray[Any]:
    """Return a square with the face in its middle, as large as it can be, and the rest black.

    Args:
        face: (H, W, C) uint8 or float64.
        side: Pixels of a side of the square.
    """
    height, width = face.shape[:2]
    factor = min(side / height, side / width)
    size = max(int(width * factor), 1), max(int(height * factor), 1)
    columns, rows = side - size[0], side - size[1]
    left, top = columns // 2, rows // 2
    return np.pad(cv2.resize(face, size), ((top, rows - top), (left, columns - left), (0, 0)))
