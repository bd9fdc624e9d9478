"""Shapes of weights and outputs, and the number of multiply-adds of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

from faceattr.networks.graph import Layer

Shape: TypeAlias = tuple[int, ...]
"""Shape of one array, without the batch dimension."""


def weight_shapes(layers: Sequence[Layer]) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of the arrays of each convolution and dense layer, in Keras's order.

    The input must have a fixed size.
    """
    outputs = output_shapes(layers)
    weights: dict[str, tuple[Shape, ...]] = {}
    for layer in layers:
        if layer.kind == "Conv2D":
            filters, given = layer.config["filters"], outputs[layer.inputs[0]]
            kernel = (*layer.config["kernel_size"], given[-1], filters)
            weights[layer.name] = (kernel, (filters,)) if _has_bias(layer) else (kernel,)
        elif layer.kind == "Dense":
            units = layer.config["units"]
            weights[layer.name] = (outputs[layer.inputs[0]][-1], units), (units,)
    return weights


def multiply_adds(layers: Sequence[Layer]) -> int:
    """Return the number of multiply-adds of the convolutions and dense layers for one crop.

    The input must have a fixed size.
    """
    outputs = output_shapes(layers)
    return sum(
        prod(kernel) * prod(outputs[name][:-1])
        for name, (kernel, *_) in weight_shapes(layers).items()
    )


def output_shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """Return the shape of each layer's output; the input must have a fixed size."""
    outputs: dict[str, Shape] = {}
    for layer in layers:
        outputs[layer.name] = _output(layer, [outputs[name] for name in layer.inputs])
    return outputs


def _output(layer: Layer, inputs: Sequence[Shape]) -> Shape:
    config: Mapping[str, Any] = layer.config
    match layer.kind:
        case "InputLayer":
            return tuple(config["shape"])
        case "Conv2D":
            return *_slide(layer, inputs[0], config["kernel_size"], (1, 1)), config["filters"]
        case "AveragePooling2D" | "MaxPooling2D":
            size = config["pool_size"]
            return *_slide(layer, inputs[0], size, size), inputs[0][-1]
        case "ZeroPadding2D":
            return *map(_padded, inputs[0], config["padding"]), inputs[0][-1]
        case "GlobalAveragePooling2D":
            return inputs[0][-1:]
        case "Concatenate":
            return *inputs[0][:-1], sum(shape[-1] for shape in inputs)
        case "Flatten":
            return (prod(inputs[0]),)
        case "Dense":
            return (config["units"],)
        case _:
            return inputs[0]


def _padded(side: int, padding: Any) -> int:
    before, after = padding
    return side + before + after


def _has_bias(layer: Layer) -> bool:
    return bool(layer.config.get("use_bias", True))


def _slide(layer: Layer, given: Shape, window: Any, strides: Any) -> Iterable[int]:
    """Yield the number of positions of a sliding window along each side."""
    strides = layer.config.get("strides", strides)
    for side, size, stride in zip(given, window, strides, strict=False):
        room = side - 1 if layer.config.get("padding") == "same" else side - size
        yield room // stride + 1
