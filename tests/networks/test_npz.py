"""Networks in npz archives come back as they were, or not at all."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from standins import random_weights

from faceattr.errors import WeightsError
from faceattr.networks.formats import npz
from faceattr.networks.graph import Layer, Network, sequential

LAYERS = sequential(
    (6, 6, 3),
    Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "activation": "relu"}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 2, "activation": "softmax"}),
)
NETWORK = Network("toy", LAYERS, random_weights(LAYERS))


def saved() -> bytes:
    file = io.BytesIO()
    npz.save(NETWORK, file)
    return file.getvalue()


def test_a_saved_network_is_the_same_but_for_half_precision() -> None:
    loaded = npz.load(saved())
    assert loaded.name == "toy"
    assert [layer.inputs for layer in loaded.layers] == [layer.inputs for layer in LAYERS]
    for name, arrays in NETWORK.weights.items():
        for array, again in zip(arrays, loaded.weights[name], strict=True):
            assert again.dtype == np.float32
            np.testing.assert_allclose(again, array, rtol=1e-3, atol=1e-6)


def test_kernels_are_saved_in_half_precision_and_biases_are_not() -> None:
    with np.load(io.BytesIO(saved())) as archive:
        assert {key: archive[key].dtype for key in archive.files if key != "graph"} == {
            **dict.fromkeys(("conv/0", "scores/0"), np.float16),
            **dict.fromkeys(("conv/1", "scores/1"), np.float32),
        }


def test_kernels_in_whole_numbers_come_back_within_half_a_step_of_their_channel() -> None:
    file = io.BytesIO()
    npz.save(NETWORK, file, whole={"conv"})
    loaded = npz.load(file.getvalue())
    kernel, bias = NETWORK.weights["conv"]
    again, same_bias = loaded.weights["conv"]
    steps = abs(kernel).max(axis=(0, 1, 2)) / 127
    assert again.dtype == np.float32
    assert (abs(again - kernel) <= 0.501 * steps).all()
    assert abs(again - kernel).max() > 0.3 * steps.min()
    np.testing.assert_array_equal(same_bias, bias)
    with np.load(io.BytesIO(file.getvalue())) as archive:
        assert archive["conv/0"].dtype == np.int8
        assert archive["scores/0"].dtype == np.float16


def test_a_kernel_of_zeros_stays_zero() -> None:
    file = io.BytesIO()
    layers = sequential((2,), Layer("Dense", "scores", {"units": 2}))
    npz.save(Network("zero", layers, {"scores": [np.zeros((2, 2))]}), file, whole={"scores"})
    np.testing.assert_array_equal(npz.load(file.getvalue()).weights["scores"][0], 0)


def test_the_ranges_of_layers_come_back() -> None:
    file = io.BytesIO()
    npz.save(replace(NETWORK, ranges={"input": (-1.5, 1.0)}), file)
    assert npz.load(file.getvalue()).ranges == {"input": (-1.5, 1.0)}
    assert npz.load(saved()).ranges == {}


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    path.write_bytes(saved())
    loaded = npz.load(path)
    assert loaded.digest == npz.load(saved()).digest == hashlib.sha256(saved()).hexdigest()
    assert not loaded.stored


def test_what_ships_takes_at_most_15_megabytes() -> None:
    assets = resources.files("faceattr.assets").iterdir()
    sizes = {file.name: len(file.read_bytes()) for file in assets if file.name.endswith(".npz")}
    assert len(sizes) >= 5
    assert sum(sizes.values()) <= 15_000_000


@pytest.mark.parametrize(
    "name", ["emotion.npz", "age_gender.npz", "age_open.npz", "gender_open.npz"]
)
def test_what_ships_can_be_shared(name: str) -> None:
    network = npz.load(resources.files("faceattr.assets").joinpath(name).read_bytes())
    assert network.identity is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        saved()[:-100],
        saved()[: len(saved()) // 2],
        saved().replace("Conv2D".encode("utf-32-le"), b"\xff" * 24),
    ],
    ids=["empty", "two bytes", "cut", "half", "changed"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "toy.npz").write_bytes(content)
    with pytest.raises(WeightsError, match=r"toy\.npz cannot be read as a network: "):
        npz.load(tmp_path / "toy.npz")


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", numbers=np.arange(3))
    with pytest.raises(WeightsError, match=r"arrays\.npz cannot be read as a network: .*graph"):
        npz.load(tmp_path / "arrays.npz")
    with pytest.raises(WeightsError, match="missing"):
        npz.load(tmp_path / "missing.npz")
