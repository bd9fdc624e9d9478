"""Translation of Keras layers to OpenVINO operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from faceattr.engines.quiet import openvino as ov
from faceattr.engines.quiet import opset1
from faceattr.engines.quiet import opset13 as ops
from faceattr.errors import EngineError
from faceattr.networks.graph import Array, Layer, Network

Translation: TypeAlias = Callable[[Layer, Sequence[ov.Node], Sequence[Array]], ov.Node]
"""Layer, inputs and weights to the equivalent operation."""

TO_CHANNELS_FIRST = np.array([0, 3, 1, 2])
TO_CHANNELS_LAST = np.array([0, 2, 3, 1])


LEVELS = 256  # of the values between two layers in int8
WEIGHT_LEVELS = 255  # of a kernel, as many on each side of zero
LARGEST_WEIGHT = 63  # of 127: AVX2 adds two products in 16 bits, which would overflow


def translate(network: Network, *, int8: bool = False) -> ov.Model:
    """Return the network as an OpenVINO model from (N, H, W, C) to float32.

    Inside the model, images are (N, C, H, W), as OpenVINO prefers.

    Args:
        network: What to translate.
        int8: Whether convolutions multiply whole numbers where `Network.ranges` says what their
            input lies between.

    Raises:
        EngineError: The graph is broken, or has a layer of a kind that has no translation here.
        WeightsError: The weights are missing, damaged or made for another graph.
    """
    first, *layers = network.layers
    if first.kind != "InputLayer" or "shape" not in first.config or not layers:
        raise EngineError(f"{network.name!r} has to begin with an InputLayer of a known shape")
    dtype = np.dtype(first.config.get("dtype", "float32"))
    batch = ops.parameter([-1, *(size or -1 for size in first.config["shape"])], dtype)
    image = ops.transpose(batch, TO_CHANNELS_FIRST) if _rank(batch) == 4 else batch
    nodes = {first.name: ops.convert(image, "f32") if dtype != np.float32 else image}
    for layer in layers:
        node = _translate(layer, nodes, network)
        if int8 and layer.name in network.ranges:
            node = _rounded(node, *network.ranges[layer.name])
        nodes[layer.name] = node
    output = nodes[layers[-1].name]
    if _rank(output) == 4:
        output = ops.transpose(output, TO_CHANNELS_LAST)
    model = ov.Model([output], [batch], network.name)
    if int8:
        _round_kernels(model)
    return model


def _rounded(node: ov.Node, low: float, high: float) -> ov.Node:
    """Round values to whole steps between two bounds, which OpenVINO then computes in int8."""
    bounds = [ops.constant(np.full((1, 1, 1, 1), bound, np.float32)) for bound in (low, high)]
    return ops.fake_quantize(node, *bounds, *bounds, LEVELS)


def _round_kernels(model: ov.Model) -> None:
    """Round the kernels of the convolutions whose input is rounded, by output channel."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        image, kernel = (port.get_node() for port in node.input_values())
        if image.get_type_name() != "FakeQuantize":
            continue
        largest = np.abs(kernel.data).max(axis=(1, 2, 3), keepdims=True)
        bounds = np.where(largest > 0, largest, 1) * (WEIGHT_LEVELS // 2) / LARGEST_WEIGHT
        high = ops.constant(bounds.astype(np.float32))
        low = ops.constant(-high.data)
        rounded = ops.fake_quantize(kernel, low, high, low, high, WEIGHT_LEVELS)
        node.input(1).replace_source_output(rounded.output(0))


def _translate(layer: Layer, nodes: Mapping[str, ov.Node], network: Network) -> ov.Node:
    """Return the equivalent operation, or refuse the layer and name the alternative."""
    name = f"layer {layer.name!r} of {network.name!r}"
    if layer.kind not in TRANSLATIONS:
        raise EngineError(
            f"{name} is a {layer.kind}, which the OpenVINO engine does not support; it supports "
            f"{', '.join(TRANSLATIONS)}; engine='tensorflow' supports all Keras layers"
        )
    axes = [("axis", -1), ("axis", 1)] if layer.kind == "Concatenate" else [("axis", -1)]
    others = [item for item in layer.config.items() if item[0] not in OPTIONS and item not in axes]
    for option, value in others:
        raise EngineError(
            f"{name}, a {layer.kind}, has the option {option}={value!r}, which the OpenVINO "
            "engine does not support; engine='tensorflow' does"
        )
    weights = network.weights.get(layer.name, ())
    try:
        return TRANSLATIONS[layer.kind](layer, [nodes[name] for name in layer.inputs], weights)
    except EngineError:
        raise
    except Exception as error:  # the config of a damaged or unusual file may hold anything
        raise EngineError(
            f"{name}, a {layer.kind}, has a form that the OpenVINO engine does not support "
            f"({error}); engine='tensorflow' supports all Keras layers"
        ) from error


def _activation(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    (node,) = inputs
    match layer.config.get("activation", "linear"):
        case "linear":
            return node
        case "relu":
            return ops.relu(node)
        case "sigmoid":
            return ops.sigmoid(node)
        case "softmax":
            return _softmax(layer, inputs, weights)
        case other:
            raise EngineError(
                f"layer {layer.name!r} has the activation {other!r}, which the OpenVINO engine "
                "does not support; it supports linear, relu, sigmoid and softmax; "
                "engine='tensorflow' supports all of Keras's"
            )


def _add(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    left, right = inputs
    return ops.add(left, right)


def _average_pooling(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    size, strides, padding = _pool(layer)
    return ops.avg_pool(inputs[0], strides, [0, 0], [0, 0], size, True, auto_pad=padding)


def _batch_normalization(
    layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]
) -> ov.Node:
    gamma, beta, mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.config.get("epsilon", 1e-3))
    scaled = ops.multiply(inputs[0], _along_channels(scale, inputs[0]))
    return ops.add(scaled, _along_channels(beta - mean * scale, inputs[0]))


def _concatenate(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    axis = layer.config.get("axis", -1)
    if axis != (1 if _rank(inputs[0]) == 3 else -1):
        raise ValueError(f"it joins axis {axis}")
    return ops.concat(list(inputs), 1)  # the rows of lists, else the channels


def _convolution(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    kernel, *bias = weights
    if _has_one_position(layer, kernel, inputs[0]):
        return _convolution_at_one_position(layer, inputs, weights)
    strides = list(layer.config.get("strides", (1, 1)))
    node = ops.convolution(
        inputs[0],
        ops.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))),
        strides,
        pads_begin=[0, 0],
        pads_end=[0, 0],
        dilations=[1, 1],
        auto_pad=_padding(layer),
    )
    return _activation(layer, [_with_bias(node, bias)], ())


def _convolution_at_one_position(
    layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]
) -> ov.Node:
    """Multiply matrices instead: the same sums, 15 times as fast for 16 images."""
    kernel, *bias = weights
    flat = _flatten(layer, inputs, ())
    node = _dense(layer, [flat], [kernel.reshape(-1, kernel.shape[-1]), *bias])
    return ops.unsqueeze(node, np.array([2, 3]))


def _dense(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    kernel, *bias = weights
    if _rank(inputs[0]) != 2:
        raise ValueError("it is applied to more than one row of numbers")
    constant = ops.constant(np.ascontiguousarray(kernel), shared_memory=True)  # may be 400 MB
    node = ops.matmul(inputs[0], constant, False, False)
    return _activation(layer, [_with_bias(node, bias)], ())


def _depthwise_convolution(
    layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]
) -> ov.Node:
    kernel, *bias = weights
    if layer.config.get("depth_multiplier", 1) != 1:
        raise ValueError("it gives several channels for each")
    node = ops.group_convolution(
        inputs[0],
        ops.constant(np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)[:, None])),
        list(layer.config.get("strides", (1, 1))),
        pads_begin=[0, 0],
        pads_end=[0, 0],
        dilations=[1, 1],
        auto_pad=_padding(layer),
    )
    return _activation(layer, [_with_bias(node, bias)], ())


def _flatten(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return ops.reshape(ops.transpose(inputs[0], TO_CHANNELS_LAST), np.array([0, -1]), True)


def _global_average(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return ops.reduce_mean(inputs[0], np.array([2, 3]))


def _max_pooling(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    size, strides, padding = _pool(layer)
    return opset1.max_pool(inputs[0], strides, [0, 0], [0, 0], size, auto_pad=padding)


def _nothing(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return inputs[0]


def _prelu(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return ops.prelu(inputs[0], ops.constant(weights[0].reshape(-1)))


def _relu(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return ops.relu(inputs[0])


def _rescaling(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    scaled = ops.multiply(inputs[0], np.float32(layer.config["scale"]))
    return ops.add(scaled, np.float32(layer.config.get("offset", 0.0)))


def _reshape(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    shape = layer.config["target_shape"]
    if _rank(inputs[0]) != 4 or len(shape) != 2 or shape[0] != -1:
        raise ValueError(f"its shape is {shape}, not (-1, channels)")
    rows = ops.transpose(inputs[0], TO_CHANNELS_LAST)
    return ops.reshape(rows, np.array([0, *shape]), True)


def _softmax(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    return ops.softmax(inputs[0], 1)  # the channels, or the only axis


def _upsampling(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    if layer.config.get("interpolation", "nearest") != "nearest":
        raise ValueError(f"it interpolates by {layer.config['interpolation']}")
    factors = layer.config.get("size", (2, 2))
    return ops.interpolate(
        inputs[0],
        np.array(factors, np.float32),
        "nearest",
        "scales",
        axes=np.array([2, 3]),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _zero_padding(layer: Layer, inputs: Sequence[ov.Node], weights: Sequence[Array]) -> ov.Node:
    (top, bottom), (left, right) = layer.config["padding"]
    return ops.pad(inputs[0], [0, 0, top, left], [0, 0, bottom, right], "constant")


OPTIONS = frozenset(
    (
        *("activation", "depth_multiplier", "epsilon", "filters", "interpolation", "kernel_size"),
        *("offset", "padding", "pool_size", "rate", "scale", "shared_axes", "size", "strides"),
        *("target_shape", "units", "use_bias"),
    )
)
"""Options of layers that the translations take into account."""

TRANSLATIONS: dict[str, Translation] = {
    "Activation": _activation,
    "Add": _add,
    "AveragePooling2D": _average_pooling,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise_convolution,
    "Dropout": _nothing,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _max_pooling,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _zero_padding,
}
"""Kind of layer to its translation."""


def _pool(layer: Layer) -> tuple[list[int], list[int], str]:
    size = list(layer.config["pool_size"])
    return size, list(layer.config.get("strides") or size), _padding(layer)


def _padding(layer: Layer) -> str:
    return {"valid": "valid", "same": "same_upper"}[layer.config.get("padding", "valid")]


def _has_one_position(layer: Layer, kernel: Array, node: ov.Node) -> bool:
    """Return whether the kernel is as large as the image and has one position only."""
    _, _, *sides = node.output(0).get_partial_shape()
    return _padding(layer) == "valid" and all(
        side.is_static and side.get_length() == size
        for side, size in zip(sides, kernel.shape[:2], strict=True)
    )


def _with_bias(node: ov.Node, bias: Sequence[Array]) -> ov.Node:
    return ops.add(node, _along_channels(bias[0], node)) if bias else node


def _along_channels(values: Array, node: ov.Node) -> ov.Node:
    shape = (1, -1, 1, 1) if _rank(node) == 4 else (1, -1)
    return ops.constant(values.astype(np.float32).reshape(shape))


def _rank(node: ov.Node) -> int:
    return len(node.output(0).get_partial_shape())
