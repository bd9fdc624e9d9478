"""Emotion by a small network of our own, which ships with faceattr."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.builtin import BuiltinAnalyzer
from faceattr.forms import Labels
from faceattr.labels import EMOTIONS
from faceattr.types import Classification

FER2013_TEMPLATE = (  # median of the training images; models/emotion/README.md says how
    (0.315, 0.385),
    (0.685, 0.385),
    (0.500, 0.598),
    (0.345, 0.777),
    (0.655, 0.777),
)


class EmotionAnalyzer(BuiltinAnalyzer):
    """Seven emotions, from a 48×48 gray crop."""

    attribute = "emotion"
    output = Labels(EMOTIONS)
    crop = CropSpec(size=(48, 48), color="gray", template=FER2013_TEMPLATE)
    license = "no open license; trained on FER2013 and RAF-DB, research data"
    card = "models/emotion/README.md"
    network = "emotion"
    layer = "scores_logits"

    def interpret(self, scores: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return self.output.classify(scores)
