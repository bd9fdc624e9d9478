"""Color histograms of tracked people, to tell them apart when they meet and turn back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.types import BGRImage, Detection

Appearances: TypeAlias = NDArray[np.float32]
"""(N, D) square roots of color histograms, so that a product of two rows is their Bhattacharyya
coefficient: 1 for the same colors, 0 for entirely different ones."""

SIDE = 32  # pixels of the square that a region is resized to
BINS = (12, 4, 4)  # of hue, saturation and value
BESIDE, BELOW = 0.3, 0.9  # room around a face for hair and clothes, as shares of its sides


def describe_appearance(image: BGRImage, detections: Sequence[Detection]) -> Appearances:
    """Return the color histogram of each face with the hair and clothes around it."""
    height, width = image.shape[:2]
    rows = np.zeros((len(detections), int(np.prod(BINS))), np.float32)
    for row, detection in zip(rows, detections, strict=True):
        x1, y1, x2, y2 = detection.bbox
        beside, below = BESIDE * (x2 - x1), BELOW * (y2 - y1)
        left, right = max(0, round(x1 - beside)), min(width, round(x2 + beside))
        top, bottom = max(0, round(y1)), min(height, round(y2 + below))
        if left >= right or top >= bottom:
            continue
        region = cv2.resize(image[top:bottom, left:right], (SIDE, SIDE))
        hsv = cv2.cvtColor(region, cv2.COLOR_BGR2HSV)
        histogram = cv2.calcHist([hsv], [0, 1, 2], None, BINS, (0, 180, 0, 256, 0, 256))
        row[:] = np.sqrt(histogram.ravel() / SIDE**2)
    return rows
