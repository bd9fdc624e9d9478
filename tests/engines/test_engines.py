from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faceattr.engines import create_engine
from faceattr.errors import EngineError, OptionError, UnknownNameError
from faceattr.networks.graph import Layer, Network, sequential

RNG = np.random.default_rng(0)


def double_of_mean() -> Network:
    layers = sequential(
        (None, None, 2),
        Layer("GlobalAveragePooling2D", "mean"),
        Layer("Dense", "double", {"units": 2}),
    )
    return Network("double", layers, {"double": [2 * np.eye(2, dtype=np.float32), np.zeros(2)]})


def test_a_network_runs_on_batches_of_any_size() -> None:
    run = create_engine(precision="f32").compile(double_of_mean())
    for num_crops in (1, 3, 17):
        crops = RNG.integers(0, 256, (num_crops, 4, 6, 2), dtype=np.uint8)
        np.testing.assert_allclose(run(crops), 2 * crops.mean(axis=(1, 2)), rtol=1e-5)


def test_an_answer_is_not_overwritten_by_the_next() -> None:
    run = create_engine().compile(double_of_mean())
    first = run(np.ones((1, 1, 1, 2), np.uint8))
    run(np.zeros((1, 1, 1, 2), np.uint8))
    np.testing.assert_allclose(first, 2)


def test_threads_do_not_mix_their_answers() -> None:
    run = create_engine(precision="f32").compile(double_of_mean())
    batches = [np.full((1, 8, 8, 2), value, np.uint8) for value in range(100)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(run, batches))
    np.testing.assert_allclose(np.concatenate(answers)[:, 0], np.arange(100) * 2, rtol=1e-5)


def test_a_layer_without_translation_is_named() -> None:
    network = Network("odd", sequential((4, 4, 1), Layer("Lambda", "mystery")), {})
    with pytest.raises(EngineError, match="layer 'mystery' of 'odd' is a Lambda"):
        create_engine().compile(network)


def test_weights_that_do_not_fit_are_an_error() -> None:
    network = double_of_mean()
    bad = Network(network.name, network.layers, {"double": [np.zeros((3, 2)), np.zeros(2)]})
    with pytest.raises(EngineError, match="'double'"):
        create_engine().compile(bad)


def test_the_environment_sets_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_PRECISION", "f32")
    assert create_engine().precision == "f32"
    assert create_engine(precision="auto").precision == "auto"
    monkeypatch.setenv("FACEATTR_ENGINE", "onnx")
    with pytest.raises(UnknownNameError, match="available: openvino, tensorflow"):
        create_engine()


def test_wrong_options_say_what_they_can_be() -> None:
    with pytest.raises(OptionError, match="precision is 'f8'; it can be 'auto', 'f32' or 'int8'"):
        create_engine(precision="f8")
    with pytest.raises(OptionError, match="threads is 0; it must be at least 1"):
        create_engine(threads=0)
