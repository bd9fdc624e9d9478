from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import faceattr
from faceattr.alignment import resize_crops
from faceattr.analyzers.trained import trained_analyzer
from faceattr.analyzers.trunks import TRUNKS
from faceattr.errors import EngineError, OptionError, SinkError
from faceattr.exporting import exporting
from faceattr.exporting.exporting import export
from faceattr.forms import Labels, Unit
from faceattr.networks.formats.trained import TrainedHead
from faceattr.types import BGRImage


def random_analyzer(output: Labels | Unit, name: str = "emotion") -> faceattr.Analyzer:
    """Return a random head on the trunk of that name."""
    rng = np.random.default_rng(0)
    trunk = TRUNKS[name]
    kernel = rng.normal(scale=0.2, size=(trunk.num_features, 2)).astype(np.float32)
    bias = np.zeros(2, np.float32)
    bounds = (-0.1, 0.1) if isinstance(output, Unit) else None
    return trained_analyzer(
        TrainedHead("mood", output, name, trunk.identity, kernel, bias, bounds)
    )()


MOOD = Labels(["calm", "lively"])
ON_EACH_TRUNK = pytest.mark.parametrize("trunk", ["emotion", "age_gender", "identity"])


@pytest.fixture
def crops(astronaut: Path) -> list[BGRImage]:
    """Two crops of a face."""
    image = faceattr.load_image(astronaut)
    return [image[60:200, 155:295], image[70:190, 165:285, ::-1]]


def read_with_engine(analyzer: faceattr.Analyzer, crops: list[BGRImage]) -> list[list[float]]:
    pipeline = faceattr.Pipeline([analyzer], precision="f32")
    found = [next(iter(one.values())) for one in pipeline.analyze_crops(crops)]
    return [
        list(one.scores.values())
        if isinstance(one, faceattr.Classification)
        else [one.value, one.std or 0.0]
        for one in found
        if isinstance(one, faceattr.Classification | faceattr.Estimate)
    ]


@pytest.mark.parametrize("name", ["emotion", "gender"])
def test_onnx_runtime_gives_the_answers_of_built_in_analyzers(
    name: str, crops: list[BGRImage], tmp_path: Path
) -> None:
    check_with_onnx_runtime(faceattr.create_analyzer(name), crops, tmp_path / "network.onnx")


@ON_EACH_TRUNK
def test_onnx_runtime_gives_the_answers_of_trained_analyzers(
    trunk: str, crops: list[BGRImage], tmp_path: Path
) -> None:
    check_with_onnx_runtime(random_analyzer(MOOD, trunk), crops, tmp_path / "mood.onnx")


def check_with_onnx_runtime(analyzer: faceattr.Analyzer, crops: list[BGRImage], to: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = export(analyzer, to)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = resize_crops(crops, analyzer.crop).crops.astype(np.float32)
    (answers,) = session.run(None, {"crops": given})
    np.testing.assert_allclose(answers, read_with_engine(analyzer, crops), atol=1e-3)
    about = json.loads(session.get_modelmeta().custom_metadata_map["faceattr"])
    assert about["attribute"] == analyzer.attribute
    assert isinstance(analyzer.output, Labels)
    assert about["labels"] == list(analyzer.output.names)
    assert about["crop"]["size"] == list(analyzer.crop.size)


@ON_EACH_TRUNK
def test_openvino_gives_the_answers_of_the_engine(
    trunk: str, crops: list[BGRImage], tmp_path: Path
) -> None:
    import openvino

    analyzer = random_analyzer(Unit("points"), trunk)
    path = export(analyzer, tmp_path / "mood.xml", format="openvino")
    core = openvino.Core()
    model = core.read_model(path)
    given = resize_crops(crops, analyzer.crop).crops.astype(np.float32)
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    answers = core.compile_model(model, "CPU", precise)(given)[0]
    answers[:, 1] = np.exp(answers[:, 1])
    np.testing.assert_allclose(answers, read_with_engine(analyzer, crops), atol=1e-3)
    about = json.loads(model.get_rt_info("faceattr").astype(str))
    assert about["unit"] == "points"


def test_a_file_that_answers_differently_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.zeros((exporting.NUM_CROPS, 2), np.float32)

    monkeypatch.setattr(exporting, "_write_openvino", write)
    with pytest.raises(EngineError, match="differently from the engine; nothing was written"):
        export(random_analyzer(MOOD), tmp_path / "mood.xml", format="openvino")
    assert not list(tmp_path.iterdir())


def test_wrong_names_formats_and_analyzers_are_refused(tmp_path: Path) -> None:
    mood = random_analyzer(MOOD)
    with pytest.raises(OptionError, match=r"ends in \.xml"):
        export(mood, tmp_path / "mood.onnx", format="openvino")
    with pytest.raises(OptionError, match="format is 'torch'"):
        export(mood, tmp_path / "mood.pt", format="torch")  # type: ignore[arg-type]
    both = random_analyzer(MOOD, "both")
    with pytest.raises(OptionError, match=r"networks emotion and age_gender.*--trunk emotion or"):
        export(both, tmp_path / "mood.onnx")
    with pytest.raises(OptionError, match="EmotionCnnAnalyzer cannot be exported"):
        export(faceattr.create_analyzer("emotion-cnn"), tmp_path / "cnn.onnx")
    (tmp_path / "mood.bin").write_bytes(b"mine")
    with pytest.raises(SinkError, match="exists already"):
        export(mood, tmp_path / "mood.xml", format="openvino")


@ON_EACH_TRUNK
@pytest.mark.filterwarnings("ignore")  # of TensorFlow, which plans to move its interpreter
def test_a_tflite_interpreter_gives_the_answers_of_the_engine(
    trunk: str, crops: list[BGRImage], tmp_path: Path
) -> None:
    tf = pytest.importorskip("tensorflow")
    analyzer = random_analyzer(MOOD, trunk)
    path = export(analyzer, tmp_path / "mood.tflite", format="tflite")
    given = resize_crops(crops, analyzer.crop).crops.astype(np.float32)
    interpreter = tf.lite.Interpreter(model_path=str(path))
    (first,), (last,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(first["index"], given.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(first["index"], given)
    interpreter.invoke()
    answers = interpreter.get_tensor(last["index"])
    np.testing.assert_allclose(answers, read_with_engine(analyzer, crops), atol=1e-3)
    about = json.loads((tmp_path / "mood.json").read_text(encoding="utf-8"))
    assert about["labels"] == ["calm", "lively"]
