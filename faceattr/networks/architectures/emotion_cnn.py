"""The classic emotion network: a plain convolutional network from a FER2013 tutorial."""

from __future__ import annotations

from faceattr.networks.graph import Layer, sequential


def emotion_cnn() -> tuple[Layer, ...]:
    """Return the graph from (N, 48, 48, 1) crops in [0, 255] to (N, 7) probabilities.

    The published weights expect gray in [0, 1], so the first layer rescales it.
    1,485,831 parameters.
    """
    return sequential(
        (48, 48, 1),
        Layer("Rescaling", "to_unit", {"scale": 1 / 255}),
        _convolution("conv1", 64, 5),
        _pooling("MaxPooling2D", "pool1", 5),
        _convolution("conv2", 64, 3),
        _convolution("conv3", 64, 3),
        _pooling("AveragePooling2D", "pool2", 3),
        _convolution("conv4", 128, 3),
        _convolution("conv5", 128, 3),
        _pooling("AveragePooling2D", "pool3", 3),
        Layer("Flatten", "flatten"),
        Layer("Dense", "dense1", {"units": 1024, "activation": "relu"}),
        Layer("Dense", "dense2", {"units": 1024, "activation": "relu"}),
        Layer("Dense", "scores", {"units": 7, "activation": "softmax"}),
    )


def _convolution(name: str, filters: int, size: int) -> Layer:
    config = {"filters": filters, "kernel_size": (size, size), "activation": "relu"}
    return Layer("Conv2D", name, config)


def _pooling(kind: str, name: str, size: int) -> Layer:
    return Layer(kind, name, {"pool_size": (size, size), "strides": (2, 2)})
