"""Levels and crops of an image, with the samples that MTCNN's networks were trained on."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.networks.graph import Array
from faceattr.types import BGRImage

MAX_SUMMED = 2**31 // 255  # pixels whose sums fit into int32
SMALL = 1 / 12  # share of the pixels below which sums make a level faster than OpenCV does
MAX_REMAPPED = 32_766  # pixels or rows along a side that cv2.remap takes
MID_GRAY = 127.5


class ImagePyramid:
    """An image, prepared for levels of many scales and crops in many places.

    Args:
        image: (H, W, 3) BGR uint8.
        halvings: How often its sides are halved before large levels are made of it.
        max_pixels: Its sides are halved until it has no more pixels before small levels are made
            of it.
    """

    def __init__(self, image: BGRImage, halvings: int = 0, max_pixels: int = MAX_SUMMED) -> None:
        self._image = image
        self._size = np.array(image.shape[1::-1])
        self._pixels = halve(image, halvings).astype(np.float32)  # rounded levels move boxes
        summed = halve(image, halvings_to(max_pixels, image))
        depth = cv2.CV_32S if summed.size // 3 <= MAX_SUMMED else cv2.CV_64F
        self._sums = cv2.integral(summed, sdepth=depth)

    def level(self, scale: float) -> NDArray[np.float32]:
        """Return the image at that scale; each pixel is the mean of those that it covers.

        OpenCV reads all pixels even for the smallest level; sums are read only where that level
        needs them. They are sums of the image before `halvings`, as the boxes of large faces move
        with the pixels of small levels.
        """
        width, height = (self._size * scale).astype(int).tolist()
        if height * width > SMALL * (self._pixels.size // 3):
            return cv2.resize(self._pixels, (width, height), interpolation=cv2.INTER_AREA)
        rows, columns = (side - 1 for side in self._sums.shape[:2])
        x, y = np.linspace(0, columns, width + 1), np.linspace(0, rows, height + 1)
        sums = interpolate(self._sums, x[None], y[None])[0]
        totals = np.diff(np.diff(sums, axis=0), axis=1)
        return (totals * (height * width / (rows * columns))).astype(np.float32)

    def crop_and_resize(self, boxes: Array, size: int) -> NDArray[np.float32]:
        """Return (N, size, size, 3) samples of the boxes, mid-gray outside the image.

        The samples lie where TensorFlow's ``crop_and_resize`` takes them, from corner to corner
        and without averaging, as the networks expect. OpenCV would round their positions to
        1/32 pixel, which moves the landmarks of large faces by many pixels.
        """
        points, last = self._points(boxes, size), self._size - 1
        x, y = np.clip(points.min(axis=(0, 1)), 0, last).astype(int)
        x_end, y_end = np.clip(points.max(axis=(0, 1)), 0, last).astype(int) + 2
        # one more row and column as neighbors of the last; a fourth channel, as NumPy takes 4 bytes
        # at once
        part = self._image[y:y_end, x:x_end]
        part = cv2.copyMakeBorder(part, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        part = cv2.cvtColor(part, cv2.COLOR_BGR2BGRA)
        four = interpolate(part, points[..., 0] - x, points[..., 1] - y)
        samples = cv2.cvtColor(four.reshape(-1, size, 4), cv2.COLOR_BGRA2BGR)
        samples = samples.reshape(*four.shape[:3], 3)
        inside = (points >= 0) & (points <= last)
        samples[~(inside[:, None, :, 0] & inside[:, :, None, 1])] = MID_GRAY
        return samples

    def crop_and_resize_approximately(self, boxes: Array, size: int) -> Array:
        """Like `crop_and_resize`, ten times faster; positions are accurate to 1/64 pixel.

        Returns:
            (N, size, size, 3) uint8 by cv2.remap, or float32 where the image is too large for it.
        """
        if max(len(boxes), *self._size) > MAX_REMAPPED:
            return self.crop_and_resize(boxes, size)
        points = self._points(boxes, size).astype(np.float32)
        shape = len(boxes), size, size
        x = np.broadcast_to(points[:, None, :, 0], shape).reshape(len(boxes), -1)
        y = np.broadcast_to(points[:, :, None, 1], shape).reshape(len(boxes), -1)
        gray = (MID_GRAY,) * 3
        samples = cv2.remap(self._image, x, y, cv2.INTER_LINEAR, borderValue=gray)
        return samples.reshape(*shape, 3)

    def _points(self, boxes: Array, size: int) -> NDArray[np.float64]:
        """Return (N, size, 2) x and y of the samples."""
        low, high = np.split(boxes[:, None] * np.tile(1 - 1 / self._size, 2), 2, axis=2)
        return low + (high - low) * np.linspace(0, 1, size)[:, None]


def halvings_to(max_pixels: int, image: BGRImage) -> int:
    """Return how often to halve the sides until the image has no more than so many pixels."""
    return max(math.ceil(math.log(image.size / 3 / max_pixels, 4)), 0)


def halve(image: BGRImage, times: int) -> BGRImage:
    """Halve the number of rows and columns so many times; an odd last one is dropped."""
    for _ in range(times):
        width, height = (side // 2 for side in image.shape[1::-1])
        even = image[: 2 * height, : 2 * width]  # OpenCV halves even sides ten times as fast
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return image


def interpolate(values: Array, x: Array, y: Array) -> Array:
    """Return bilinear samples of a grid, (N, rows, columns, C).

    Args:
        values: (H, W, C) at whole x and y.
        x: (N, columns) of the samples.
        y: (N, rows) of the samples.
    """
    height, width, channels = values.shape
    left = np.clip(x, 0, width - 2).astype(np.intp)
    top = np.clip(y, 0, height - 2).astype(np.intp)
    exact = np.result_type(values, np.float32)  # float32 for bytes, float64 for sums
    to_right = np.repeat((x - left)[:, None].astype(exact), channels, axis=2)
    to_bottom = (y - top)[:, :, None].astype(exact)

    start = top[:, :, None] * width + left[:, None]
    flat = values.reshape(-1, channels)

    def take(step: int) -> Array:
        return flat.take(start + step, axis=0).astype(exact).reshape(*start.shape[:2], -1)

    def mix(first: Array, second: Array, share: Array) -> Array:
        return first + (second - first) * share

    above = mix(take(0), take(1), to_right)
    below = mix(take(width), take(width + 1), to_right)
    return mix(above, below, to_bottom).reshape(*start.shape, channels)
