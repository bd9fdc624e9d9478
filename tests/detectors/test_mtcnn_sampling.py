"""Levels and crops of a picture, as MTCNN's networks expect them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceattr.detectors.mtcnn import sampling
from faceattr.detectors.mtcnn.sampling import ImagePyramid, halve, halvings_to, interpolate
from faceattr.networks.graph import Array
from faceattr.types import BGRImage

NOISE: BGRImage = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [0.05, 0.2, 0.28, 0.3, 0.6, 1.0])
def test_each_pixel_of_a_level_is_the_mean_of_those_it_covers(scale: float) -> None:
    level = ImagePyramid(NOISE).level(scale)
    size = int(90 * scale), int(60 * scale)
    means = cv2.resize(NOISE.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(level, means, atol=1e-3)
    assert level.dtype == np.float32


def test_sums_may_exceed_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    level = ImagePyramid(NOISE).level(0.2)
    monkeypatch.setattr(sampling, "MAX_SUMMED", NOISE.size // 3 - 1)
    np.testing.assert_allclose(ImagePyramid(NOISE, max_pixels=10_000).level(0.2), level, atol=1e-3)


@pytest.mark.parametrize("less", [{"halvings": 1}, {"max_pixels": 2000}])
def test_levels_of_half_the_pixels_are_almost_the_same(less: dict[str, int]) -> None:
    smooth = cv2.GaussianBlur(NOISE, (0, 0), 4)
    for scale in (0.05, 0.2, 0.4):
        level, quick = ImagePyramid(smooth).level(scale), ImagePyramid(smooth, **less).level(scale)
        np.testing.assert_allclose(quick, level, atol=3)


@pytest.mark.parametrize("shape, times", [((60, 90), 0), ((600, 900), 4), ((601, 901), 4)])
def test_a_picture_is_halved_until_it_has_few_pixels(shape: tuple[int, int], times: int) -> None:
    image = np.full((*shape, 3), 7, np.uint8)
    assert halvings_to(5400, image) == times
    few = halve(image, times)
    assert few.shape == (shape[0] >> times, shape[1] >> times, 3)
    assert (few == 7).all()


def tensorflow_crop(image: BGRImage, box: Array, size: int) -> Array:
    """TensorFlow's crop_and_resize, pixel by pixel, as the package calls it."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box / (width, height, width, height) * np.array([width - 1, height - 1] * 2)
    crop = np.full((size, size, 3), 127.5)
    for row in range(size):
        for column in range(size):
            x = x1 + (x2 - x1) * column / (size - 1)
            y = y1 + (y2 - y1) * row / (size - 1)
            if 0 <= x <= width - 1 and 0 <= y <= height - 1:
                left, right = int(np.floor(x)), int(np.ceil(x))
                top, bottom = int(np.floor(y)), int(np.ceil(y))
                around = image[[top, top, bottom, bottom], [left, right, left, right]]
                above = around[0] + (around[1] - around[0].astype(float)) * (x - left)
                under = around[2] + (around[3] - around[2].astype(float)) * (x - left)
                crop[row, column] = above + (under - above) * (y - top)
    return crop


def test_crops_are_those_of_crop_and_resize() -> None:
    boxes = np.array(
        [
            [10.3, 5.1, 40.9, 35.7],
            [0, 0, 90, 60],  # from the first pixel to the last
            [-20.5, -10, 20, 30.5],  # partly outside
            [70, 40, 300, 270],
            [200, 200, 230, 230],  # wholly
            [30, 30, 31, 31],  # within one pixel
        ]
    )
    crops = ImagePyramid(NOISE).crop_and_resize(boxes, 7)
    assert crops.dtype == np.float32
    for crop, box in zip(crops, boxes, strict=True):
        np.testing.assert_allclose(crop, tensorflow_crop(NOISE, box, 7), atol=1e-3)


def test_a_picture_of_one_pixel_has_crops() -> None:
    crops = ImagePyramid(np.full((1, 1, 3), 9, np.uint8)).crop_and_resize(
        np.array([[-1, 0, 1, 1]]), 3
    )
    assert (crops == 9).all()


def test_what_lies_between_whole_places_is_mixed() -> None:
    y, x = np.mgrid[:5, :6]
    plane = np.stack([2 * x + 3 * y, x - y], axis=-1)
    columns, rows = np.array([[0, 1.25, 5]]), np.array([[0.5, 4]])
    values = interpolate(plane, columns, rows)
    np.testing.assert_allclose(values[0, ..., 0], 2 * columns + 3 * rows.T)
    np.testing.assert_allclose(values[0, ..., 1], columns - rows.T)
