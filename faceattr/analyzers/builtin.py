"""The networks that ship with faceattr, and what their analyzers have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib import resources
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer, Reader
from faceattr.engines.base import Engine
from faceattr.networks import graph
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network
from faceattr.networks.heads import SoftmaxHead
from faceattr.types import Attribute, CropBatch, Trunk

FEATURES = "features"  # the layer at which a trunk ends


class BuiltinAnalyzer(Analyzer):
    """Reads the probabilities that a head of a built-in network gives.

    Attributes:
        network: Name of the network's file in the assets, without the suffix.
        layer: Name of the dense layer on the features, whose softmax is read.
    """

    network: ClassVar[str]
    layer: ClassVar[str]

    def load(self, engine: Engine) -> Reader:
        """See the base class."""
        network = load_builtin(self.network)
        trunk = Trunk(self.network, engine.compile(graph.up_to(network, FEATURES)))
        head = SoftmaxHead.from_network(network, self.layer)

        def read(batch: CropBatch) -> Sequence[Attribute]:
            return [self.interpret(scores) for scores in head(batch.features(trunk))]

        return read

    @abstractmethod
    def interpret(self, scores: NDArray[np.float32]) -> Attribute:
        """Return the attribute that the probabilities mean, (C,) float32."""


def load_builtin(name: str) -> Network:
    """Return a built-in network.

    Args:
        name: Name of its file in the assets, without the suffix.
    """
    return npz.load(resources.files("faceattr.assets").joinpath(f"{name}.npz").read_bytes())


def load_builtin_trunk(name: str, engine: Engine) -> Trunk:
    """Return the layers of a built-in network up to its features, compiled once per process.

    Args:
        name: As in `load_builtin`.
        engine: Runs the trunk.
    """
    return Trunk(name, engine.compile(graph.up_to(load_builtin(name), FEATURES)))
