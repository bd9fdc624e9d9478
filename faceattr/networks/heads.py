"""Small heads on a trunk's features, computed by NumPy: an engine's call would take longer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceattr.networks.graph import Network
from faceattr.types import Features


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxHead:
    """A dense layer and a softmax.

    Attributes:
        kernel: (D, C) float32.
        bias: (C,) float32.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def from_network(cls, network: Network, layer: str) -> SoftmaxHead:
        """Return the head whose logits a dense layer of the network gives."""
        kernel, bias = network.weights[layer]
        return cls(kernel, bias)

    def __call__(self, features: Features) -> NDArray[np.float32]:
        """Return (N, C) probabilities from (N, D) features."""
        # row by row, as the last digits of a product of matrices depend on the number of rows
        logits = np.matmul(features[:, None], self.kernel)[:, 0] + self.bias
        return softmax(logits)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
