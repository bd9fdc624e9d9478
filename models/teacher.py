"""The network that teaches those that ship: dlib's for face recognition, trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras

from faceattr.networks.architectures.dlib_face import dlib_trunk
from faceattr.networks.formats import npz
from faceattr.networks.keras_models import build
from models.crops import TEACHER_CROP
from models.figures import ASSETS

LAST_BLOCK = "stage3_2"
DROPOUT = 0.3  # share of the features in training


def teacher(
    heads: Mapping[str, int], *, side: int = TEACHER_CROP.size[0], last_block: str = LAST_BLOCK
) -> keras.Model:
    """Return dlib's network up to a block, with its weights, and untrained heads.

    At the default size: 4.4 million parameters, 157 million multiply-adds.

    Args:
        heads: Name of each attribute to the number of its classes.
        side: Height and width of a crop in pixels.
        last_block: The block whose output is averaged to features.

    Returns:
        (N, side, side, 3) RGB in [0, 255] to (N, C) probabilities, by the name of each head if
        there are several.

    Reference: King, dlib_face_recognition_resnet_model_v1, 2017.
    """
    trunk = build("teacher", dlib_trunk(side, last_block))
    load_by_name(trunk, ASSETS / "identity.npz")
    x = keras.layers.Dropout(DROPOUT)(trunk.output)
    outputs = {}
    for head, num_classes in heads.items():
        logits = keras.layers.Dense(num_classes, name=f"{head}_logits", dtype="float32")(x)
        outputs[head] = keras.layers.Softmax(name=head, dtype="float32")(logits)
    single = next(iter(outputs.values())) if len(outputs) == 1 else outputs
    return keras.Model(trunk.input, single, name="teacher")


def load_by_name(model: keras.Model, file: Path) -> None:
    """Give the layers the weights that layers of these names have in a file; others stay."""
    weights = npz.load(file).weights
    for layer in model.layers:
        if layer.weights and layer.name in weights:
            layer.set_weights(weights[layer.name])
