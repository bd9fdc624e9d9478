"""A picture made ready to be looked at in many sizes and places."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.networks.graph import Array
from faceattr.types import BGRImage

MOST_PIXELS_SUMMED = 2**31 // 255  # whose sums fit into int32
SMALL = 1 / 12  # share of the px below which sums give a level sooner than OpenCV
MOST_REMAPPED = 32_766  # px or rows on a side, of OpenCV's remap
MID_GRAY = 127.5


class Picture:
    """A picture made ready to be looked at in many sizes and places.

    Args:
        image: What to look at.
        halvings: How often its sides are halved before large levels are made of it.
        most_pixels: From how many px on it is halved before small levels are made of it.
    """

    def __init__(
        self, image: BGRImage, halvings: int = 0, most_pixels: int = MOST_PIXELS_SUMMED
    ) -> None:
        self._image = image
        self._size = np.array(image.shape[1::-1])
        self._pixels = halved(image, halvings).astype(np.float32)  # rounded levels move boxes
        whole = halved(image, halvings_to(most_pixels, image))
        few = whole.size // 3 <= MOST_PIXELS_SUMMED
        self._sums = cv2.integral(whole, sdepth=cv2.CV_32S if few else cv2.CV_64F)

    def level(self, scale: float) -> NDArray[np.float32]:
        """Return the picture in another size, each px the mean of those that it covers.

        OpenCV reads all px for the smallest level; from sums, only what that level needs is
        read. They are of the whole picture, as large faces move with the px of small levels.
        """
        width, height = (self._size * scale).astype(int).tolist()
        if height * width > SMALL * (self._pixels.size // 3):
            return cv2.resize(self._pixels, (width, height), interpolation=cv2.INTER_AREA)
        rows, columns = (side - 1 for side in self._sums.shape[:2])
        x, y = np.linspace(0, columns, width + 1), np.linspace(0, rows, height + 1)
        sums = between(self._sums, x[None], y[None])[0]
        totals = np.diff(np.diff(sums, axis=0), axis=1)
        return (totals * (height * width / (rows * columns))).astype(np.float32)

    def cut(self, boxes: Array, size: int) -> NDArray[np.float32]:
        """Return (N, size, size, 3) samples of the boxes, mid-gray outside the picture.

        Samples are taken as TensorFlow's ``crop_and_resize`` takes them, from corner to
        corner without averaging, since the networks expect that. OpenCV would round where
        they lie to 1/32 px, which moves the landmarks of large faces by many px.
        """
        points, last = self._points(boxes, size), self._size - 1
        x, y = np.clip(points.min(axis=(0, 1)), 0, last).astype(int)
        x_end, y_end = np.clip(points.max(axis=(0, 1)), 0, last).astype(int) + 2
        # a neighbor for the last of each row; and a fourth byte, as NumPy takes four at once
        part = self._image[y:y_end, x:x_end]
        part = cv2.copyMakeBorder(part, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        part = cv2.cvtColor(part, cv2.COLOR_BGR2BGRA)
        four = between(part, points[..., 0] - x, points[..., 1] - y)
        samples = cv2.cvtColor(four.reshape(-1, size, 4), cv2.COLOR_BGRA2BGR)
        samples = samples.reshape(*four.shape[:3], 3)
        inside = (points >= 0) & (points <= last)
        samples[~(inside[:, None, :, 0] & inside[:, :, None, 1])] = MID_GRAY
        return samples

    def glance(self, boxes: Array, size: int) -> Array:
        """Return the same in a tenth of the time, by OpenCV: places are off by up to 1/64 px."""
        if max(len(boxes), *self._size) > MOST_REMAPPED:
            return self.cut(boxes, size)
        points = self._points(boxes, size).astype(np.float32)
        shape = len(boxes), size, size
        x = np.broadcast_to(points[:, None, :, 0], shape).reshape(len(boxes), -1)
        y = np.broadcast_to(points[:, :, None, 1], shape).reshape(len(boxes), -1)
        gray = (MID_GRAY,) * 3
        samples = cv2.remap(self._image, x, y, cv2.INTER_LINEAR, borderValue=gray)
        return samples.reshape(*shape, 3)

    def _points(self, boxes: Array, size: int) -> NDArray[np.float64]:
        """Return (N, size, 2) x and y of samples."""
        low, high = np.split(boxes[:, None] * np.tile(1 - 1 / self._size, 2), 2, axis=2)
        return low + (high - low) * np.linspace(0, 1, size)[:, None]


def halvings_to(most_pixels: int, image: BGRImage) -> int:
    """Return how often the sides are to be halved until the image has no more px."""
    return max(math.ceil(math.log(image.size / 3 / most_pixels, 4)), 0)


def halved(image: BGRImage, times: int) -> BGRImage:
    """Return the image with half the rows and columns, and again; of an odd number, one is lost."""
    for _ in range(times):
        width, height = (side // 2 for side in image.shape[1::-1])
        even = image[: 2 * height, : 2 * width]  # is halved ten times as fast
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return image


def between(values: Array, x: Array, y: Array) -> Array:
    """Return what a grid of values is at (N, rows, columns) places between its points.

    Args:
        values: (H, W, C) at whole x and y.
        x: (N, columns) of the places.
        y: (N, rows) of the places.
    """
    height, width, channels = values.shape
    left = np.clip(x, 0, width - 2).astype(np.intp)
    top = np.clip(y, 0, height - 2).astype(np.intp)
    exact = np.result_type(values, np.float32)  # float32 for bytes, float64 for sums
    right = np.repeat((x - left)[:, None].astype(exact), channels, axis=2)
    below = (y - top)[:, :, None].astype(exact)

    start = top[:, :, None] * width + left[:, None]
    flat = values.reshape(-1, channels)

    def pick(step: int) -> Array:
        return flat.take(start + step, axis=0).astype(exact).reshape(*start.shape[:2], -1)

    above = _mixed(pick(0), pick(1), right)
    under = _mixed(pick(width), pick(width + 1), right)
    return _mixed(above, under, below).reshape(*start.shape, channels)


def _mixed(first: Array, second: Array, share: Array) -> Array:
    return first + (second - first) * share
