"""Whether a face can be seen well, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr import Analyzer, Classification, CropBatch, CropGeometry, CropSpec, Labels

FAULTS = ("blurred", "badly lit", "small", "turned")

# What is enough, measured on press photographs: as they are, blurred, and made smaller.
SHARP = 0.05  # variance of the Laplacian, as a share of the variance of the levels
BRIGHT = 60.0  # levels between the mean and black, or white
LARGE = 80.0  # pixels of the longer side

# Where the nose is in a face that looks into the camera, measured on the same photographs.
NOSE_HEIGHT = 0.6  # of the way from the eyes to the mouth
STRAIGHT, ASIDE = 0.1, 0.6  # distance of the nose from there in a good and in a useless face


class QualityAnalyzer(Analyzer):
    """Whether the picture of a face is good, or else blurred, badly lit, small or turned."""

    api_version = 2
    attribute = "quality"
    output = Labels(["good", *FAULTS])
    crop = CropSpec(size=(112, 112), color="gray", mode="box")

    def read(self, batch: CropBatch) -> Sequence[Classification]:
        """See the base class."""
        results = []
        for crop, geometry in zip(batch.crops, batch.geometry, strict=True):
            shares = np.array(
                [sharpness(crop, geometry), exposure(crop), size(crop, geometry), pose(geometry)]
            )
            good = shares.prod()
            lacks = 1 - shares  # each fault gets as much of the rest as it lacks
            faults = (1 - good) * lacks / max(lacks.sum(), 1e-9)
            results.append(self.output.classify([float(good), *faults.tolist()]))
        return results


def sharpness(crop: NDArray[np.uint8], geometry: CropGeometry) -> float:
    """Return how much fine detail there is, as a share of what is enough.

    An enlarged crop is first made as small as the face was, so that a small face counts as small
    and not as blurred too.
    """
    if geometry.scale > 1:
        width, height = (max(3, round(side / geometry.scale)) for side in crop.shape[1::-1])
        crop = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
    detail = float(cv2.Laplacian(crop, cv2.CV_64F).var())
    return min(1.0, detail / (float(crop.var()) + 1) / SHARP)


def exposure(crop: NDArray[np.uint8]) -> float:
    """Return how far the levels are from black and white, as a share of what is enough."""
    level = float(crop.mean())
    clipped = float(np.mean((crop <= 5) | (crop >= 250)))
    return min(1.0, min(level, 255 - level) / BRIGHT) * (1 - clipped)


def size(crop: NDArray[np.uint8], geometry: CropGeometry) -> float:
    """Return how large the face was in the picture, as a share of what is large enough."""
    return min(1.0, max(crop.shape[:2]) / geometry.scale / LARGE)


def pose(geometry: CropGeometry) -> float:
    """Return how directly the face looks into the camera; 1 if its landmarks are not known.

    A face that only leans is as good as an upright one, since alignment levels its eyes.
    """
    if geometry.landmarks is None:
        return 1.0
    left_eye, right_eye, nose, left_mouth, right_mouth = geometry.landmarks.astype(float)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    between = float(np.hypot(*(right_eye - left_eye)))
    if between == 0:
        return 0.0
    across = (right_eye - left_eye) / between
    down = np.array([-across[1], across[0]])
    length = float((mouth - eyes) @ down)
    if length <= 0:
        return 0.0
    aside = abs(float((nose - (eyes + mouth) / 2) @ across)) / between
    tilted = abs(float((nose - eyes) @ down) / length - NOSE_HEIGHT)
    return float(np.clip((ASIDE - max(aside, tilted)) / (ASIDE - STRAIGHT), 0, 1))
