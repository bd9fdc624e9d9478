"""Face crops as other cameras might have seen them: the variety that all layers are trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def vary_expression(
    image: NDArray[np.uint8], rng: np.random.Generator, *, mirror: bool = True
) -> NDArray[np.uint8]:
    """Return a crop of the emotion network, varied so that its expression stays.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        mirror: Whether mirror images mean the same.
    """
    image = moved(image, rng, turn=7, scale=0.08, shift=0.035, mirror=mirror)
    if rng.random() < 0.1:
        image = shrunken(image, int(rng.integers(16, 36)))
    image = relit(image, rng, contrast=0.15, brightness=12)
    if rng.random() < 0.4:
        image = covered(image, rng, sides=(0.15, 0.4))
    return photographed(image, rng)


def vary_looks(
    image: NDArray[np.uint8], rng: np.random.Generator, *, mirror: bool = True
) -> NDArray[np.uint8]:
    """Return a crop of the age and gender network, varied so that looks stay.

    Args:
        image: (H, W, 3) uint8.
        rng: What decides.
        mirror: Whether mirror images mean the same.
    """
    image = moved(image, rng, turn=8, scale=0.08, shift=0.03, mirror=mirror)
    if rng.random() < 0.2:
        image = shrunken(image, int(rng.integers(20, 64)))
    image = relit(image, rng, contrast=0.18, brightness=15)
    if rng.random() < 0.15:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    else:  # another white balance
        balance = np.exp(rng.normal(0, 0.06, size=3))
        image = np.clip(image * balance, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        image = covered(image, rng, sides=(0.15, 0.4))
    return photographed(image, rng)


def moved(
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    turn: float,
    scale: float,
    shift: float,
    mirror: bool = True,
) -> NDArray[np.uint8]:
    """Return the picture turned, scaled and shifted, mirrored half of the time.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        turn: Standard deviation in degrees.
        scale: Standard deviation of the logarithm of the scale.
        shift: Standard deviation as a share of the picture's side.
        mirror: Whether to mirror at all.
    """
    height, width = image.shape[:2]
    center = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(center, rng.normal(0, turn), np.exp(rng.normal(0, scale)))
    matrix[:, 2] += rng.normal(0, shift * width, size=2)
    if mirror and rng.random() < 0.5:
        matrix = np.vstack([matrix, (0, 0, 1)])
        matrix = (np.diag((-1.0, 1.0, 1.0)) @ matrix)[:2]
        matrix[0, 2] += width - 1
    flat = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return flat.reshape(image.shape)


def photographed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture as a poor camera gives it: blurred, dark, noisy, compressed, or not.

    Args:
        image: (H, W, C) uint8.
        rng: What decides; half of the pictures are returned as they are.
    """
    if rng.random() < 0.5:
        return image
    shape, height = image.shape, image.shape[0]
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2) * height / 64)
    if rng.random() < 0.2:
        image = motion_blurred(image, rng)
    if rng.random() < 0.25:  # low light
        table = 255 * (np.arange(256) / 255) ** rng.uniform(1.1, 2.2) * rng.uniform(0.5, 1)
        image = table.astype(np.uint8)[image]
    if rng.random() < 0.35:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        code = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED))
    return np.asarray(image, np.uint8).reshape(shape)


def motion_blurred(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture smeared along a line of up to a tenth of its side."""
    length = rng.uniform(1, 0.1 * image.shape[0])
    angle = rng.uniform(0, np.pi)
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        x, y = np.round(reach + step * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        kernel[y, x] += 1
    flat = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8).reshape(image.shape)


def shrunken(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the picture as if it had been so small: a face far from the camera."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8).reshape(image.shape)


def relit(
    image: NDArray[np.uint8], rng: np.random.Generator, *, contrast: float, brightness: float
) -> NDArray[np.uint8]:
    """Return the picture in another light.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        contrast: Standard deviation of the logarithm of the contrast.
        brightness: Standard deviation of what is added to each px.
    """
    table = (np.arange(256) - 128) * np.exp(rng.normal(0, contrast)) + 128
    table += rng.normal(0, brightness)
    return np.clip(table, 0, 255).astype(np.uint8)[image]


def covered(
    image: NDArray[np.uint8], rng: np.random.Generator, *, sides: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return the picture with a plain rectangle somewhere before the face.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        sides: Smallest and largest side of the rectangle, as shares of the picture's.
    """
    image = image.copy()
    height, width = (round(n * rng.uniform(*sides)) for n in image.shape[:2])
    top, left = (rng.integers(0, n - m) for n, m in zip(image.shape, (height, width), strict=False))
    image[top : top + height, left : left + width] = rng.integers(0, 256, image.shape[2])
    return image
