"""Detections to crops: the one place that makes the crops that analyzers read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.images import ChannelOrder, ImageSource, load_image
from faceattr.types import (
    BBox,
    BGRImage,
    CropBatch,
    CropGeometry,
    Crops,
    Detection,
    Landmarks,
    Located,
)

Matrix: TypeAlias = NDArray[np.float64]
"""(2, 3) affine map from pixels of the image to pixels of the crop."""

Color: TypeAlias = Literal["gray", "bgr", "rgb"]
Mode: TypeAlias = Literal["landmarks", "box", "letterbox", "stretch"]

MEAN_FACE = np.array(
    [[0.28, 0.38], [0.72, 0.38], [0.50, 0.58], [0.31, 0.76], [0.69, 0.76]], np.float32
)
"""(5, 2) where the landmarks of an upright face lie in its box, as shares of its sides."""


@explained
@dataclass(frozen=True, slots=True)
class CropSpec:
    """The form of face crop that a model was trained on.

    Attributes:
        size: Height and width of the crop in pixels.
        color: Order of its channels; gray has one.
        mode: ``"landmarks"`` rotates, scales and shifts the face until its landmarks lie on
            `template`; ``"box"`` takes an upright square around the box; ``"letterbox"`` and
            ``"stretch"`` rotate the box about its center until the eyes are level, then scale it
            to fit into the crop, the rest black, or to fill the crop.
        template: Where the five landmarks lie in the crop, as shares of its width and
            height; only for ``"landmarks"``.
        margin: Space added on each side of the box, as a share of its longer side; not for
            ``"landmarks"``.

    Raises:
        OptionError: A value is out of range or of a wrong type.
    """

    size: tuple[int, int]
    color: Color = "bgr"
    mode: Mode = "landmarks"
    template: tuple[tuple[float, float], ...] = tuple(map(tuple, MEAN_FACE.tolist()))
    margin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        if len(self.size) != 2 or not all(isinstance(side, int) and side > 0 for side in self.size):
            raise OptionError(f"size of a crop is {self.size!r}; it must be height and width")
        if self.color not in get_args(Color):
            raise OptionError(f"color is {self.color!r}; it can be {', '.join(get_args(Color))}")
        if self.mode not in get_args(Mode):
            raise OptionError(f"mode is {self.mode!r}; it can be {', '.join(get_args(Mode))}")
        object.__setattr__(self, "template", tuple(map(tuple, self.template)))
        if np.shape(self.template) != (5, 2):
            raise OptionError(f"template is {self.template!r}; it must be five points (x, y)")
        if not 0 <= self.margin < math.inf:
            raise OptionError(f"margin is {self.margin!r}; it must be at least 0")

    @property
    def channels(self) -> int:
        """Number of channels of a crop."""
        return 1 if self.color == "gray" else 3


@explained
def crop_faces(
    image: ImageSource, faces: Sequence[Located], spec: CropSpec, *, color: ChannelOrder = "bgr"
) -> Crops:
    """Cut each face out of the image in the form that a model expects.

    What lies outside the image repeats its border.

    Args:
        image: As in `load_image`.
        faces: Detections or faces in that image.
        spec: Form of the crops; its own ``color`` is that of the crops.
        color: Order of the channels of the image, as in `load_image`.

    Returns:
        (N, H, W, C) uint8, in the order of ``faces``.
    """
    return crop_batch([load_image(image, color=color)], [faces], spec).crops


def crop_batch(
    images: Sequence[BGRImage], faces: Sequence[Sequence[Located]], spec: CropSpec
) -> CropBatch:
    """Cut the faces of several images, as `crop_faces` does; also return how they lie there.

    Args:
        images: (H, W, 3) BGR uint8 each.
        faces: The faces of each image.
        spec: Form of the crops.
    """
    pairs = [(image, face) for image, there in zip(images, faces, strict=True) for face in there]
    crops = np.zeros((len(pairs), *spec.size, spec.channels), np.uint8)
    geometry = [
        _cut(crop, image, face, spec) for crop, (image, face) in zip(crops, pairs, strict=True)
    ]
    return CropBatch(crops, geometry)


def resize_crops(images: Sequence[BGRImage], spec: CropSpec) -> CropBatch:
    """Stretch images that are face crops already to the form that a model expects."""
    spec = replace(spec, mode="stretch", margin=0.0)
    whole = [[Detection((0, 0, image.shape[1], image.shape[0]), 1.0)] for image in images]
    return crop_batch(images, whole, spec)


def _cut(crop: NDArray[np.uint8], image: BGRImage, face: Located, spec: CropSpec) -> CropGeometry:
    """Fill the crop with the face, and return how it lies there."""
    top, left, rows, columns = _window(face, spec)
    matrix = _crop_transform(face, spec, (rows, columns))
    window = crop[top : top + rows, left : left + columns]
    window[:] = _convert(_warp(image, matrix, (rows, columns)), spec.color)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = (landmarks @ matrix[:, :2].T + matrix[:, 2] + (left, top)).astype(np.float32)
    return CropGeometry(landmarks, _scale(matrix))


def _window(face: Located, spec: CropSpec) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the part of the crop that shows the face."""
    if spec.mode != "letterbox":
        return 0, 0, *spec.size
    width, height = _sides(face.bbox, spec)
    scale = min(spec.size[0] / height, spec.size[1] / width)
    rows, columns = max(int(height * scale), 1), max(int(width * scale), 1)
    return (spec.size[0] - rows) // 2, (spec.size[1] - columns) // 2, rows, columns


def _crop_transform(face: Located, spec: CropSpec, size: tuple[int, int]) -> Matrix:
    """Return the map that puts the face where the model expects it in a window of that size."""
    target = np.array(size[::-1])
    if spec.mode == "landmarks":
        landmarks = face.landmarks
        if landmarks is None:
            landmarks = guess_landmarks(face.bbox)
        return estimate_similarity(landmarks, np.array(spec.template) * target)
    sides = _sides(face.bbox, spec)
    if spec.mode == "box":
        linear = np.eye(2) * target.min() / sides.max()
    else:
        linear = np.diag(target / sides) @ _eye_rotation(face.landmarks)
    x1, y1, x2, y2 = face.bbox
    return np.column_stack([linear, target / 2 - linear @ ((x1 + x2) / 2, (y1 + y2) / 2)])


def _sides(bbox: BBox, spec: CropSpec) -> NDArray[np.float64]:
    """Return width and height of the box with its margin."""
    x1, y1, x2, y2 = bbox
    sides = np.maximum((x2 - x1, y2 - y1), 1.0)
    return sides + 2 * spec.margin * sides.max()


def _eye_rotation(landmarks: Landmarks | None) -> NDArray[np.float64]:
    """Return the rotation that levels the eyes; none if they are not known."""
    x, y = (0.0, 0.0) if landmarks is None else (landmarks[1] - landmarks[0]).tolist()
    length = math.hypot(x, y)
    return np.array([[x, y], [-y, x]]) / length if length > 0 else np.eye(2)


def guess_landmarks(bbox: BBox) -> Landmarks:
    """Return where the landmarks of an upright face that fills the box lie, (5, 2) in pixels."""
    x1, y1, x2, y2 = bbox
    return (MEAN_FACE * (x2 - x1, y2 - y1) + (x1, y1)).astype(np.float32)


def estimate_similarity(points: NDArray[np.floating], targets: NDArray[np.floating]) -> Matrix:
    """Return the rotation, scale and shift that bring points nearest to targets.

    They minimize the mean squared distance, without mirroring. Points that all coincide keep
    their scale.

    Args:
        points: (N, 2) pixels.
        targets: (N, 2) pixels.

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
    """Apply the map; where it shrinks the image, average first against aliasing."""
    height, width = size
    (x1, y1), (x2, y2) = _visible_part(image, matrix, size)
    part = image[y1:y2, x1:x2]
    matrix = _after_shift(matrix, x1, y1)
    shrink = int(1 / _scale(matrix))
    if shrink >= 2:
        part, matrix = _shrink(part, matrix, shrink)
    matrix = _after_shift(matrix, 0.5, 0.5) - [[0, 0, 0.5], [0, 0, 0.5]]  # pixel edges to centers
    return cv2.warpAffine(
        part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _scale(matrix: Matrix) -> float:
    """Return the length of an image pixel in the crop, along the axis that is scaled more."""
    return float(np.hypot(*matrix[:, :2]).max())


def _visible_part(
    image: BGRImage, matrix: Matrix, size: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the corners of the part of the image that a crop shows, at least one pixel."""
    height, width = size
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]) @ inverse.T
    room = 2 * _scale(inverse) + 1  # for interpolation
    limits = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0) - room), 0, limits - 1).astype(np.intp)
    high = np.clip(np.ceil(corners.max(axis=0) + room), low + 1, limits).astype(np.intp)
    return low, high


def _shrink(image: BGRImage, matrix: Matrix, factor: int) -> tuple[BGRImage, Matrix]:
    """Average blocks of pixels; return the smaller image and the map that starts from it."""
    height, width = image.shape[:2]
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    smaller = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return smaller, matrix * (width / columns, height / rows, 1)


def _after_shift(matrix: Matrix, x: float, y: float) -> Matrix:
    """Return the map that shifts points by x and y before it maps them."""
    return np.column_stack([matrix[:, :2], matrix @ (x, y, 1)])


def _convert(image: BGRImage, color: Color) -> NDArray[np.uint8]:
    if color == "gray":
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[..., None]
    return image if color == "bgr" else image[..., ::-1]
