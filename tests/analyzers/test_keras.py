"""Analyzers from files that Keras has saved say what its models say."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_files import write_classifier

from faceattr import CropSpec
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.analyzers.keras import KerasAnalyzer
from faceattr.analyzers.onnx import OnnxAnalyzer
from faceattr.engines import create_engine
from faceattr.errors import EngineError, WeightsError
from faceattr.forms import Labels
from faceattr.testing import check_analyzer
from faceattr.types import Classification, CropBatch, CropGeometry

# Keras's variables do not know how NumPy 2 asks for arrays
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CROPS = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))


def loaded(analyzer: Analyzer, engine: str = "openvino") -> Reader:
    return analyzer.load(create_engine(engine, precision="f32"))


def scores_of(read: Reader) -> NDArray[np.float64]:
    answers = read(CropBatch(CROPS, [CropGeometry()] * len(CROPS)))
    assert all(isinstance(answer, Classification) for answer in answers)
    return np.array(
        [list(one.scores.values()) for one in answers if isinstance(one, Classification)]
    )


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


def keras_analyzer(model: keras.Model, path: Path) -> KerasAnalyzer:
    model.save(path)

    class Saved(KerasAnalyzer):
        api_version = 2
        attribute = "smile"
        output = Labels(["no", "yes"])
        crop = CropSpec(size=(8, 8), color="rgb", mode="box")
        file = path

    return Saved()


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_a_keras_file_says_what_its_model_says(
    model: keras.Model, tmp_path: Path, engine: str
) -> None:
    read = loaded(keras_analyzer(model, tmp_path / "a.keras"), engine)
    expected = model(CROPS.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores_of(read), expected, atol=1e-5)


def test_a_keras_analyzer_keeps_the_rules(model: keras.Model, tmp_path: Path) -> None:
    check_analyzer(keras_analyzer(model, tmp_path / "a.keras"))


def test_keras_is_not_asked_twice(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = keras_analyzer(model, tmp_path / "a.keras")
    expected = scores_of(loaded(analyzer))  # what was compiled is forgotten
    monkeypatch.setitem(sys.modules, "keras", None)  # cannot be imported
    np.testing.assert_array_equal(scores_of(loaded(type(analyzer)())), expected)


def test_layers_that_only_keras_knows_run_on_tensorflow(tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.SeparableConv2D(4, 3),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    analyzer = keras_analyzer(model, tmp_path / "a.keras")
    message = (
        r"is a SeparableConv2D, which the OpenVINO engine does not support; .*'tensorflow' supports"
    )
    with pytest.raises(EngineError, match=message):
        loaded(analyzer)
    expected = model(CROPS.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores_of(loaded(analyzer, "tensorflow")), expected, atol=1e-5)


@pytest.mark.parametrize(
    "layer, message",
    [
        (keras.layers.Conv2D(2, 3, dilation_rate=2), r"has the option dilation_rate=\[2, 2\]"),
        (keras.layers.Conv2D(3, 3, groups=3), "has the option groups=3"),
        (keras.layers.BatchNormalization(scale=False), "has a form that the OpenVINO"),
        (keras.layers.BatchNormalization(axis=1), "has the option axis=1"),
        (keras.layers.Dense(2), "is applied to more than one row of numbers"),
        (keras.layers.Conv2D(2, 3, activation="swish"), "activation 'silu'|activation 'swish'"),
        (keras.layers.ReLU(max_value=6), "has the option max_value=6"),
    ],
    ids=["dilated", "grouped", "unscaled", "axis", "dense", "swish", "relu6"],
)
def test_options_that_openvino_would_not_heed_are_refused(
    layer: keras.Layer, message: str, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((8, 8, 3)), layer, layers.Flatten(), layers.Dense(2)])
    analyzer = keras_analyzer(model, tmp_path / "a.keras")
    with pytest.raises(EngineError, match=message) as refused:
        loaded(analyzer)
    assert "engine='tensorflow'" in str(refused.value)


def test_what_is_no_plain_keras_model_is_named(tmp_path: Path) -> None:
    layers = keras.layers
    path = tmp_path / "a.keras"
    path.write_text("no model")
    with pytest.raises(WeightsError, match=r"it must be a file that Keras 3 has written"):
        loaded(type("Saved", (KerasAnalyzer,), {"file": path})())
    picture = layers.Input((8, 8, 3))
    flat = layers.Flatten()(picture)
    twins = keras.Model(picture, [layers.Dense(1)(flat), layers.Dense(1)(flat)])
    with pytest.raises(EngineError, match="with one input and one output"):
        loaded(keras_analyzer(twins, path))


def test_tensorflow_does_not_read_onnx_files(tmp_path: Path) -> None:
    class Smile(OnnxAnalyzer):
        attribute = "smile"
        output = Labels(["no", "yes"])
        file = write_classifier(
            tmp_path / "a.onnx", np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32)
        )

    with pytest.raises(EngineError, match="engine='openvino' reads ONNX files"):
        loaded(Smile(), "tensorflow")
