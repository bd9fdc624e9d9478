"""Layers to the shapes of their weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, TypeAlias

from faceattr.networks.graph import Layer

Shape: TypeAlias = tuple[int, ...]
"""Of one array, without the batch."""


def weight_shapes(layers: Sequence[Layer]) -> dict[str, tuple[Shape, ...]]:
    """Return the shape of each array of each layer that has weights, in Keras's order.

    Knows the layers of plain convolutional networks; the input's size must not be free.
    """
    outputs: dict[str, Shape] = {}
    weights: dict[str, tuple[Shape, ...]] = {}
    for layer in layers:
        given = outputs[layer.inputs[0]] if layer.inputs else layer.config["shape"]
        outputs[layer.name] = _output(layer, given)
        if layer.kind == "Conv2D":
            filters = layer.config["filters"]
            weights[layer.name] = (*layer.config["kernel_size"], given[-1], filters), (filters,)
        elif layer.kind == "Dense":
            units = layer.config["units"]
            weights[layer.name] = (given[-1], units), (units,)
    return weights


def _output(layer: Layer, given: Shape) -> Shape:
    match layer.kind:
        case "Conv2D":
            return *_slide(layer, given, layer.config["kernel_size"], (1, 1)), layer.config[
                "filters"
            ]
        case "AveragePooling2D" | "MaxPooling2D":
            size = layer.config["pool_size"]
            return *_slide(layer, given, size, size), given[-1]
        case "Flatten":
            return (prod(given),)
        case "Dense":
            return (layer.config["units"],)
        case _:
            return given


def _slide(layer: Layer, given: Shape, window: Any, strides: Any) -> Iterable[int]:
    """Yield at how many places along each side a window comes to lie."""
    strides = layer.config.get("strides", strides)
    for side, size, stride in zip(given, window, strides, strict=False):
        room = side - 1 if layer.config.get("padding") == "same" else side - size
        yield room // stride + 1
