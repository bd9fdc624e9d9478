"""A network as plain data: Keras's layers by name, and their weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a graph, in the words of `keras.layers`.

    Attributes:
        kind: Name of the class in `keras.layers`.
        name: Name of the layer, unique in its graph.
        config: Arguments of the class; those left out have Keras's defaults.
        inputs: Names of the layers it is applied to.
    """

    kind: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A graph with its weights, as an engine needs it and without importing Keras.

    Attributes:
        name: What to call it in messages.
        layers: In an order in which each comes after its inputs. The first is the
            ``InputLayer``, with its ``shape`` (H, W, C); the last gives the output.
        weights: Arrays of each layer that has some, by its name, in Keras's order.
        digest: What tells these weights from all others, for example the SHA-256 of their
            file; None if engines shall not remember the network.
        stored: Whether an engine may store what it makes of the network. A small one is made
            anew as fast as it is read.
    """

    name: str
    layers: Sequence[Layer]
    weights: Mapping[str, Sequence[Array]]
    digest: str | None = None
    stored: bool = True

    @property
    def identity(self) -> str | None:
        """What networks that do the same have in common; None without a digest of the weights."""
        if self.digest is None:
            return None
        return hashlib.sha256(f"{self.layers}{self.digest}".encode()).hexdigest()


def chain(shape: tuple[int | None, ...], *layers: Layer) -> tuple[Layer, ...]:
    """Return the layers as a graph in which each is applied to the one before it.

    Args:
        shape: Height, width and channels of the input; None where it is free.
        layers: With empty ``inputs``.
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
    """Return the layers that the config of a functional or sequential Keras model describes."""
    layers: list[Layer] = []
    for layer in config["layers"]:
        name = layer["config"]["name"]
        before = (layers[-1].name,) if layers else ()  # in a sequential model
        inputs = tuple(_inbound(layer)) if "inbound_nodes" in layer else before
        layers.append(Layer(layer["class_name"], name, _essential(layer["config"]), inputs))
    return tuple(layers)


def save(network: Network, file: IO[bytes]) -> None:
    """Write a network as an npz archive, its kernels in half precision."""
    arrays = {
        f"{name}/{index}": array.astype(np.float16) if array.ndim > 1 else array
        for name, group in network.weights.items()
        for index, array in enumerate(group)
    }
    graph = {"name": network.name, "layers": [asdict(layer) for layer in network.layers]}
    np.savez(file, graph=np.array(json.dumps(graph)), **arrays)  # type: ignore[arg-type]


def load(file: IO[bytes]) -> Network:
    """Read a network that `save` has written; its weights are float32 again."""
    with np.load(file) as archive:
        graph = json.loads(archive["graph"].item())
        weights: dict[str, list[Array]] = {}
        for key in archive.files:
            if key != "graph":
                name, _, _ = key.rpartition("/")
                weights.setdefault(name, []).append(archive[key].astype(np.float32))
    layers = [
        Layer(item["kind"], item["name"], item["config"], tuple(item["inputs"]))
        for item in graph["layers"]
    ]
    return Network(graph["name"], layers, weights)


# What the answer of a layer does not depend on: what is for training, or for one Keras version.
UNIMPORTANT = frozenset(
    (
        *("build_config", "dtype", "momentum", "name", "noise_shape", "quantization_config"),
        *("renorm", "renorm_clipping", "renorm_momentum", "seed", "synchronized", "trainable"),
    )
)
UNIMPORTANT_ENDINGS = ("_constraint", "_initializer", "_regularizer")

# What need not be said, as it is so if it is left out.
USUAL: Mapping[str, Any] = {
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
        if key not in UNIMPORTANT
        and not key.endswith(UNIMPORTANT_ENDINGS)
        and not (key in USUAL and _listed(value) == USUAL[key])
        and not (key == "scale" and value is True)  # a number in another layer
    }


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _inbound(layer: Mapping[str, Any]) -> Iterable[str]:
    """Yield the names of the layers that a functional config applies the layer to."""
    for node in layer["inbound_nodes"]:
        for argument in node["args"]:
            tensors = argument if isinstance(argument, list) else [argument]
            for tensor in tensors:
                yield tensor["config"]["keras_history"][0]
