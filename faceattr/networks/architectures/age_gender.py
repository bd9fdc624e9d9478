"""The network of the built-in age and gender: two heads on one small residual trunk."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from faceattr.labels import GENDERS, NUM_AGES
from faceattr.networks.architectures.compact import Normalization, residual_features, softmax_head


def age_gender(
    input_shape: tuple[int, int, int] = (96, 96, 3),
    *,
    widths: Sequence[int] = (32, 64, 128, 224),
    depths: Sequence[int] = (1, 1, 2, 2),
    dropout: float = 0.3,
    normalization: Normalization = layers.BatchNormalization,
) -> keras.Model:
    """Return an untrained network with the outputs ``age`` and ``gender``.

    At the default size: 2.3 million parameters, 216 million multiply-adds.

    Args:
        input_shape: Height and width in pixels, and channels, of a crop in [0, 255].
        widths: Channels of each stage.
        depths: Residual blocks of each stage.
        dropout: Share of the pooled features dropped in training.
        normalization: Makes the normalization layer after each convolution.

    Returns:
        (N, H, W, C) to ``{"age": (N, 101), "gender": (N, 2)}`` probabilities.
    """
    crops = layers.Input(input_shape, name="crops")
    x = residual_features(crops, widths=widths, depths=depths, normalization=normalization)
    x = layers.Dropout(dropout)(x)
    heads = {
        "age": softmax_head(x, NUM_AGES, name="age"),
        "gender": softmax_head(x, len(GENDERS), name="gender"),
    }
    return keras.Model(crops, heads, name="age_gender")


def in_one_row(model: keras.Model) -> keras.Model:
    """Return the network with one output: (N, 103), age first; others stay as they are."""
    if not isinstance(model.output, dict):
        return model
    row = layers.Concatenate(name="row")([model.output["age"], model.output["gender"]])
    return keras.Model(model.input, row, name=model.name)
