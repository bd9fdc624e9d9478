"""Emotion by a small network of our own, which comes with faceattr."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.engines.base import Engine
from faceattr.networks.formats import npz
from faceattr.types import Classification, Crops

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

FER2013_TEMPLATE = (  # median of the training pictures; models/emotion/README.md says how
    (0.315, 0.385),
    (0.685, 0.385),
    (0.500, 0.598),
    (0.345, 0.777),
    (0.655, 0.777),
)


class EmotionAnalyzer(Analyzer):
    """Seven emotions, from a 48×48 gray crop."""

    attribute = "emotion"
    labels = LABELS
    crop = CropSpec(size=(48, 48), color="gray", template=FER2013_TEMPLATE)
    card = "models/emotion/README.md"

    def load(self, engine: Engine) -> None:
        """See the base class."""
        asset = resources.files("faceattr.assets").joinpath("emotion.npz").read_bytes()
        self._run = engine.compile(npz.load(asset))

    def predict(self, crops: Crops) -> Sequence[Classification]:
        """See the base class."""
        return [
            Classification(dict(zip(LABELS, row.tolist(), strict=True))) for row in self._run(crops)
        ]
