"""Networks as plain data: a graph of named Keras layers, and their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from faceattr.errors import EngineError

if TYPE_CHECKING:
    import keras

Array: TypeAlias = NDArray[Any]

MAX_PREPARED = 1000  # 5000 take GB after many images


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a graph, described as in `keras.layers`.

    Attributes:
        kind: Name of the class in `keras.layers`.
        name: Name of the layer, unique in its graph.
        config: Arguments of the class; those left out have Keras's defaults.
        inputs: Names of the layers whose outputs it takes.
    """

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A graph with its weights: what an engine needs, without importing Keras.

    Attributes:
        name: Name of the network in messages.
        layers: The layers in topological order. The first is the ``InputLayer``, with its
            ``shape`` (H, W, C), and ``dtype`` if it is another than float32; the last gives the
            output.
        weights: Layer name to the arrays of that layer, in Keras's order.
        digest: Unique key of the weights, for example the SHA-256 of their file; None disables
            caching.
        stored: Whether an engine may store the converted network on disk. Small networks are
            converted as fast as they are read.
        max_prepared: Layers that an engine may keep ready, one for each shape that it has met.
        ranges: Layer name to the least and greatest value that it gives on pictures, for int8
            arithmetic; empty if nobody has measured them.
    """

    name: str
    layers: Sequence[Layer]
    weights: Mapping[str, Sequence[Array]]
    digest: str | None = None
    stored: bool = True
    max_prepared: int = MAX_PREPARED
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def identity(self) -> str | None:
        """Key of the graph with its weights; None without a digest of the weights."""
        if self.digest is None:
            return None
        return hashlib.sha256(f"{self.layers}{self.digest}".encode()).hexdigest()


def up_to(network: Network, layer: str) -> Network:
    """Return the network whose output is that of one of its layers.

    Raises:
        EngineError: There is no such layer.
    """
    names = [one.name for one in network.layers]
    if layer not in names:
        raise EngineError(f"{network.name!r} has no layer {layer!r}; it has {', '.join(names)}")
    return replace(network, layers=network.layers[: names.index(layer) + 1])


def sequential(shape: tuple[int | None, ...], *layers: Layer) -> tuple[Layer, ...]:
    """Return the layers as a graph in which each takes the output of the one before it.

    Args:
        shape: Height, width and channels of the input; None where it is free.
        layers: The layers after the input, their ``inputs`` empty.
    """
    linked = [Layer("InputLayer", "input", {"shape": shape})]
    for layer in layers:
        linked.append(Layer(layer.kind, layer.name, layer.config, (linked[-1].name,)))
    return tuple(linked)


def from_keras(model: keras.Model) -> Network:
    """Return a functional or sequential Keras model as data."""
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    return Network(model.name, layers_of(model.get_config()), weights)


def layers_of(config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the layers described by the config of a functional or sequential Keras model."""
    layers: list[Layer] = []
    for layer in config["layers"]:
        name = layer["config"]["name"]
        previous = (layers[-1].name,) if layers else ()  # the input in a sequential model
        inputs = tuple(_inbound(layer)) if "inbound_nodes" in layer else previous
        layers.append(Layer(layer["class_name"], name, _essential(layer["config"]), inputs))
    return tuple(layers)


# Options that do not affect inference: for training only, or of one Keras version only.
TRAINING_OPTIONS = frozenset(
    (
        *("build_config", "dtype", "momentum", "name", "noise_shape", "quantization_config"),
        *("renorm", "renorm_clipping", "renorm_momentum", "seed", "synchronized", "trainable"),
    )
)
TRAINING_SUFFIXES = ("_constraint", "_initializer", "_regularizer")

# Options with these values are left out, as they are Keras's defaults.
DEFAULTS: Mapping[str, Any] = {
    "center": True,
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "groups": 1,
    "keepdims": False,
    "max_value": None,
    "negative_slope": 0.0,
    "threshold": 0.0,
}


def _essential(config: Mapping[str, Any]) -> dict[str, Any]:
    if "batch_shape" in config:
        return {"shape": tuple(config["batch_shape"][1:])}
    return {
        key: value
        for key, value in config.items()
        if key not in TRAINING_OPTIONS
        and not key.endswith(TRAINING_SUFFIXES)
        and not (key in DEFAULTS and _listed(value) == DEFAULTS[key])
        and not (key == "scale" and value is True)  # a normalization's flag; Rescaling has a number
    }


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _inbound(layer: Mapping[str, Any]) -> Iterable[str]:
    """Yield the names of the inputs of a layer in a functional config."""
    for node in layer["inbound_nodes"]:
        for argument in node["args"]:
            tensors = argument if isinstance(argument, list) else [argument]
            for tensor in tensors:
                yield tensor["config"]["keras_history"][0]
