"""HDF5 weights are read by the order of their layers, and only if every shape fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def write_one(path: Path, **kernel: Any) -> Path:
    """Write a file of one dense layer; the arguments make its kernel."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        group.create_dataset("d/bias:0", (2,), "f4")
        if kernel:
            group.create_dataset("d/kernel:0", **kernel)
    return path


DENSE = sequential((8, 8, 3), Layer("Flatten", "flat"), Layer("Dense", "d", {"units": 2}))
KERNEL = np.arange(384, dtype=np.float32).reshape(192, 2)


def external_storage(path: Path, other: Path) -> None:
    other.write_bytes(KERNEL.tobytes())
    write_one(path, shape=(192, 2), dtype="f4", external=[(str(other), 0, KERNEL.nbytes)])


def external_link(path: Path, other: Path) -> None:
    write_one(other, data=KERNEL)
    with h5py.File(write_one(path), "a") as file:
        file["d/d/kernel:0"] = h5py.ExternalLink(str(other), "d/d/kernel:0")


def external_layer(path: Path, other: Path) -> None:
    write_one(other, data=KERNEL)
    with h5py.File(write_one(path), "a") as file:
        del file["d"]
        file["d"] = h5py.ExternalLink(str(other), "d")


def external_model(path: Path, other: Path) -> None:
    write_one(other, data=KERNEL)
    with h5py.File(path, "w") as file:
        file["model_weights"] = h5py.ExternalLink(str(other), "/")


def soft_link_through_an_external_one(path: Path, other: Path) -> None:
    write_one(other, data=KERNEL)
    with h5py.File(write_one(path), "a") as file:
        file["away"] = h5py.ExternalLink(str(other), "d")
        file["d/d/kernel:0"] = h5py.SoftLink("/away/d/kernel:0")


def virtual_data(path: Path, other: Path) -> None:
    write_one(other, data=KERNEL)
    layout = h5py.VirtualLayout((192, 2), "f4")
    layout[:] = h5py.VirtualSource(str(other), "d/d/kernel:0", (192, 2))
    with h5py.File(write_one(path), "a") as file:
        file["d"].create_virtual_dataset("d/kernel:0", layout)


@pytest.mark.parametrize(
    "write",
    [
        external_storage,
        external_link,
        external_layer,
        external_model,
        soft_link_through_an_external_one,
        virtual_data,
    ],
)
def test_a_file_cannot_make_us_read_another(
    tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    write(tmp_path / "weights.h5", tmp_path / "other")
    with pytest.raises(WeightsError, match=r"which is not allowed$"):
        Hdf5Weights(tmp_path / "weights.h5", DENSE)["d"]


def test_what_is_wanted_is_read_all_the_same(tmp_path: Path) -> None:
    read = Hdf5Weights(write_one(tmp_path / "weights.h5", data=KERNEL), DENSE)["d"]
    np.testing.assert_array_equal(read[0], KERNEL)


def test_groups_that_contain_each_other_are_read_once(tmp_path: Path) -> None:
    path = write_one(tmp_path / "weights.h5", data=KERNEL)
    with h5py.File(path, "a") as file:
        file["d/loop"] = file["d"]
    np.testing.assert_array_equal(Hdf5Weights(path, DENSE)["d"][0], KERNEL)


def test_a_small_file_cannot_claim_large_arrays(tmp_path: Path) -> None:
    path = write_one(tmp_path / "weights.h5", shape=(192, 10**9), dtype="f4", chunks=(192, 100))
    with pytest.raises(WeightsError, match="claims to hold 768000000008 bytes of weights"):
        Hdf5Weights(path, DENSE)["d"]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"layer_names": 7},
        {"layer_names": [b"\xff"]},
        {"layer_names": [b"missing"]},
        {"layer_names": h5py.Empty("f4")},
        {"weight_names": 7},
        {"weight_names": [1.5, 2.5]},
        {"weight_names": [b"d/kernel:0", b"\xff"]},
        {"weight_names": [b"d", b"d/bias:0"]},  # a group
    ],
)
def test_odd_attributes_are_named(tmp_path: Path, attributes: dict[str, Any]) -> None:
    path = write_one(tmp_path / "weights.h5", data=KERNEL)
    with h5py.File(path, "a") as file:
        if not attributes:
            del file.attrs["layer_names"]
        for name, value in attributes.items():
            (file if name == "layer_names" else file["d"]).attrs[name] = value
    with pytest.raises(WeightsError, match=r"weights\.h5"):
        Hdf5Weights(path, DENSE)["d"]


@pytest.mark.parametrize("dtype", ["S4", h5py.string_dtype(), h5py.ref_dtype, np.complex64])
def test_weights_must_be_numbers(tmp_path: Path, dtype: Any) -> None:
    path = write_one(tmp_path / "weights.h5", shape=(192, 2), dtype=dtype)
    with pytest.raises(WeightsError, match="instead of numbers"):
        Hdf5Weights(path, DENSE)["d"]
