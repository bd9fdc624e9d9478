"""Emotion by the classic network, with the weights that deepface uses."""

from __future__ import annotations

from collections.abc import Sequence

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.engines.base import Engine
from faceattr.forms import Labels
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.emotion_cnn import emotion_cnn
from faceattr.networks.published import deepface_urls, load_published
from faceattr.types import Attribute, CropBatch
from faceattr.weights import Weights

EMOTION_CNN = Weights(
    filename="facial_expression_model_weights.h5",
    sources=deepface_urls("facial_expression_model_weights.h5"),
    sha256="e8e8851d3fa05c001b1c27fd8841dfe08d7f82bb786a53ad8776725b7a1e824c",
    num_bytes=5_900_000,
    license="MIT; trained on FER2013, research data",
    card="models/emotion-cnn/README.md",
)


class EmotionCnnAnalyzer(Analyzer):
    """Seven emotions, by the classic network of deepface."""

    attribute = "emotion"
    output = Labels(EMOTIONS)
    crop = CropSpec(size=(48, 48), color="gray", mode="letterbox")
    weights = EMOTION_CNN

    def load(self, engine: Engine) -> Reader:
        """See the base class."""
        network = engine.compile(load_published("emotion-cnn", emotion_cnn(), EMOTION_CNN))

        def read(batch: CropBatch) -> Sequence[Attribute]:
            return [self.output.classify(row) for row in network(batch.crops)]

        return read
