"""The trunks of the built-in networks, on which trained heads stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from faceattr.alignment import CropSpec
from faceattr.analyzers.age_gender import CROP as AGE_GENDER_CROP
from faceattr.analyzers.builtin import FEATURES, load_builtin, load_builtin_trunk
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.engines.base import Engine
from faceattr.networks import graph
from faceattr.networks.shapes import output_shapes
from faceattr.types import Trunk


@dataclass(frozen=True, slots=True)
class BuiltinTrunk:
    """A built-in network up to its features.

    Attributes:
        name: Name of the network's file in the assets, and of its features in `Face.features`.
        crop: Form of the crops that it takes.
        refresh: Seconds between runs on the same face of a stream.
    """

    name: str
    crop: CropSpec
    refresh: float = 0.0

    @property
    def identity(self) -> str:
        """`Network.identity` of the trunk."""
        return _described(self.name)[0]

    @property
    def num_features(self) -> int:
        """Number of features of a face."""
        return _described(self.name)[1]

    def load(self, engine: Engine) -> Trunk:
        """Return the trunk, which all heads on it share."""
        return load_builtin_trunk(self.name, engine)


TRUNKS = {
    trunk.name: trunk
    for trunk in (
        BuiltinTrunk("emotion", EmotionAnalyzer.crop),
        BuiltinTrunk("age_gender", AGE_GENDER_CROP, refresh=1.0),
    )
}
"""The trunks by their names."""


@lru_cache
def _described(name: str) -> tuple[str, int]:
    trunk = graph.up_to(load_builtin(name), FEATURES)
    identity = trunk.identity
    assert identity is not None  # built-in networks have a digest
    (num_features,) = output_shapes(trunk.layers)[FEATURES]
    return identity, num_features
