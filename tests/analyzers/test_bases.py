"""Analyzers from files, functions and the shared trunk say what these say."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_files import write_classifier
from standins import narrow_vgg_face, random_weights, write_hdf5

import faceattr
from faceattr import CropSpec, Estimate
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.analyzers.function import function_analyzer
from faceattr.analyzers.onnx import OnnxAnalyzer
from faceattr.analyzers.vgg_face import AGE_VGG, AgeVggAnalyzer, VggFaceHead
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import EngineError, OptionError, PluginError, WeightsError
from faceattr.forms import Labels, Unit, Vector
from faceattr.networks.architectures import vgg_face
from faceattr.testing import FixedDetector, check_analyzer
from faceattr.types import Attribute, Classification, CropBatch, CropGeometry, Detection, Features
from faceattr.weights import import_file

CROPS = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
MATRIX = np.array([[0.01, -0.01], [0.02, 0.0], [0.0, 0.03]], np.float32)
BIAS = np.array([0.5, -0.5], np.float32)
SPEC = CropSpec(size=(8, 8), color="rgb", mode="box")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")


def loaded(analyzer: Analyzer, engine: str = "openvino") -> Reader:
    return analyzer.load(create_engine(engine, precision="f32"))


def batch(crops: NDArray[np.uint8]) -> CropBatch:
    return CropBatch(crops, [CropGeometry()] * len(crops))


def softmax(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(rows)
    return powers / powers.sum(axis=1, keepdims=True)


def scores_of(read: Reader, crops: NDArray[np.uint8] = CROPS) -> NDArray[np.float64]:
    answers = read(batch(crops))
    assert all(isinstance(answer, Classification) for answer in answers)
    return np.array(
        [list(one.scores.values()) for one in answers if isinstance(one, Classification)]
    )


def expected_scores(crops: NDArray[Any]) -> NDArray[np.float32]:
    return softmax(crops.mean(axis=(1, 2)).astype(np.float32) @ MATRIX + BIAS)


class Smile(OnnxAnalyzer):
    """Whether somebody smiles, by a network that knows nothing."""

    attribute = "smile"
    output = Labels(["no", "yes"])
    api_version = 2
    crop = SPEC


@pytest.mark.parametrize("batch", ["N", 1], ids=["any", "one"])
@pytest.mark.parametrize("channels_first", [True, False], ids=["NCHW", "NHWC"])
def test_an_onnx_file_is_read_in_either_layout_and_for_any_batch(
    tmp_path: Path, batch: int | str, channels_first: bool
) -> None:
    class Here(Smile):
        file = write_classifier(
            tmp_path / "a.onnx", MATRIX, BIAS, batch=batch, channels_first=channels_first
        )

    np.testing.assert_allclose(scores_of(loaded(Here())), expected_scores(CROPS), atol=1e-5)
    check_analyzer(Here())


def test_crops_are_scaled_and_logits_made_probabilities(tmp_path: Path) -> None:
    class Scaled(Smile):
        file = write_classifier(tmp_path / "a.onnx", 100 * MATRIX, BIAS, softmax=False)
        mean = (10.0, 20.0, 30.0)
        std = 100.0
        logits = True

    expected = expected_scores(CROPS.astype(np.float32) - (10, 20, 30))
    np.testing.assert_allclose(scores_of(loaded(Scaled())), expected, atol=1e-5)


def test_one_output_is_an_estimate_with_its_unit(tmp_path: Path) -> None:
    class Level(OnnxAnalyzer):
        attribute = "level"
        output = Unit("levels")
        crop = SPEC
        api_version = 2
        file = write_classifier(
            tmp_path / "a.onnx", np.eye(3, 1, dtype=np.float32), BIAS[:1] * 0, softmax=False
        )

    answer = loaded(Level())(batch(CROPS))[0]
    assert isinstance(answer, Estimate)
    assert answer.value == pytest.approx(CROPS[0, ..., 0].mean(), rel=1e-5)
    assert answer.unit == "levels"
    check_analyzer(Level())


def test_an_onnx_analyzer_is_read_off_faces(tmp_path: Path) -> None:
    class Here(Smile):
        file = write_classifier(tmp_path / "a.onnx", MATRIX, BIAS)

    image = np.full((40, 40, 3), (30, 20, 10), np.uint8)  # BGR, and the analyzer takes RGB
    (face,) = faceattr.analyze(image, [Here()], detector=FixedDetector([FACE]), precision="f32")
    smile = face.attributes["smile"]
    assert isinstance(smile, Classification)
    (expected,) = expected_scores(np.full((1, 8, 8, 3), (10, 20, 30), np.float32))
    assert list(smile.scores.values()) == pytest.approx(expected.tolist(), abs=1e-5)


FACE = Detection((10, 10, 30, 30), 0.9)


def test_more_values_than_labels_are_refused(tmp_path: Path) -> None:
    class Wide(Smile):
        output = Labels(["no", "yes", "maybe"])
        file = write_classifier(tmp_path / "a.onnx", MATRIX, BIAS)

    message = "Wide declares 3 labels, and its network gives 2 values"
    with pytest.raises(PluginError, match=message):
        loaded(Wide())(batch(CROPS))


def test_a_crop_of_another_form_than_the_network_is_named(tmp_path: Path) -> None:
    class Large(Smile):
        crop = CropSpec(size=(16, 12), color="gray", mode="box")
        file = write_classifier(tmp_path / "a.onnx", MATRIX, BIAS)

    message = (
        r"a\.onnx takes 8×8×3 for each face but was given 16×12×1 .*change the analyzer's crop"
    )
    with pytest.raises(EngineError, match=message):
        faceattr.analyze(np.zeros((40, 40, 3), np.uint8), [Large()], detector=FixedDetector([FACE]))


def test_what_cannot_be_read_as_onnx_is_named(tmp_path: Path) -> None:
    class Here(Smile):
        file = tmp_path / "a.onnx"

    with pytest.raises(WeightsError, match=r"a\.onnx is missing, which Here needs"):
        loaded(Here())
    Here.file.write_text("no network")
    with pytest.raises(EngineError, match=r"OpenVINO cannot read .*a\.onnx"):
        loaded(Here())
    write_classifier(Here.file, MATRIX, BIAS, inputs=("picture", "size"))
    with pytest.raises(EngineError, match=r"a\.onnx has 2 inputs \(picture, size\)"):
        loaded(Here())
    write_classifier(Here.file, MATRIX, BIAS, batch=4)
    with pytest.raises(EngineError, match="takes 4 images at a time; export it with a free"):
        loaded(Here())
    write_classifier(Here.file, MATRIX, BIAS)
    with pytest.raises(WeightsError, match="Smile declares neither a file nor weights"):
        loaded(Smile())


def test_a_file_lies_beside_the_module_of_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classifier(tmp_path / "smile.onnx", MATRIX, BIAS)
    (tmp_path / "smile_plugin.py").write_text(
        "from faceattr import CropSpec, Labels\n"
        "from faceattr.analyzers.onnx import OnnxAnalyzer\n"
        "class Smile(OnnxAnalyzer):\n"
        "    attribute, output, crop = 'smile', Labels(['no', 'yes']), CropSpec((8, 8))\n"
        "    file = 'smile.onnx'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugin = importlib.import_module("smile_plugin")
    assert len(loaded(plugin.Smile())(batch(CROPS))) == 3


@pytest.mark.data
def test_a_published_onnx_file_runs(shared: Path) -> None:
    file = shared / "detectors" / "face_detection_yunet_2023mar.onnx"
    run = create_engine(precision="f32").compile_onnx(file)
    noise = np.random.default_rng(0).integers(0, 256, (2, 640, 640, 3)).astype(np.uint8)
    assert run(noise).shape == (2, 6400, 1)


def test_a_function_of_a_crop_becomes_an_analyzer() -> None:
    @function_analyzer("brightness", output=Unit("%"), crop=SPEC)
    def brightness(crop: NDArray[np.uint8]) -> float:
        """Mean of the crop."""
        return float(crop.mean()) / 2.55

    check_analyzer(brightness())
    assert brightness.__name__ == "brightness"
    assert brightness.__doc__ == "Mean of the crop."
    white = np.full((1, 8, 8, 3), 255, np.uint8)
    assert list(brightness().predict(white)) == [Estimate(100.0, "%")]


def test_a_function_may_give_the_probability_of_each_label() -> None:
    @function_analyzer("light", output=Labels(["day", "night"]), crop=SPEC)
    def light(crop: NDArray[np.uint8]) -> Mapping[str, float]:
        share = crop.mean() / 255
        return {"day": share, "night": 1 - share}

    check_analyzer(light())
    (face,) = faceattr.analyze(
        np.full((40, 40, 3), 255, np.uint8), [light()], detector=FixedDetector([FACE])
    )
    assert str(face.attributes["light"]) == "day 100%"


def test_a_function_gives_labels_or_a_number() -> None:
    with pytest.raises(OptionError, match=r"output of 'light' is Vector.*; it can be Labels or a"):
        function_analyzer("light", output=Vector(2), crop=SPEC)


def test_a_head_shares_the_trunk_of_the_published_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow_vgg_face(monkeypatch)
    file = tmp_path / "age.h5"
    write_hdf5(file, random_weights(vgg_face.vgg_face(101)))
    import_file(file, AGE_VGG, trust=True)

    class Tired(VggFaceHead):
        api_version = 2
        attribute = "tired"
        output = Labels(["awake", "tired"])

        def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
            def read(features: Features) -> Sequence[Classification]:
                shares = 1 / (1 + np.exp(-features.mean(axis=(1, 2, 3)))).astype(float)
                return [Classification({"awake": 1 - x, "tired": x}) for x in shares.tolist()]

            return read

    check_analyzer(Tired())
    engine, tired, age = create_engine(), Tired(), AgeVggAnalyzer()
    assert tired.load_trunk(engine).run is age.load_trunk(engine).run
    assert tired.crop == age.crop
