"""The three networks, with the weights of the mtcnn package.

Each gives all its outputs in one array: first two logits (no face, face), then the offsets of the
box's x1, y1, x2 and y2 as shares of its sides, and from ONet the x of five landmarks, then their
y.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from faceattr.errors import MissingDependencyError
from faceattr.networks.formats.joblib_file import read_arrays
from faceattr.networks.graph import Array, Layer, Network, sequential

NUM_ARRAYS = {"Conv2D": 2, "Dense": 2, "PReLU": 1}


def read_network(name: str) -> Network:
    """Return ``"pnet"``, ``"rnet"`` or ``"onet"`` with the weights of the installed mtcnn package.

    The package takes RGB in [-1, 1], lays images out by columns before dense layers, and gives
    several outputs. The weights are rearranged once, so that no image has to be.

    Raises:
        MissingDependencyError: The package is not installed.
        WeightsError: Its file is damaged.
    """
    layers = {"pnet": pnet, "rnet": rnet, "onet": onet}[name]()
    path = _find_file(name)
    arrays = read_arrays(path)
    weighted = [layer for layer in layers if layer.kind in NUM_ARRAYS]
    counts = [NUM_ARRAYS[layer.kind] for layer in weighted[:-1]]
    body, outputs = arrays[: sum(counts)], arrays[sum(counts) :]
    groups = [
        body[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)
    ]
    groups[0] = _take_bgr_bytes(*groups[0])
    for index, layer in enumerate(weighted[:-1]):
        if layer.kind == "Dense":
            groups[index][0] = _take_rows(groups[index][0], channels=groups[index - 1][0].shape[-1])
    groups.append(_merge_outputs(outputs))
    weights = {layer.name: group for layer, group in zip(weighted, groups, strict=True)}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Network(name, layers, weights, digest, stored=False)


def _find_file(name: str) -> Path:
    package = importlib.util.find_spec("mtcnn")  # importing it would import TensorFlow
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError("the detector 'mtcnn' needs: pip install mtcnn")
    return Path(package.submodule_search_locations[0], "assets", "weights", f"{name}.lz4")


def _take_bgr_bytes(kernel: Array, bias: Array) -> list[Array]:
    """Change a first convolution of RGB in [-1, 1] into one of BGR in [0, 255]."""
    kernel = kernel[:, :, ::-1] / 128
    return [kernel, bias - 127.5 * kernel.sum(axis=(0, 1, 2))]


def _take_rows(kernel: Array, channels: int) -> Array:
    """Change a dense layer on a square map laid out by columns into one by rows."""
    side = math.isqrt(len(kernel) // channels)
    return kernel.reshape(side, side, channels, -1).swapaxes(0, 1).reshape(kernel.shape)


def _merge_outputs(arrays: Sequence[Array]) -> list[Array]:
    """Return one kernel and one bias for all outputs; the last, face or not, comes first."""
    kernels, biases = arrays[::2], arrays[1::2]
    return [np.concatenate([parts[-1], *parts[:-1]], axis=-1) for parts in (kernels, biases)]


def pnet() -> tuple[Layer, ...]:
    """Return the graph from (N, H, W, 3) images to (N, rows, columns, 6) proposals."""
    return sequential(
        (None, None, 3),
        _convolution("conv1", 10, 3),
        _prelu("prelu1"),
        _max_pooling("pool1", 2, "same"),
        _convolution("conv2", 16, 3),
        _prelu("prelu2"),
        _convolution("conv3", 32, 3),
        _prelu("prelu3"),
        _convolution("output", 6, 1),
    )


def rnet() -> tuple[Layer, ...]:
    """Return the graph from (N, 24, 24, 3) crops to (N, 6) refinements."""
    return sequential(
        (24, 24, 3),
        _convolution("conv1", 28, 3),
        _prelu("prelu1"),
        _max_pooling("pool1", 3, "same"),
        _convolution("conv2", 48, 3),
        _prelu("prelu2"),
        _max_pooling("pool2", 3, "valid"),
        _convolution("conv3", 64, 2),
        _prelu("prelu3"),
        Layer("Flatten", "flatten"),
        Layer("Dense", "dense", {"units": 128}),
        Layer("PReLU", "prelu4"),
        Layer("Dense", "output", {"units": 6}),
    )


def onet() -> tuple[Layer, ...]:
    """Return the graph from (N, 48, 48, 3) crops to (N, 16) refinements with landmarks."""
    return sequential(
        (48, 48, 3),
        _convolution("conv1", 32, 3),
        _prelu("prelu1"),
        _max_pooling("pool1", 3, "same"),
        _convolution("conv2", 64, 3),
        _prelu("prelu2"),
        _max_pooling("pool2", 3, "valid"),
        _convolution("conv3", 64, 3),
        _prelu("prelu3"),
        _max_pooling("pool3", 2, "same"),
        _convolution("conv4", 128, 2),
        _prelu("prelu4"),
        Layer("Flatten", "flatten"),
        Layer("Dense", "dense", {"units": 256}),
        Layer("PReLU", "prelu5"),
        Layer("Dense", "output", {"units": 16}),
    )


def _convolution(name: str, filters: int, size: int) -> Layer:
    return Layer("Conv2D", name, {"filters": filters, "kernel_size": (size, size)})


def _prelu(name: str) -> Layer:
    return Layer("PReLU", name, {"shared_axes": (1, 2)})


def _max_pooling(name: str, size: int, padding: str) -> Layer:
    config = {"pool_size": (size, size), "strides": (2, 2), "padding": padding}
    return Layer("MaxPooling2D", name, config)
