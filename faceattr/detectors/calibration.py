"""What makes detectors comparable: one frame around a face, one meaning of a confidence.

The numbers of each detector come from the table "Corrections that …" of
`benchmarks/detectors`, on the 150 pictures of WIDER FACE val that the project measures on.
A find is a face there if its overlap with an annotated one is at least 0.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from faceattr.types import BBox


class Logistic(NamedTuple):
    """Raw scores to confidences, and back.

    Attributes:
        even: Score of the finds that are as often a face as not.
        slope: Change of the log-odds of a face with the score.
    """

    even: float
    slope: float

    def confidence(self, score: float) -> float:
        """Return the share of finds with this score that are faces."""
        odds = self.slope * (score - self.even)
        return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0

    def score(self, confidence: float) -> float:
        """Return the score with that confidence; infinite at 0 and 1."""
        if confidence in (0, 1):
            return math.copysign(math.inf, confidence - 0.5)
        return self.even + math.log(confidence / (1 - confidence)) / self.slope


class Framing(NamedTuple):
    """Boxes as a detector draws them to boxes from forehead to chin, as MTCNN's are.

    Attributes:
        right: How far the box moves to the right, as a share of its width.
        down: How far it moves down, as a share of its height.
        wider: What its width is multiplied by.
        higher: What its height is multiplied by.
    """

    right: float
    down: float
    wider: float
    higher: float

    def apply(self, bbox: BBox) -> BBox:
        """Return the box from forehead to chin."""
        x1, y1, x2, y2 = bbox
        width, height = x2 - x1, y2 - y1
        x, y = (x1 + x2) / 2 + self.right * width, (y1 + y2) / 2 + self.down * height
        width, height = width * self.wider, height * self.higher
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
