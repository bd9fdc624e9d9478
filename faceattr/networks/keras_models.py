"""Networks as models of Keras 3, on any of its backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import keras

from faceattr.errors import EngineError
from faceattr.networks.graph import Layer, Network

NO_OTHERS: Mapping[str, Callable[..., keras.Layer]] = MappingProxyType({})


def to_keras(
    network: Network, others: Mapping[str, Callable[..., keras.Layer]] = NO_OTHERS
) -> keras.Model:
    """Return the network as a functional Keras model with its weights.

    Args:
        network: What to build.
        others: Kind of layer to what makes it, in the place of the class in `keras.layers`.

    Raises:
        EngineError: A layer is unknown to Keras, or its weights have the wrong shape.
    """
    model = build(network.name, network.layers, others)
    for layer in model.layers:
        try:
            layer.set_weights(list(network.weights.get(layer.name, ())))
        except ValueError as error:
            raise EngineError(
                f"the weights of layer {layer.name!r} do not fit {network.name!r}: {error}"
            ) from error
    return model


def build(
    name: str,
    layers: Sequence[Layer],
    others: Mapping[str, Callable[..., keras.Layer]] = NO_OTHERS,
) -> keras.Model:
    """Return the graph as an untrained functional Keras model.

    Args:
        name: Name of the model.
        layers: As in `Network`.
        others: As in `to_keras`.

    Raises:
        EngineError: A layer is unknown to Keras or does not accept its input.
    """
    first, *rest = layers
    batch = keras.layers.Input(first.config["shape"], name=first.name)
    outputs = {first.name: batch}
    for layer in rest:
        inputs = [outputs[name] for name in layer.inputs]
        try:
            make = others.get(layer.kind) or getattr(keras.layers, layer.kind)
            applied = make(name=layer.name, **layer.config)
            outputs[layer.name] = applied(inputs[0] if len(inputs) == 1 else inputs)
        except (AttributeError, TypeError, ValueError) as error:
            raise EngineError(
                f"layer {layer.name!r} of {name!r}, a {layer.kind}, does not work in "
                f"Keras {keras.__version__}: {error}"
            ) from error
    return keras.Model(batch, outputs[rest[-1].name], name=name)
