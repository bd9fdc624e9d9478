"""Whether a face can be seen well, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr import Classification, Crops, CropSpec
from faceattr.alignment import Placement
from faceattr.analyzers.base import PlacedAnalyzer

FAULTS = ("blurred", "badly lit", "small", "turned")

# Where there is enough of it, by press photographs as they are, blurred and made smaller.
SHARP = 0.05  # variance of the Laplacian, as a share of that of the levels
BRIGHT = 60.0  # levels between the mean and black, or white
LARGE = 80.0  # px of the longer side

# How the five landmarks lie in a face that looks into the camera, in the same photographs.
NOSE_HEIGHT = 0.6  # of the way from the eyes to the mouth
STRAIGHT, ASIDE = 0.1, 0.6  # how far from there the nose is in a good and in a lost face


class QualityAnalyzer(PlacedAnalyzer):
    """Whether the picture of a face is good, or else blurred, badly lit, small or turned."""

    contract = 1
    attribute = "quality"
    labels = ("good", *FAULTS)
    crop = CropSpec(size=(112, 112), color="gray", mode="box")

    def predict_placed(
        self, crops: Crops, placements: Sequence[Placement]
    ) -> Sequence[Classification]:
        """See the base class."""
        return [
            _judge(
                sharpness(crop, placement), exposure(crop), size(crop, placement), pose(placement)
            )
            for crop, placement in zip(crops, placements, strict=True)
        ]


def _judge(*shares: float) -> Classification:
    """Return the probability that all is good, and what else is to blame, by how much it lacks."""
    good = float(np.prod(shares))
    lacks = 1 - np.array(shares)
    blame = (1 - good) * lacks / max(lacks.sum(), 1e-9)
    return Classification({"good": good, **dict(zip(FAULTS, blame.tolist(), strict=True))})


def sharpness(crop: NDArray[np.uint8], placement: Placement) -> float:
    """Return how much fine detail there is, as a share of enough.

    A crop that was made larger is made as small as the face was: it is to blame for its size only.
    """
    if placement.scale > 1:
        width, height = (max(3, round(side / placement.scale)) for side in crop.shape[1::-1])
        crop = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
    detail = float(cv2.Laplacian(crop, cv2.CV_64F).var())
    return min(1.0, detail / (float(crop.var()) + 1) / SHARP)


def exposure(crop: NDArray[np.uint8]) -> float:
    """Return how far the levels are from black and white, as a share of far enough."""
    level = float(crop.mean())
    lost = float(np.mean((crop <= 5) | (crop >= 250)))  # levels that may have been cut off
    return min(1.0, min(level, 255 - level) / BRIGHT) * (1 - lost)


def size(crop: NDArray[np.uint8], placement: Placement) -> float:
    """Return how large the face was in the picture, as a share of large enough."""
    return min(1.0, max(crop.shape[:2]) / placement.scale / LARGE)


def pose(placement: Placement) -> float:
    """Return how straight the face looks into the camera; 1 if its landmarks are not known.

    Faces that lean are none the worse: whoever cuts crops of them can level their eyes.
    """
    if placement.landmarks is None:
        return 1.0
    left_eye, right_eye, nose, left_mouth, right_mouth = placement.landmarks.astype(float)
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
