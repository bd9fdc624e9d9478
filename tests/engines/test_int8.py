"""Arithmetic in whole numbers: near the reference, and only where ranges are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from standins import random_weights

from faceattr.analyzers.builtin import FEATURES, load_builtin
from faceattr.engines import create_engine, openvino
from faceattr.engines.translation import translate
from faceattr.networks.folding import fold_normalization
from faceattr.networks.graph import Array, Layer, Network, sequential, up_to

RNG = np.random.default_rng(4)
CROPS = RNG.random((6, 12, 12, 3), np.float32)
LAYERS = sequential(
    (12, 12, 3),
    Layer("Rescaling", "scaled", {"scale": 2.0}),
    Layer("Conv2D", "first", {"filters": 8, "kernel_size": (3, 3), "use_bias": False}),
    Layer("BatchNormalization", "normal", {"epsilon": 0.01}),
    Layer("ReLU", "relu"),
    Layer("Conv2D", "second", {"filters": 4, "kernel_size": (3, 3)}),
    Layer("GlobalAveragePooling2D", "features"),
)
NORMAL: list[Array] = [RNG.random(8, np.float32) + 0.5 for _ in range(4)]
NETWORK = Network("small", LAYERS, {**random_weights(LAYERS), "normal": NORMAL})


def run(network: Network, precision: str) -> NDArray[np.float32]:
    return create_engine("openvino", precision=precision, threads=1).compile(network)(CROPS)


def with_ranges(network: Network) -> Network:
    highest = float(run(up_to(network, "relu"), "f32").max())
    return replace(network, ranges={"scaled": (0.0, 2.0), "relu": (0.0, highest)})


def num_rounded(network: Network) -> int:
    model = translate(fold_normalization(network), int8=True)
    return sum(node.get_type_name() == "FakeQuantize" for node in model.get_ordered_ops())


def test_a_folded_network_gives_the_same_with_fewer_layers() -> None:
    folded = fold_normalization(NETWORK)
    assert [layer.name for layer in folded.layers] == [
        *("input", "scaled", "first", "relu", "second", "features")
    ]
    np.testing.assert_allclose(run(folded, "f32"), run(NETWORK, "f32"), rtol=1e-4, atol=1e-5)


def test_a_normalization_stays_where_another_layer_takes_the_convolution_too() -> None:
    layers = (
        *LAYERS[:4],
        Layer("Add", "sum", {}, ("first", "normal")),
        Layer("GlobalAveragePooling2D", "features", {}, ("sum",)),
    )
    network = replace(NETWORK, layers=layers)
    assert fold_normalization(network).layers == layers
    np.testing.assert_array_equal(run(fold_normalization(network), "f32"), run(network, "f32"))


def test_int8_is_near_the_reference_and_not_the_same() -> None:
    network = with_ranges(NETWORK)
    assert num_rounded(network) == 4  # what two convolutions take, and their kernels
    reference, rounded = run(network, "f32"), run(network, "int8")
    spread = np.ptp(reference)
    assert 0 < abs(rounded - reference).max() < 0.05 * spread


def test_without_ranges_int8_is_what_auto_is() -> None:
    assert num_rounded(NETWORK) == 0
    np.testing.assert_array_equal(run(NETWORK, "int8"), run(NETWORK, "auto"))


@pytest.mark.parametrize("name", ["emotion", "age_gender"])
def test_what_ships_knows_its_ranges(name: str) -> None:
    network = up_to(load_builtin(name), FEATURES)
    inputs = {
        layer.inputs[0] for layer in fold_normalization(network).layers if layer.kind == "Conv2D"
    }
    assert network.ranges.keys() == inputs
    crops = RNG.integers(0, 256, (4, *network.layers[0].config["shape"]), np.uint8)
    engine = create_engine("openvino", precision="f32", threads=1)
    reference = engine.compile(network)(crops)
    rounded = engine.compile(network, precision="int8")(crops)
    similarity = np.vdot(reference, rounded) / np.linalg.norm(reference) / np.linalg.norm(rounded)
    assert 0.95 < similarity < 1  # on noise, which goes beyond the ranges of faces


@pytest.mark.parametrize("capabilities", [["FP32", "INT8"], ["FP32", "BF16", "INT8"]])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_auto_is_int8_on_x86_without_bfloat16_only(
    capabilities: list[str], machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            return capabilities

    monkeypatch.setattr(openvino, "_core", Core)
    monkeypatch.setattr("platform.machine", lambda: machine)
    pays = openvino._int8_pays.__wrapped__()
    assert pays == (machine == "x86_64" and "BF16" not in capabilities)
    monkeypatch.undo()
    monkeypatch.setattr(openvino, "_int8_pays", lambda: pays)
    network = with_ranges(NETWORK)
    is_int8 = np.array_equal(run(network, "auto"), run(network, "int8"))
    assert is_int8 == pays
