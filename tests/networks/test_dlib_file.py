"""dlib's files come back as dlib has written them, or not at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from dlib_files import dlib_file, integer, name, number, tensor

from faceattr.errors import WeightsError
from faceattr.networks.formats.dlib_file import DlibLayer, read_layers
from faceattr.networks.graph import Array

RNG = np.random.default_rng(0)
NUM_DAMAGES = 2000


def random(*shape: int) -> Array:
    return RNG.standard_normal(shape, np.float32)


LAYERS = [
    DlibLayer("input_rgb_image_sized", (150, 150), (122.75, 117.0, -104.25)),
    DlibLayer(
        *("con_4", (2, 3, 3, 1, 1, 1, 300), (1.0, 0.5, 1.0, 0.0)),
        (random(2, 3, 3, 3), random(1, 2, 1, 1)),
    ),
    DlibLayer("affine_", (0,), arrays=(random(1, 2, 1, 1), random(1, 2, 1, 1))),
    DlibLayer("relu_"),
    DlibLayer("max_pool_2", (3, 3, 2, 2, 0, 0)),
    DlibLayer("add_prev_"),
    DlibLayer("avg_pool_2", (0, 0, 1, 1, 0, 0)),
    DlibLayer("fc_2", (4, 2, 1), (1.0, 1.0, 1.0, 0.0), (random(2, 4, 1, 1),)),
]
CONTENT = dlib_file(LAYERS)


def read(tmp_path: Path, content: bytes) -> list[DlibLayer]:
    (tmp_path / "a.dat").write_bytes(content)
    return read_layers(tmp_path / "a.dat")


def test_layers_come_back_as_they_were(tmp_path: Path) -> None:
    for layer, written in zip(read(tmp_path, CONTENT), LAYERS, strict=True):
        assert (layer.kind, layer.sizes, layer.numbers) == (
            *(written.kind, written.sizes, written.numbers),
        )
        for array, original in zip(layer.arrays, written.arrays, strict=True):
            np.testing.assert_array_equal(array, original)


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "it ends after 0 bytes"),
        (b"<html>", "byte 0 does not begin a number"),
        (integer(2), "another version than 1"),
        (CONTENT[:-1], "in the middle of a layer"),
        (CONTENT[:500], "in the middle of a layer"),
        (CONTENT + b"\0", "does not begin a number"),
        (CONTENT + name("relu_"), "in the middle of a layer"),
        (CONTENT.replace(b"loss_metric_2", b"loss_metric_3"), "ends in the loss 'loss_metric_3'"),
        (CONTENT.replace(b"_sized", b"_bytes"), "its input is 'input_rgb_image_bytes'"),
        (CONTENT.replace(b"\5relu_", b"\5tanh_"), "a layer 'tanh_', which is unknown"),
        (CONTENT.replace(b"relu_110", b"relu_119"), "the state of layer 4 is unknown"),
        (CONTENT.replace(name("relu_"), b"\2\xff\xff" + b"relu_"), "a name at byte .* 65535"),
        (CONTENT.replace(number(0.04), integer(1) + integer(5000)), "out of range"),
        (
            CONTENT.replace(b"relu_110" + tensor([]), b"relu_110" + tensor([np.ones(1)])),
            "layer 4 holds gradients",
        ),
        (CONTENT.replace(tensor([LAYERS[7].arrays[0]])[:4], b"\1\2\x04\xff\xff\xff\xff"), "ends"),
        (CONTENT.replace(LAYERS[7].arrays[0].tobytes(), b"\xff" * 32), "not finite"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, problem: str) -> None:
    assert content != CONTENT
    with pytest.raises(WeightsError, match=rf"a\.dat cannot be read .*dlib: .*({problem})"):
        read(tmp_path, content)


def test_a_tensor_and_its_parts_must_agree(tmp_path: Path) -> None:
    (kernel,) = LAYERS[7].arrays
    content = CONTENT.replace(tensor([kernel]), tensor([kernel, kernel]))
    with pytest.raises(WeightsError, match="a tensor of 16 values has parts of"):
        read(tmp_path, content)


def test_a_missing_file_and_a_huge_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"a\.dat cannot be read"):
        read_layers(tmp_path / "a.dat")
    with (tmp_path / "a.dat").open("wb") as file:
        file.truncate(300 * 1024 * 1024)  # takes no space on the disk
    with pytest.raises(WeightsError, match="it has more than"):
        read_layers(tmp_path / "a.dat")


def test_damaged_files_give_our_error_or_layers_of_the_same_form(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    outcomes: Counter[str] = Counter()
    for _ in range(NUM_DAMAGES):
        data = bytearray(CONTENT)
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                data[at] = int(rng.integers(256))
            case 1:
                del data[at:]
            case 2:
                del data[at : at + int(rng.integers(1, 20))]
            case _:
                data[at:at] = rng.bytes(int(rng.integers(1, 20)))
        try:
            layers = read(tmp_path, bytes(data))
            assert all(np.isfinite(array).all() for layer in layers for array in layer.arrays)
            outcomes["read"] += 1
        except WeightsError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > NUM_DAMAGES * 0.7
