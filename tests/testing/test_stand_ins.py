from __future__ import annotations

from pathlib import Path

import numpy as np

from faceattr.engines import create_engine
from faceattr.networks.architectures import vgg_face
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Layer, Network, sequential
from faceattr.testing.stand_ins import random_weights, write_hdf5

NARROW = {"width": 2, "hidden": 16}


def test_activations_neither_vanish_nor_explode() -> None:
    layers = sequential(
        (8, 8, 16),
        *(
            Layer(
                "Conv2D",
                f"conv{index}",
                {"filters": 16, "kernel_size": (3, 3), "padding": "same", "activation": "relu"},
            )
            for index in range(12)
        ),
    )
    network = Network("deep", layers, random_weights(layers))
    crops = np.full((1, 8, 8, 16), 1, np.uint8)
    features = create_engine(precision="f32", threads=1).compile(network)(crops)
    assert 0.1 < features.std() < 10


def test_graphs_that_begin_alike_share_weights_of_one_seed() -> None:
    age = random_weights(vgg_face.vgg_face(101, **NARROW))
    gender = random_weights(vgg_face.vgg_face(2, **NARROW))
    np.testing.assert_array_equal(age["conv5_3"][0], gender["conv5_3"][0])
    other = random_weights(vgg_face.vgg_face(2, **NARROW), seed=1)
    assert not np.array_equal(gender["conv5_3"][0], other["conv5_3"][0])


def test_a_layer_without_bias_gets_none() -> None:
    layers = sequential(
        (4, 4, 3), Layer("Conv2D", "conv", {"filters": 2, "kernel_size": (3, 3), "use_bias": False})
    )
    (kernel,) = random_weights(layers)["conv"]
    assert kernel.shape == (3, 3, 3, 2)
    assert kernel.dtype == np.float32


def test_written_weights_are_read_again(tmp_path: Path) -> None:
    layers = vgg_face.head(2, **NARROW)
    weights = random_weights(layers)
    write_hdf5(tmp_path / "head.h5", weights)
    read = Hdf5Weights(tmp_path / "head.h5", layers)
    for name, arrays in weights.items():
        for array, expected in zip(read[name], arrays, strict=True):
            np.testing.assert_array_equal(array, expected)
