"""HDF5 weights are read by the order of their layers, and only if every shape fits."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from standins import random_weights, write_hdf5

from faceattr.errors import WeightsError
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Layer, sequential

LAYERS = sequential(
    (6, 6, 3),
    Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "activation": "relu"}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 2, "activation": "softmax"}),
)
WEIGHTS = random_weights(LAYERS)


def message_of(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        Hdf5Weights(path, LAYERS)["conv"]
    return str(caught.value)


def test_layers_are_matched_by_order_and_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    write_hdf5(path, WEIGHTS)
    read = Hdf5Weights(path, LAYERS)
    assert list(read) == ["conv", "scores"]
    assert read.get("flatten") is None
    for name, arrays in WEIGHTS.items():
        for array, expected in zip(read[name], arrays, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_the_weights_of_a_whole_model_are_found(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    write_hdf5(tmp_path / "weights.h5", WEIGHTS)
    with h5py.File(tmp_path / "weights.h5") as weights, h5py.File(path, "w") as model:
        weights.copy("/", model, "model_weights")
    np.testing.assert_array_equal(Hdf5Weights(path, LAYERS)["conv"][0], WEIGHTS["conv"][0])


def test_a_file_is_opened_only_when_a_layer_is_asked_for(tmp_path: Path) -> None:
    assert len(Hdf5Weights(tmp_path / "missing.h5", LAYERS)) == 2


def test_another_shape_is_named_with_its_layer(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    write_hdf5(path, {**WEIGHTS, "scores": [np.zeros((64, 3)), np.zeros(3)]})
    assert message_of(path) == (
        f"layer 'scores' needs weights of (64, 2) and (2,), but 'old_scores' in {path} has "
        "(64, 3) and (3,)"
    )


def test_another_number_of_layers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    write_hdf5(path, {"conv": WEIGHTS["conv"]})
    assert message_of(path) == f"{path} has 1 layers with weights, the network 2"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    write_hdf5(path, WEIGHTS)
    path.write_bytes(path.read_bytes()[:-1000])
    assert message_of(path).startswith(f"{path} cannot be read as HDF5 weights: ")


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("numbers", data=np.arange(3))
    assert message_of(path).startswith(f"{path} cannot be read as HDF5 weights: ")
