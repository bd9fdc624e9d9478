"""Quality of face images: large and sharp ones count more in averages over time."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from faceattr.alignment import CropSpec, crop_faces
from faceattr.types import BGRImage, Detection

CROP = CropSpec(size=(64, 64), color="gray", mode="box")
GOOD_SIDE = 100.0  # pixels; a larger face is not rated higher
GOOD_SHARPNESS = 100.0  # variance of the Laplacian at which a crop is rated one half


def face_quality(image: BGRImage, detections: Sequence[Detection]) -> list[float]:
    """Return how well each face can be seen, in (0, 1], by its size and sharpness."""
    return [
        _size(detection) * _sharpness(crop)
        for detection, crop in zip(detections, crop_faces(image, detections, CROP), strict=True)
    ]


def _size(detection: Detection) -> float:
    x1, y1, x2, y2 = detection.bbox
    return min(1.0, max(x2 - x1, y2 - y1) / GOOD_SIDE)


def _sharpness(crop: BGRImage) -> float:
    variance = float(cv2.Laplacian(crop, cv2.CV_64F).var())
    return (variance + 1) / (variance + GOOD_SHARPNESS)
