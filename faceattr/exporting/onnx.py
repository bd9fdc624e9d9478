"""Networks to ONNX, by the onnx package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from faceattr.errors import EngineError, MissingDependencyError
from faceattr.networks.graph import Array, Layer, Network
from faceattr.networks.shapes import output_shapes

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise MissingDependencyError("ONNX files need: pip install 'faceattr[export]'") from error

OPSET = 17
IR_VERSION = 8  # of ONNX 1.12 and later, which older runtimes read too
INPUT, OUTPUT = "crops", "answers"


def to_onnx(network: Network, metadata: Mapping[str, str]) -> bytes:
    """Return the network as an ONNX file from (N, H, W, C) float32 to float32, for any N.

    Args:
        network: Its layers are those of the built-in networks; images flow through it as
            (N, C, H, W).
        metadata: Texts to keep in the file.

    Raises:
        EngineError: It has a layer that is not supported.
    """
    first, *layers = network.layers
    graph = _Graph(output_shapes(network.layers))
    images = graph.add("Transpose", [INPUT], perm=[0, 3, 1, 2])
    names = {first.name: images}
    for layer in layers:
        if layer.kind not in TRANSLATIONS:
            raise EngineError(
                f"layer {layer.name!r} is a {layer.kind}, which the export to ONNX does not "
                f"support; it supports {', '.join(TRANSLATIONS)}"
            )
        given = [names[name] for name in layer.inputs]
        weights = network.weights.get(layer.name, ())
        names[layer.name] = TRANSLATIONS[layer.kind](graph, layer, given, weights)
    graph.add("Identity", [names[layers[-1].name]], output=OUTPUT)
    height, width, channels = first.config["shape"]
    (columns,) = graph.shapes[layers[-1].name]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            network.name,
            [
                helper.make_tensor_value_info(
                    INPUT, TensorProto.FLOAT, ["N", height, width, channels]
                )
            ],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", columns])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="faceattr",
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """The nodes and constants of a graph that is being written.

    Args:
        shapes: Shape of each layer's output, without the batch.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], *, output: str = "", **options: Any) -> str:
        """Add a node, and return the name of its output."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **options))
        return output

    def constant(self, array: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"constant_{len(self.constants)}"
        numbers = np.ascontiguousarray(array, dtype)
        self.constants.append(numpy_helper.from_array(numbers, name))
        return name

    def activate(self, layer: Layer, value: str) -> str:
        """Add the activation of a layer."""
        kinds = {"linear": "", "relu": "Relu", "sigmoid": "Sigmoid"}
        activation = layer.config.get("activation", "linear")
        if activation not in kinds:
            raise EngineError(
                f"layer {layer.name!r} has the activation {activation!r}, which the export to "
                f"ONNX does not support; it supports {', '.join(kinds)}"
            )
        return self.add(kinds[activation], [value]) if kinds[activation] else value


Translation: TypeAlias = Callable[[_Graph, Layer, Sequence[str], Sequence[Array]], str]
"""Graph, layer, names of its inputs and weights to the name of its output."""


def _add(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    return graph.add("Add", inputs)


def _activation(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    return graph.activate(layer, inputs[0])


def _average_pooling(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    return graph.add("AveragePool", inputs, **_window(layer))


def _batch_normalization(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    constants = [graph.constant(array) for array in weights]
    epsilon = float(layer.config.get("epsilon", 1e-3))
    return graph.add("BatchNormalization", [inputs[0], *constants], epsilon=epsilon)


def _convolution(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    kernel, *bias = weights
    given = [inputs[0], graph.constant(kernel.transpose(3, 2, 0, 1)), *map(graph.constant, bias)]
    strides = list(layer.config.get("strides", (1, 1)))
    padding = _padding(layer)
    return graph.activate(layer, graph.add("Conv", given, auto_pad=padding, strides=strides))


def _dense(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    given = [inputs[0], *map(graph.constant, weights)]
    return graph.activate(layer, graph.add("Gemm", given))


def _global_average(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    return graph.add("ReduceMean", inputs, axes=[2, 3], keepdims=0)


def _max_pooling(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    return graph.add("MaxPool", inputs, **_window(layer))


def _nothing(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    return inputs[0]


def _relu(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    return graph.add("Relu", inputs)


def _rescaling(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    scale = graph.constant(np.float32(layer.config["scale"]))
    offset = graph.constant(np.float32(layer.config.get("offset", 0.0)))
    return graph.add("Add", [graph.add("Mul", [inputs[0], scale]), offset])


def _softmax(graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]) -> str:
    return graph.add("Softmax", inputs, axis=1)


def _zero_padding(
    graph: _Graph, layer: Layer, inputs: Sequence[str], weights: Sequence[Array]
) -> str:
    (top, bottom), (left, right) = layer.config["padding"]
    pads = graph.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.add("Pad", [inputs[0], pads])


TRANSLATIONS: dict[str, Translation] = {
    "Activation": _activation,
    "Add": _add,
    "AveragePooling2D": _average_pooling,
    "BatchNormalization": _batch_normalization,
    "Conv2D": _convolution,
    "Dense": _dense,
    "Dropout": _nothing,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _max_pooling,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
    "ZeroPadding2D": _zero_padding,
}
"""Kind of layer to its translation."""


def _window(layer: Layer) -> dict[str, Any]:
    """Return the options of a pooling."""
    size = list(layer.config["pool_size"])
    strides = list(layer.config.get("strides") or size)
    return {"kernel_shape": size, "strides": strides, "auto_pad": _padding(layer)}


def _padding(layer: Layer) -> str:
    return {"valid": "VALID", "same": "SAME_UPPER"}[layer.config.get("padding", "valid")]
