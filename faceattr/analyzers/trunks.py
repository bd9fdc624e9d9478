"""The trunks of the built-in networks, on which trained heads stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from faceattr.alignment import CropSpec
from faceattr.analyzers.age_gender import CROP as AGE_GENDER_CROP
from faceattr.analyzers.age_gender import LICENSE as AGE_GENDER_LICENSE
from faceattr.analyzers.builtin import FEATURES, load_builtin
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.analyzers.identity import CROP as IDENTITY_CROP
from faceattr.analyzers.identity import LICENSE as IDENTITY_LICENSE
from faceattr.engines.base import Engine
from faceattr.networks import graph
from faceattr.networks.graph import Array, Network
from faceattr.networks.shapes import output_shapes
from faceattr.types import Trunk
from faceattr.weights import is_open, require_open


@dataclass(frozen=True, slots=True)
class BuiltinTrunk:
    """A built-in network up to its features.

    Attributes:
        name: Name of the network's file in the assets.
        crop: Form of the crops that it takes.
        license: License of its weights, as in `Weights`.
        refresh: Seconds between runs on the same face of a stream.
        private: Whether people can be found again by its features, so that they are not kept.
    """

    name: str
    crop: CropSpec
    license: str
    refresh: float = 0.0
    private: bool = False

    @property
    def parts(self) -> tuple[BuiltinTrunk, ...]:
        """The networks whose features it gives: itself."""
        return (self,)

    @property
    def identity(self) -> str:
        """`Network.identity` of the trunk."""
        return _described(self)[0]

    @property
    def num_features(self) -> int:
        """Number of features of a face."""
        return _described(self)[1]

    @property
    def network(self) -> Network:
        """The layers up to the features."""
        return graph.up_to(load_builtin(self.name), FEATURES)

    @property
    def layers(self) -> dict[str, Sequence[Array]]:
        """Name of each layer up to the features that has weights to these."""
        network = self.network
        names = [layer.name for layer in network.layers]
        return {name: network.weights[name] for name in names if name in network.weights}

    def load(self, engine: Engine) -> Trunk:
        """Return the trunk, which all heads on it share.

        That of a private network has a name of its own in `Face.features`, as the network's name
        stands there for its descriptor.

        Raises:
            LicenseError: ``FACEATTR_LICENSES=open`` is set, and its weights are not open.
        """
        require_open(self, self.name, TRUNKS.items())
        name = f"{self.name}_features" if self.private else self.name
        return Trunk(name, engine.compile(self.network))


@dataclass(frozen=True, slots=True)
class JoinedTrunk:
    """Several built-in trunks whose features stand side by side; each takes its own crops.

    Attributes:
        name: Name of them together.
        parts: The trunks, in the order of their features.
    """

    name: str
    parts: tuple[BuiltinTrunk, ...]

    @property
    def license(self) -> str:
        """The licenses of their weights; if one of them is not open, such a one comes first."""
        return "; ".join(sorted((part.license for part in self.parts), key=is_open))

    @property
    def refresh(self) -> float:
        """Seconds between runs on the same face of a stream, as of the slowest."""
        return max(part.refresh for part in self.parts)

    @property
    def private(self) -> bool:
        """Whether people can be found again by the features."""
        return any(part.private for part in self.parts)

    @property
    def identity(self) -> str:
        """The identities of all."""
        return "+".join(part.identity for part in self.parts)

    @property
    def num_features(self) -> int:
        """Number of features of a face."""
        return sum(part.num_features for part in self.parts)


AnyTrunk: TypeAlias = BuiltinTrunk | JoinedTrunk
"""What a trained head can stand on."""

EMOTION = BuiltinTrunk("emotion", EmotionAnalyzer.crop, EmotionAnalyzer.license)
AGE_GENDER = BuiltinTrunk("age_gender", AGE_GENDER_CROP, AGE_GENDER_LICENSE, refresh=1.0)
IDENTITY = BuiltinTrunk("identity", IDENTITY_CROP, IDENTITY_LICENSE, refresh=1.0, private=True)
BOTH = JoinedTrunk("both", (EMOTION, AGE_GENDER))

SINGLE_TRUNKS = (EMOTION, AGE_GENDER, IDENTITY)
"""Trunks of one network each; the private ones come last."""

TRUNKS: dict[str, AnyTrunk] = {trunk.name: trunk for trunk in (*SINGLE_TRUNKS, BOTH)}
"""All trunks by their names."""


@lru_cache
def _described(trunk: BuiltinTrunk) -> tuple[str, int]:
    network = trunk.network
    identity = network.identity
    assert identity is not None  # built-in networks have a digest
    (num_features,) = output_shapes(network.layers)[FEATURES]
    return identity, num_features
