"""Batches and levels as the engine meets them."""

from __future__ import annotations

import numpy as np
import pytest

from faceattr.detectors.mtcnn import packing
from faceattr.detectors.mtcnn.packing import run_in_buckets, run_in_strips
from faceattr.detectors.mtcnn.stages import num_cells
from faceattr.detectors.mtcnn.weights import read_network
from faceattr.engines import create_engine
from faceattr.networks.graph import Array

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(12, 12), (13, 2000), (200, 300), (201, 301), (333, 77)])
def test_strips_have_the_output_of_the_whole_level(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    monkeypatch.setattr(packing, "STRIP_PIXELS", 10_000)
    level = RNG.uniform(0, 255, (*shape, 3)).astype(np.float32)
    pnet = create_engine(precision="f32").compile(read_network("pnet"))
    output, whole = run_in_strips(pnet, level), pnet(level[None])[0]
    assert output.shape == whole.shape
    rows, columns = (num_cells(side) - side % 2 for side in shape)  # an odd last one is seen twice
    np.testing.assert_allclose(output[:rows, :columns], whole[:rows, :columns], atol=1e-4)


def test_levels_of_many_sizes_have_few_shapes() -> None:
    met = set()

    def pnet(strip: Array) -> Array:
        met.add(strip.shape)
        return np.zeros((1, *map(num_cells, strip.shape[1:3]), 6), np.float32)

    for side in range(128, 241):
        level = np.zeros((side, 2 * side, 3), np.float32)
        assert run_in_strips(pnet, level).shape == (num_cells(side), num_cells(2 * side), 6)
    assert len(met) == 8


def test_networks_meet_few_numbers_of_crops() -> None:
    met = set()

    def network(crops: Array) -> Array:
        met.add(len(crops))
        return crops[:, 0, 0]

    for number in range(1, 41):
        crops = RNG.uniform(size=(number, 2, 2, 3)).astype(np.float32)
        np.testing.assert_array_equal(run_in_buckets(network, crops), crops[:, 0, 0])
    assert met == {*range(1, 9), 10, 12, 14, 16, 20, 24, 28, 32, 40}
