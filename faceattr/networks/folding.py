"""Normalizations taken into the convolutions before them: the same network with fewer layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from faceattr.networks.graph import Array, Layer, Network


def fold_normalization(network: Network) -> Network:
    """Return the network without the batch normalizations that directly follow a convolution.

    Its outputs are the same but for rounding, and it has no digest.
    """
    by_name = {layer.name: layer for layer in network.layers}
    weights = dict(network.weights)
    layers: dict[str, Layer] = {}
    folded: dict[str, str] = {}  # normalization to the convolution that takes its place
    for layer in network.layers:
        if layer.kind == "BatchNormalization" and _can_fold(by_name[layer.inputs[0]], network):
            name = folded[layer.name] = layer.inputs[0]
            weights[name] = _scaled(weights[name], weights.pop(layer.name), layer)
            layers[name] = replace(layers[name], config={**layers[name].config, "use_bias": True})
        else:
            inputs = tuple(folded.get(name, name) for name in layer.inputs)
            layers[layer.name] = replace(layer, inputs=inputs)
    return replace(network, layers=tuple(layers.values()), weights=weights, digest=None)


def _can_fold(layer: Layer, network: Network) -> bool:
    """Return whether a layer is a convolution whose output goes, as it is, to one layer only."""
    num_users = sum(layer.name in one.inputs for one in network.layers)
    is_linear = layer.config.get("activation", "linear") == "linear"
    return layer.kind == "Conv2D" and is_linear and num_users == 1


def _scaled(
    convolution: Sequence[Array], normalization: Sequence[Array], layer: Layer
) -> list[Array]:
    """Return kernel and bias of a convolution with the normalization after it."""
    kernel, *bias = convolution
    gamma, beta, mean, variance = normalization
    scale = gamma / np.sqrt(variance + layer.config.get("epsilon", 1e-3))
    shift = beta + ((bias[0] if bias else 0) - mean) * scale
    return [(kernel * scale).astype(np.float32), shift.astype(np.float32)]
