"""The three networks of MTCNN: proposals, refinement, output.

Each gives all that it says in one array: first two logits (no face, face), then the
offsets of the box's x1, y1, x2, y2 in shares of its sides, and from the last network the
x of five landmarks and their y.

Reference: Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks, IEEE Signal Processing Letters 2016.
"""

from __future__ import annotations

from faceattr.networks.graph import Layer, chain


def pnet() -> tuple[Layer, ...]:
    """Return the graph from (N, H, W, 3) pictures to (N, rows, columns, 6) proposals."""
    return chain(
        (None, None, 3),
        _convolution("conv1", 10, 3),
        _prelu("prelu1"),
        _max_pooling("pool1", 2, "same"),
        _convolution("conv2", 16, 3),
        _prelu("prelu2"),
        _convolution("conv3", 32, 3),
        _prelu("prelu3"),
        _convolution("answer", 6, 1),
    )


def rnet() -> tuple[Layer, ...]:
    """Return the graph from (N, 24, 24, 3) crops to (N, 6) refinements."""
    return chain(
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
        Layer("Dense", "answer", {"units": 6}),
    )


def onet() -> tuple[Layer, ...]:
    """Return the graph from (N, 48, 48, 3) crops to (N, 16) refinements with landmarks."""
    return chain(
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
        Layer("Dense", "answer", {"units": 16}),
    )


def _convolution(name: str, filters: int, size: int) -> Layer:
    return Layer("Conv2D", name, {"filters": filters, "kernel_size": (size, size)})


def _prelu(name: str) -> Layer:
    return Layer("PReLU", name, {"shared_axes": (1, 2)})


def _max_pooling(name: str, size: int, padding: str) -> Layer:
    config = {"pool_size": (size, size), "strides": (2, 2), "padding": padding}
    return Layer("MaxPooling2D", name, config)
