from __future__ import annotations

import cv2
import numpy as np

from faceattr.streaming.quality import face_quality
from faceattr.types import Detection


def test_large_and_sharp_faces_are_of_better_quality() -> None:
    random = np.random.default_rng(0)
    sharp = random.integers(0, 256, (200, 200, 3), np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 5)
    large, small = Detection((0, 0, 200, 200), 1.0), Detection((0, 0, 30, 30), 1.0)
    of_large, of_small = face_quality(sharp, [large, small])
    assert 1 > of_large > of_small > 0
    assert of_large > face_quality(blurred, [large])[0] > 0
    assert face_quality(np.zeros_like(sharp), [small])[0] > 0
