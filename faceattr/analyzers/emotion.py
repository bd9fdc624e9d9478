"""Emotion by a small network of our own, which ships with faceattr."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.builtin import load_builtin, load_builtin_trunk
from faceattr.engines.base import Engine
from faceattr.forms import Labels
from faceattr.labels import EMOTIONS
from faceattr.networks.heads import SoftmaxHead
from faceattr.types import Attribute, Features, Trunk

FER2013_TEMPLATE = (  # median of the training images; models/emotion/README.md says how
    (0.315, 0.385),
    (0.685, 0.385),
    (0.500, 0.598),
    (0.345, 0.777),
    (0.655, 0.777),
)


class EmotionAnalyzer(HeadAnalyzer):
    """Seven emotions, from a 48×48 gray crop."""

    attribute = "emotion"
    output = Labels(EMOTIONS)
    crop = CropSpec(size=(48, 48), color="gray", template=FER2013_TEMPLATE)
    card = "models/emotion/README.md"

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        return load_builtin_trunk("emotion", engine)

    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """See the base class."""
        head = SoftmaxHead.from_network(load_builtin("emotion"), "scores_logits")
        return lambda features: [self.output.classify(row) for row in head(features)]
