"""What makes detectors comparable: one frame around a face, one meaning of a confidence.

The constants of each detector come from the table "Corrections that …" of
`benchmarks/detectors`, measured on 150 pictures of WIDER FACE val. A detection counts as a face
there if its IoU with an annotated face is at least 0.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from faceattr.types import BBox


class Logistic(NamedTuple):
    """Platt scaling: raw scores to confidences and back, by a logistic curve.

    Attributes:
        midpoint: Score at which half of the detections are faces.
        slope: Change of the log-odds of a face per unit of the score.
    """

    midpoint: float
    slope: float

    def confidence(self, score: float) -> float:
        """Return the share of detections with this score that are faces."""
        log_odds = self.slope * (score - self.midpoint)
        return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0

    def score(self, confidence: float) -> float:
        """Return the score with that confidence; infinite at 0 and 1."""
        if confidence in (0, 1):
            return math.copysign(math.inf, confidence - 0.5)
        return self.midpoint + math.log(confidence / (1 - confidence)) / self.slope


class BoxOffset(NamedTuple):
    """From boxes as a detector draws them to boxes from forehead to chin, as MTCNN's are.

    Attributes:
        x: Shift to the right, as a share of the box's width.
        y: Shift downwards, as a share of its height.
        width: Factor of the width.
        height: Factor of the height.
    """

    x: float
    y: float
    width: float
    height: float

    def apply(self, bbox: BBox) -> BBox:
        """Return the box from forehead to chin."""
        x1, y1, x2, y2 = bbox
        width, height = x2 - x1, y2 - y1
        x, y = (x1 + x2) / 2 + self.x * width, (y1 + y2) / 2 + self.y * height
        width, height = width * self.width, height * self.height
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
