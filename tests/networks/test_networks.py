"""The graphs, on every engine; the only tests that import TensorFlow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import pytest
from numpy.typing import NDArray
from standins import random_weights

from faceattr.detectors.mtcnn import weights as mtcnn
from faceattr.engines import create_engine
from faceattr.engines.base import Compiled
from faceattr.errors import EngineError
from faceattr.networks import graph
from faceattr.networks.architectures import emotion_cnn, vgg_face
from faceattr.networks.graph import Layer, Network, sequential
from faceattr.networks.shapes import multiply_adds, weight_shapes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own
    import keras

from faceattr.networks.architectures.age_gender import age_gender, in_one_row
from faceattr.networks.architectures.compact import compact
from faceattr.networks.architectures.dlib_attributes import dlib_age, dlib_gender
from faceattr.networks.architectures.yunet import yunet
from faceattr.networks.keras_models import build

RNG = np.random.default_rng(0)


def randomized(model: keras.Model) -> keras.Model:
    """Give every weight a random value that keeps the answers within bounds."""
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            continue
        values = RNG.normal(0, (2 / max(np.prod(variable.shape[:-1]), 1)) ** 0.5, variable.shape)
        variable.assign(abs(values) + 0.5 if variable.path.endswith("variance") else values)
    return model


MODELS: dict[str, Callable[[], keras.Model]] = {
    "age_gender": lambda: in_one_row(age_gender()),
    "compact": compact,
    "dlib_age": lambda: build("dlib_age", dlib_age()),
    "dlib_gender": lambda: build("dlib_gender", dlib_gender()),
    "pnet": lambda: build("pnet", mtcnn.pnet()),
    "rnet": lambda: build("rnet", mtcnn.rnet()),
    "onet": lambda: build("onet", mtcnn.onet()),
    "yunet": lambda: build("yunet", yunet()),
}
FREE_SIDES = {"yunet": 64}
"""Height and width, where a network takes any; 31 for the others."""


def crops_for(model: keras.Model) -> NDArray[np.uint8]:
    free = FREE_SIDES.get(model.name, 31)
    height, width, channels = (size or free for size in model.input_shape[1:])
    return RNG.integers(0, 256, (3, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_every_engine_gives_the_answer_of_keras(name: str) -> None:
    model = randomized(MODELS[name]())
    network, crops = graph.from_keras(model), crops_for(model)
    expected = model(crops.astype(np.float32), training=False).numpy()
    for engine in ("openvino", "tensorflow"):
        answer = create_engine(engine, precision="f32").compile(network)(crops)
        np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize(
    ("name", "num_parameters", "shape"),
    [
        ("age_gender", 2_275_303, (None, 103)),
        ("compact", 1_822_935, (None, 7)),
        ("pnet", 6_632, (None, None, None, 6)),
        ("rnet", 100_178, (None, 6)),
        ("onet", 389_040, (None, 16)),
        ("yunet", 53_104, (None, None, 16)),
    ],
)
def test_a_graph_has_its_size(
    name: str, num_parameters: int, shape: tuple[int | None, ...]
) -> None:
    model = MODELS[name]()
    assert model.count_params() == num_parameters
    assert model.output_shape == shape


def test_what_tensorflow_cannot_build_is_named() -> None:
    layers = sequential((4, 4, 1), Layer("Mystery", "odd"))
    with pytest.raises(EngineError, match="layer 'odd' of 'toy', a Mystery"):
        create_engine("tensorflow").compile(Network("toy", layers, {}))
    layers = sequential((2,), Layer("Dense", "answer", {"units": 3}))
    with pytest.raises(EngineError, match="weights of layer 'answer' do not fit 'toy'"):
        create_engine("tensorflow").compile(Network("toy", layers, {}))


EMOTION_CNN = emotion_cnn.emotion_cnn()
NARROW_VGG = vgg_face.vgg_face(5, width=2, hidden=16)


def num_parameters(layers: Sequence[Layer]) -> int:
    return sum(prod(shape) for shapes in weight_shapes(layers).values() for shape in shapes)


def random_crops(layers: Sequence[Layer], number: int) -> NDArray[np.uint8]:
    shape = layers[0].config["shape"]
    return np.random.default_rng(1).integers(0, 256, (number, *shape)).astype(np.uint8)


def compile_on(engine: str, layers: Sequence[Layer]) -> Compiled:
    network = Network("network", layers, random_weights(layers))
    return create_engine(engine, precision="f32").compile(network)


def test_graphs_have_as_many_parameters_as_the_published_ones() -> None:
    assert num_parameters(EMOTION_CNN) == 1_485_831
    assert num_parameters(vgg_face.trunk()) == 14_714_688
    assert num_parameters(vgg_face.head(2)) == 119_554_050
    assert num_parameters(vgg_face.vgg_face(2)) == 14_714_688 + 119_554_050


def test_strides_and_padding_count_in_the_shapes_of_weights() -> None:
    layers = sequential(
        (7, 5, 3),
        Layer("Conv2D", "same", {"filters": 4, "kernel_size": (3, 3), "padding": "same"}),
        Layer("MaxPooling2D", "pool", {"pool_size": (3, 3), "strides": (2, 2)}),
        Layer("Flatten", "flatten"),
        Layer("Dense", "dense", {"units": 10}),
    )
    assert weight_shapes(layers) == {
        "same": ((3, 3, 3, 4), (4,)),
        "dense": ((3 * 2 * 4, 10), (10,)),
    }


def test_the_work_of_a_graph_is_what_its_convolutions_and_dense_layers_multiply() -> None:
    layers = sequential(
        (6, 6, 3),
        Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "use_bias": False}),
        Layer("GlobalAveragePooling2D", "features"),
        Layer("Dense", "dense", {"units": 10}),
    )
    assert multiply_adds(layers) == 4 * 4 * (3 * 3 * 3 * 4) + 4 * 10
    assert multiply_adds(graph.from_keras(compact()).layers) == 106_381_856


@pytest.mark.parametrize(
    "layers, num_classes", [(EMOTION_CNN, 7), (NARROW_VGG, 5)], ids=["emotion_cnn", "vgg_face"]
)
def test_engines_agree(layers: Sequence[Layer], num_classes: int) -> None:
    crops = random_crops(layers, 3)
    scores = compile_on("openvino", layers)(crops)
    assert scores.shape == (3, num_classes)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(scores, compile_on("tensorflow", layers)(crops), atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_engines_agree_on_a_kernel_as_large_as_the_picture(padding: str) -> None:
    config = {"filters": 4, "kernel_size": (3, 3), "padding": padding, "activation": "relu"}
    layers = sequential((3, 3, 2), Layer("Conv2D", "conv", config))
    crops = random_crops(layers, 2)
    answer = compile_on("openvino", layers)(crops)
    assert answer.shape == ((2, 1, 1, 4) if padding == "valid" else (2, 3, 3, 4))
    np.testing.assert_allclose(answer, compile_on("tensorflow", layers)(crops), rtol=1e-4)


def test_trunk_and_head_make_a_vgg_face() -> None:
    crops = random_crops(NARROW_VGG, 2)
    weights = random_weights(NARROW_VGG)
    engine = create_engine("openvino", precision="f32")
    whole = engine.compile(Network("whole", NARROW_VGG, weights))
    trunk = engine.compile(Network("trunk", vgg_face.trunk(width=2), weights))
    head = engine.compile(Network("head", vgg_face.head(5, width=2, hidden=16), weights))
    features = trunk(crops)
    assert features.shape == (2, 7, 7, 16)
    np.testing.assert_allclose(head(features), whole(crops), atol=1e-6)
