"""Write random weights with the names and layout of the files that deepface publishes.

    python stand_ins.py FOLDER

writes those that are missing: Keras's HDF5 files for TensorFlow, and graphs with the same weights
for deepface's ONNX engine. How fast a network is does not depend on its weights' values. It runs
in an environment of its own, since nothing that is measured needs ONNX's own package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # in the environment that runs this
from onnx import TensorProto, helper, numpy_helper

from faceattr.networks.architectures.emotion_cnn import emotion_cnn
from faceattr.networks.architectures.vgg_face import vgg_face
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Array, Layer
from faceattr.testing.stand_ins import random_weights, write_hdf5

NETWORKS = {  # graph and seed; age and gender share a trunk, as the published ones do
    "facial_expression_model_weights": (emotion_cnn(), 0),
    "age_model_weights": (vgg_face(101), 0),
    "gender_model_weights": (vgg_face(2), 0),
    "race_model_single_batch": (vgg_face(6), 1),
}
POOLINGS = {"MaxPooling2D": "MaxPool", "AveragePooling2D": "AveragePool"}
ACTIVATIONS = {"relu": "Relu", "softmax": "Softmax"}


def main() -> None:
    """Write the files that are missing."""
    folder = Path(sys.argv[1])
    for name, (layers, seed) in NETWORKS.items():
        keras, graph = folder / f"{name}.h5", folder / f"{name}.onnx"
        if not keras.exists():
            write_hdf5(keras, random_weights(layers, seed))
        if not graph.exists():
            write_onnx(graph, layers, Hdf5Weights(keras, layers))
    print("{}")


def write_onnx(path: Path, layers: Sequence[Layer], weights: Mapping[str, Sequence[Array]]) -> None:
    """Write a graph that takes (N, H, W, C) crops in [0, 1], as deepface's ONNX files do.

    Args:
        path: The file.
        layers: A chain. Where it flattens, height and width must be 1: Keras and ONNX have
            other orders of axes.
        weights: The arrays of each layer that has some.
    """
    shape = layers[0].config["shape"]
    nodes = [helper.make_node("Transpose", ["input"], ["x0"], perm=[0, 3, 1, 2])]
    constants = []

    def add(kind: str, *inputs: str, **options: Any) -> None:
        nodes.append(
            helper.make_node(kind, [nodes[-1].output[0], *inputs], [f"x{len(nodes)}"], **options)
        )

    for layer in layers:
        names = [f"{layer.name}/{part}" for part in ("kernel", "bias")]
        match layer.kind:
            case "Conv2D":
                same = layer.config.get("padding") == "same"
                padding = layer.config["kernel_size"][0] // 2 if same else 0
                add("Conv", *names, pads=[padding] * 4)
            case "Dense":
                add("Gemm", *names)
            case "MaxPooling2D" | "AveragePooling2D":
                size = list(layer.config["pool_size"])
                strides = list(layer.config.get("strides", size))
                add(POOLINGS[layer.kind], kernel_shape=size, strides=strides)
            case "Flatten":
                add("Flatten")
            case "Softmax":
                add("Softmax", axis=1)
        if activation := ACTIVATIONS.get(layer.config.get("activation", "")):
            add(activation, **({"axis": 1} if activation == "Softmax" else {}))
        arrays = weights.get(layer.name, ())
        for array, name in zip(arrays, names, strict=False):
            order = (3, 2, 0, 1) if array.ndim == 4 else range(array.ndim)
            constants.append(
                numpy_helper.from_array(np.ascontiguousarray(array.transpose(*order)), name)
            )
    num_classes = constants[-1].dims[0]
    crops = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *shape])
    scores = helper.make_tensor_value_info(
        nodes[-1].output[0], TensorProto.FLOAT, ["n", num_classes]
    )
    graph = helper.make_graph(nodes, path.stem, [crops], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
