"""dlib's network for face recognition: its weights folded into our graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dlib_files import random_layers

from faceattr.engines import create_engine
from faceattr.errors import WeightsError
from faceattr.networks.architectures.dlib_face import MEAN_RGB, dlib_face, to_weights
from faceattr.networks.graph import Network, up_to
from faceattr.networks.shapes import multiply_adds, output_shapes, weight_shapes

LAYERS = random_layers()
WEIGHTS = to_weights(LAYERS)


def test_the_graph_has_its_size() -> None:
    graph = dlib_face()
    assert multiply_adds(graph) == 272_494_592
    assert output_shapes(graph)["descriptor"] == (128,)
    fixed = {name for name in WEIGHTS if name.endswith("_widen")}
    assert len(fixed) == 3
    for name, (kernel, *bias) in weight_shapes(graph).items():
        assert WEIGHTS[name][0].shape == kernel
        assert [array.shape for array in WEIGHTS[name][1:]] == (
            [] if name == "descriptor" else bias
        )
    learned = [array.size for name in WEIGHTS.keys() - fixed for array in WEIGHTS[name]]
    assert sum(learned) == 5_607_488


def test_scaling_and_mean_color_are_folded_into_the_first_convolution() -> None:
    _, (kernel, bias), (gamma, beta) = (layer.arrays for layer in LAYERS[:3])
    crop = np.random.default_rng(1).integers(0, 256, (1, 150, 150, 3)).astype(np.uint8)
    patch = (crop[0, 2:9, 4:11].astype(np.float64) - MEAN_RGB) / 256  # where row 1, column 2 looks
    expected = np.einsum("yxc,ocyx->o", patch, kernel) + bias.reshape(-1)
    expected = expected * gamma.reshape(-1) + beta.reshape(-1)
    network = up_to(Network("stem", dlib_face(), WEIGHTS), "stem")
    answer = create_engine("openvino", precision="f32").compile(network)(crop)
    np.testing.assert_allclose(answer[0, 1, 2], expected, atol=1e-4)


@pytest.mark.usefixtures("tensorflow")
def test_engines_agree() -> None:
    network = Network("dlib-face", dlib_face(), WEIGHTS)
    crops = np.random.default_rng(2).integers(0, 256, (2, 150, 150, 3)).astype(np.uint8)
    first, second = (
        create_engine(engine, precision="f32").compile(network)(crops)
        for engine in ("openvino", "tensorflow")
    )
    assert first.shape == (2, 128)
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4 * abs(second).max())


def test_the_layers_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"layer 3 is .* another network than dlib's"):
        to_weights([*LAYERS[:3], *LAYERS[4:]])
    with pytest.raises(WeightsError, match="has 108 layers; the network has 109"):
        to_weights(LAYERS[:-1])
    with pytest.raises(WeightsError, match="has 0 layers"):
        to_weights([])
    bgr = replace(LAYERS[0], numbers=LAYERS[0].numbers[::-1])
    with pytest.raises(WeightsError, match=r"mean color \(104\.298, 117\.001, 122\.782\) instead"):
        to_weights([bgr, *LAYERS[1:]])
