"""The small residual networks of the built-in models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
from keras import layers

Normalization: TypeAlias = Callable[[], keras.Layer]
"""Makes the normalization layer after each convolution."""


def compact(
    input_shape: tuple[int, int, int] = (48, 48, 1),
    *,
    num_classes: int = 7,
    widths: Sequence[int] = (48, 112, 224),
    depths: Sequence[int] = (1, 1, 2),
    dropout: float = 0.3,
    normalization: Normalization = layers.BatchNormalization,
) -> keras.Model:
    """Return an untrained classifier of face crops.

    At the default size: 1.8 million parameters, 106 million multiply-adds.

    Args:
        input_shape: Height and width in pixels, and channels, of a crop in [0, 255].
        num_classes: Number of probabilities in the output.
        widths: Channels of each stage.
        depths: Residual blocks of each stage.
        dropout: Share of the pooled features dropped in training.
        normalization: Makes the normalization layer after each convolution.
    """
    crops = layers.Input(input_shape, name="crops")
    x = residual_features(crops, widths=widths, depths=depths, normalization=normalization)
    x = layers.Dropout(dropout)(x)
    return keras.Model(crops, softmax_head(x, num_classes, name="scores"), name="compact")


def residual_features(
    crops: keras.KerasTensor,
    *,
    widths: Sequence[int],
    depths: Sequence[int],
    normalization: Normalization,
) -> keras.KerasTensor:
    """Return (N, C) features of (N, H, W, channels) crops in [0, 255].

    A 5×5 convolution halves the image, and so does each stage of residual blocks but the first;
    global average pooling follows.

    Reference: He et al., Deep Residual Learning for Image Recognition, CVPR 2016.
    """
    convolve = _Convolution(normalization)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(crops)
    x = convolve(x, widths[0], kernel=5, stride=2)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            shortcut = x
            if stride > 1 or x.shape[-1] != width:
                shortcut = convolve(x, width, kernel=1, stride=stride, activation=None)
            x = convolve(x, width, kernel=3, stride=stride)
            x = convolve(x, width, kernel=3, activation=None)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    return layers.GlobalAveragePooling2D(name="features")(x)


def softmax_head(x: keras.KerasTensor, num_classes: int, *, name: str) -> keras.KerasTensor:
    """Return (N, num_classes) probabilities in float32."""
    logits = layers.Dense(num_classes, name=f"{name}_logits", dtype="float32")(x)
    return layers.Softmax(name=name, dtype="float32")(logits)


class _Convolution:
    """Convolution, normalization and activation."""

    def __init__(self, normalization: Normalization) -> None:
        self._normalization = normalization

    def __call__(
        self,
        x: keras.KerasTensor,
        width: int,
        *,
        kernel: int,
        stride: int = 1,
        activation: str | None = "relu",
    ) -> keras.KerasTensor:
        x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
        x = self._normalization()(x)
        return layers.Activation(activation)(x) if activation else x
