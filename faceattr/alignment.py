"""Detections to crops: the one place that warps pictures or converts their color."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.types import BBox, BGRImage, Crops, Detection, Landmarks

Matrix: TypeAlias = NDArray[np.float64]
"""(2, 3) affine map from px of the picture to px of the crop."""

Color: TypeAlias = Literal["gray", "bgr", "rgb"]
Mode: TypeAlias = Literal["landmarks", "box", "letterbox", "stretch"]

MEAN_FACE = np.array(
    [[0.28, 0.38], [0.72, 0.38], [0.50, 0.58], [0.31, 0.76], [0.69, 0.76]], np.float32
)
"""(5, 2) where landmarks lie in an upright face's box, as shares of its sides."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """The form of face crop that a model was trained on.

    Attributes:
        size: Height and width of the crop in px.
        color: Order of its channels; gray has one.
        mode: ``"landmarks"`` turns, scales and shifts the face until its landmarks lie on
            `template`; ``"box"`` takes an upright square around the box; ``"letterbox"`` and
            ``"stretch"`` turn the box about its center until the eyes are level, then scale it
            to fit into the crop, the rest black, or to fill the crop.
        template: Where the five landmarks lie in the crop, as shares of its width and
            height; only for ``"landmarks"``.
        margin: Room on each side of the box, as a share of its longer side; not for
            ``"landmarks"``.
    """

    size: tuple[int, int]
    color: Color = "bgr"
    mode: Mode = "landmarks"
    template: tuple[tuple[float, float], ...] = tuple(map(tuple, MEAN_FACE.tolist()))
    margin: float = 0.0

    @property
    def channels(self) -> int:
        """Number of channels of a crop."""
        return 1 if self.color == "gray" else 3


@dataclass(frozen=True, slots=True)
class Placement:
    """How a face lies in its crop.

    Attributes:
        landmarks: (5, 2) px of the crop as in `Landmarks`, or None if they are not known.
        scale: Px of the crop in the place of one px of the picture; where a crop is stretched,
            along the side that is stretched more.
    """

    landmarks: Landmarks | None = field(default=None, compare=False)
    scale: float = 1.0


def crop_faces(image: BGRImage, detections: Sequence[Detection], spec: CropSpec) -> Crops:
    """Cut each face out of the image in the form a model expects.

    What lies outside the image repeats its border.

    Returns:
        (N, H, W, C) uint8, in the order of ``detections``.
    """
    crops = np.zeros((len(detections), *spec.size, spec.channels), np.uint8)
    for crop, detection in zip(crops, detections, strict=True):
        window = _window(crop, detection, spec)
        warped = _warp(image, _place(detection, spec, window.shape[:2]), window.shape[:2])
        window[:] = _convert(warped, spec.color)
    return crops


def fit_crops(images: Sequence[BGRImage], spec: CropSpec) -> Crops:
    """Stretch pictures that are face crops already to the form a model expects.

    Returns:
        (N, H, W, C) uint8, in the order of ``images``.
    """
    crops = np.empty((len(images), *spec.size, spec.channels), np.uint8)
    spec = replace(spec, mode="stretch", margin=0.0)
    for crop, image in zip(crops, images, strict=True):
        height, width = image.shape[:2]
        crop[:] = crop_faces(image, [Detection((0, 0, width, height), confidence=1.0)], spec)
    return crops


def place_faces(detections: Sequence[Detection], spec: CropSpec) -> list[Placement]:
    """Return how each face lies in the crop that `crop_faces` makes of it."""
    return [_placement(detection, spec) for detection in detections]


def fit_placements(images: Sequence[BGRImage], spec: CropSpec) -> list[Placement]:
    """Return how the faces lie in the crops that `fit_crops` makes; landmarks are not known."""
    height, width = spec.size
    return [
        Placement(scale=max(height / image.shape[0], width / image.shape[1])) for image in images
    ]


def _placement(detection: Detection, spec: CropSpec) -> Placement:
    crop = np.empty((*spec.size, 0), np.uint8)
    window = _window(crop, detection, spec)
    matrix = _place(detection, spec, window.shape[:2])
    landmarks = detection.landmarks
    if landmarks is not None:
        offset = np.array(spec.size[::-1]) - window.shape[1::-1]  # of a letterbox
        landmarks = (landmarks @ matrix[:, :2].T + matrix[:, 2] + offset // 2).astype(np.float32)
    return Placement(landmarks, _scale(matrix))


def _window(crop: NDArray[np.uint8], detection: Detection, spec: CropSpec) -> NDArray[np.uint8]:
    """Return the part of the crop that shows the face."""
    if spec.mode != "letterbox":
        return crop
    width, height = _sides(detection.bbox, spec)
    scale = min(spec.size[0] / height, spec.size[1] / width)
    rows, columns = max(int(height * scale), 1), max(int(width * scale), 1)
    top, left = (spec.size[0] - rows) // 2, (spec.size[1] - columns) // 2
    return crop[top : top + rows, left : left + columns]


def _place(detection: Detection, spec: CropSpec, size: tuple[int, int]) -> Matrix:
    """Return the map that puts the face where the model expects it."""
    target = np.array(size[::-1])
    if spec.mode == "landmarks":
        landmarks = detection.landmarks
        if landmarks is None:
            landmarks = guess_landmarks(detection.bbox)
        return similarity(landmarks, np.array(spec.template) * target)
    sides = _sides(detection.bbox, spec)
    if spec.mode == "box":
        return _centering(detection.bbox, np.eye(2) * target.min() / sides.max(), target)
    turn = _leveling(detection.landmarks)
    return _centering(detection.bbox, np.diag(target / sides) @ turn, target)


def _sides(bbox: BBox, spec: CropSpec) -> NDArray[np.float64]:
    """Return width and height of the box and its margin."""
    x1, y1, x2, y2 = bbox
    sides = np.maximum((x2 - x1, y2 - y1), 1.0)
    return sides + 2 * spec.margin * sides.max()


def _leveling(landmarks: Landmarks | None) -> NDArray[np.float64]:
    """Return the turn that brings the eyes to one height; none if they are not known."""
    x, y = (0.0, 0.0) if landmarks is None else (landmarks[1] - landmarks[0]).tolist()
    length = math.hypot(x, y)
    return np.array([[x, y], [-y, x]]) / length if length > 0 else np.eye(2)


def _centering(bbox: BBox, linear: NDArray[np.float64], target: NDArray[np.intp]) -> Matrix:
    """Return the map that puts the center of the box into the middle of the target."""
    x1, y1, x2, y2 = bbox
    return np.column_stack([linear, target / 2 - linear @ ((x1 + x2) / 2, (y1 + y2) / 2)])


def guess_landmarks(bbox: BBox) -> Landmarks:
    """Return where the landmarks of an upright face that fills the box would lie."""
    x1, y1, x2, y2 = bbox
    return (MEAN_FACE * (x2 - x1, y2 - y1) + (x1, y1)).astype(np.float32)


def similarity(points: NDArray[np.floating], targets: NDArray[np.floating]) -> Matrix:
    """Return the turn, scale and shift that bring points nearest to targets.

    The mean of the squared distances is least; there is no mirroring. Points that all
    coincide keep their scale.

    Args:
        points: (N, 2) px.
        targets: (N, 2) px.

    Reference: Umeyama, Least-squares estimation of transformation parameters between
    two point patterns, PAMI 1991; in two dimensions a complex number does it.
    """
    z = points.astype(np.float64) @ (1, 1j)
    w = targets.astype(np.float64) @ (1, 1j)
    from_center, to_center = z - z.mean(), w - w.mean()
    spread = np.vdot(from_center, from_center).real
    factor = np.vdot(from_center, to_center) / spread if spread > 0 else 1.0
    shift = w.mean() - factor * z.mean()
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )


def _warp(image: BGRImage, matrix: Matrix, size: tuple[int, int]) -> BGRImage:
    """Apply the map, averaging where it shrinks so that fine detail does not alias."""
    height, width = size
    (x1, y1), (x2, y2) = _visible_part(image, matrix, size)
    part = image[y1:y2, x1:x2]
    matrix = _after_shift(matrix, x1, y1)
    shrink = int(1 / _scale(matrix))
    if shrink >= 2:
        part, matrix = _shrink(part, matrix, shrink)
    matrix = _after_shift(matrix, 0.5, 0.5) - [[0, 0, 0.5], [0, 0, 0.5]]  # px edges to centers
    return cv2.warpAffine(
        part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _scale(matrix: Matrix) -> float:
    """Return how long the map makes a px, in the direction in which it is longer."""
    return float(np.hypot(*matrix[:, :2]).max())


def _visible_part(
    image: BGRImage, matrix: Matrix, size: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the corners of the part of the image that a crop shows, at least one px."""
    height, width = size
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ inverse.T
    room = 2 * _scale(inverse) + 1  # what interpolation may reach for
    limits = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0) - room), 0, limits - 1).astype(np.intp)
    high = np.clip(np.ceil(corners.max(axis=0) + room), low + 1, limits).astype(np.intp)
    return low, high


def _shrink(image: BGRImage, matrix: Matrix, factor: int) -> tuple[BGRImage, Matrix]:
    """Average blocks of px, and let the map begin at the smaller picture."""
    height, width = image.shape[:2]
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    smaller = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return smaller, matrix * (width / columns, height / rows, 1)


def _after_shift(matrix: Matrix, x: float, y: float) -> Matrix:
    """Return the map of points that are first shifted by x and y."""
    return np.column_stack([matrix[:, :2], matrix @ (x, y, 1)])


def _convert(image: BGRImage, color: Color) -> NDArray[np.uint8]:
    if color == "gray":
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[..., None]
    return image if color == "bgr" else image[..., ::-1]
