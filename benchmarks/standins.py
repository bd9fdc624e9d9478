"""Random weights with the names, shapes and layout of the ones that deepface publishes.

    python standins.py FOLDER

writes what is missing there: Keras's files for TensorFlow, and graphs with the same weights for
deepface's ONNX engine. How fast a network is does not depend on its weights' values. It runs in
an environment of its own, as nothing that is measured needs ONNX's own package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import onnx  # type: ignore[import-not-found]  # in the environment that runs this
from onnx import TensorProto, helper, numpy_helper


class Pool(NamedTuple):
    """A pooling: of its kind, with windows of so many px on a side, two px apart."""

    kind: str
    size: int


class Weighted(NamedTuple):
    """A convolution or dense layer: by the shape of its kernel, and what follows it."""

    kernel: tuple[int, ...]
    padding: int = 0
    activation: str = "Relu"


def emotion() -> Iterator[Pool | Weighted]:
    """Yield the layers of the classic emotion network."""
    yield Weighted((5, 5, 1, 64))
    yield Pool("MaxPool", 5)
    yield Weighted((3, 3, 64, 64))
    yield Weighted((3, 3, 64, 64))
    yield Pool("AveragePool", 3)
    yield Weighted((3, 3, 64, 128))
    yield Weighted((3, 3, 128, 128))
    yield Pool("AveragePool", 3)
    yield Weighted((128, 1024))
    yield Weighted((1024, 1024))
    yield Weighted((1024, 7), activation="Softmax")


def vgg_face(num_classes: int) -> Iterator[Pool | Weighted]:
    """Yield the layers of VGG-Face with a head."""
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            yield Weighted((3, 3, channels, width), padding=1)
            channels = width
        yield Pool("MaxPool", 2)
    yield Weighted((7, 7, 512, 4096))
    yield Weighted((1, 1, 4096, 4096))
    yield Weighted((1, 1, 4096, num_classes), activation="Softmax")


NETWORKS = {  # and the side and channels of their input
    "facial_expression_model_weights": (tuple(emotion()), 48, 1),
    "age_model_weights": (tuple(vgg_face(101)), 224, 3),
    "gender_model_weights": (tuple(vgg_face(2)), 224, 3),
    "race_model_single_batch": (tuple(vgg_face(6)), 224, 3),
}
TRUNK_LAYERS = 13  # the weighted layers that the published age and gender have in common


def main() -> None:
    """Write the files that are missing."""
    folder = Path(sys.argv[1])
    for number, (name, (layers, side, channels)) in enumerate(NETWORKS.items()):
        keras, graph = folder / f"{name}.h5", folder / f"{name}.onnx"
        if not keras.exists():
            write_keras(keras, random_weights(layers, number))
        if not graph.exists():
            write_onnx(graph, layers, read_keras(keras), side=side, channels=channels)
    print("{}")


def random_weights(
    layers: Sequence[Pool | Weighted], seed: int
) -> list[list[np.ndarray[Any, Any]]]:
    """Return kernel and bias of each layer, such that activations neither fade nor grow."""
    shapes = [layer.kernel for layer in layers if isinstance(layer, Weighted)]
    weights = []
    for index, shape in enumerate(shapes):
        shared = len(shapes) > TRUNK_LAYERS and index < TRUNK_LAYERS
        rng = np.random.default_rng([0 if shared else seed, index])
        kernel = rng.standard_normal(shape, np.float32) * np.float32(
            np.sqrt(2 / np.prod(shape[:-1]))
        )
        weights.append([kernel, 0.01 * rng.standard_normal(shape[-1], np.float32)])
    return weights


def write_keras(path: Path, weights: Sequence[Sequence[np.ndarray[Any, Any]]]) -> None:
    """Write weights as Keras 2 did."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [f"layer_{index}".encode() for index in range(len(weights))]
        for index, arrays in enumerate(weights):
            group = file.create_group(f"layer_{index}")
            names = [f"layer_{index}/{part}:0" for part in ("kernel", "bias")]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays, strict=True):
                group[name] = array


def read_keras(path: Path) -> list[list[np.ndarray[Any, Any]]]:
    """Return the arrays of each layer that has some."""
    with h5py.File(path) as file:
        groups = [file[name] for name in np.array(file.attrs["layer_names"], str)]
        return [
            [group[name][()] for name in np.array(group.attrs["weight_names"], str)]
            for group in groups
            if len(group.attrs["weight_names"])
        ]


def write_onnx(
    path: Path,
    layers: Sequence[Pool | Weighted],
    weights: Sequence[Sequence[np.ndarray[Any, Any]]],
    *,
    side: int,
    channels: int,
) -> None:
    """Write a graph that takes (N, side, side, channels), as deepface's ONNX files do."""
    nodes = [helper.make_node("Transpose", ["input"], ["x0"], perm=[0, 3, 1, 2])]
    constants = []
    flat = False

    def add(kind: str, *inputs: str, **options: Any) -> None:
        nodes.append(
            helper.make_node(kind, [nodes[-1].output[0], *inputs], [f"x{len(nodes)}"], **options)
        )

    arrays = iter(weights)
    for number, layer in enumerate(layers):
        if isinstance(layer, Pool):
            add(layer.kind, kernel_shape=[layer.size] * 2, strides=[2, 2])
            continue
        kernel, bias = next(arrays)
        names = f"kernel{number}", f"bias{number}"
        last = layer.activation == "Softmax"
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
            add("Conv", *names, pads=[layer.padding] * 4)
            if last:
                add("Flatten")
        else:
            if not flat:
                add("Flatten")
                flat = True
            add("Gemm", *names)
        constants += [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for array, name in zip((kernel, bias), names, strict=True)
        ]
        add(layer.activation, **({"axis": 1} if last else {}))
    batch = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", side, side, channels])
    num_classes = len(weights[-1][1])
    answer = helper.make_tensor_value_info(
        nodes[-1].output[0], TensorProto.FLOAT, ["n", num_classes]
    )
    graph = helper.make_graph(nodes, path.stem, [batch], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
