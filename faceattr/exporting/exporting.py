"""An analyzer as one network from crops to answers, written in the format of another runtime."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.builtin import FEATURES, BuiltinAnalyzer, load_builtin
from faceattr.analyzers.trained import LOG_STD_LIMITS, TrainedAnalyzer, trunk_of
from faceattr.analyzers.trunks import TRUNKS
from faceattr.arguments import explained
from faceattr.engines import create_engine
from faceattr.errors import EngineError, OptionError
from faceattr.forms import Labels, Unit
from faceattr.networks import graph
from faceattr.networks.graph import Layer, Network
from faceattr.outputs import AnyPath, Outputs
from faceattr.weights import require_open

Format: TypeAlias = Literal["onnx", "openvino", "tflite"]
SUFFIXES: dict[str, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "openvino": (".xml", ".bin"),
    "tflite": (".tflite", ".json"),
}
"""The ending of the file, and of one beside it, for each format."""

TOLERANCE = 1e-3  # by which the answers of the file may differ from those of the engine
NUM_CROPS = 8  # on which they are compared


@explained
def export(
    analyzer: Analyzer, to: AnyPath, *, format: Format = "onnx", overwrite: bool = False
) -> Path:
    """Write a built-in or trained analyzer as a network that other programs run.

    It takes (N, H, W, C) float32 crops in [0, 255], cut as `Analyzer.crop` says, and gives (N, C)
    float32: the probabilities of the labels; of the built-in ``age``, those of the ages from 0 to
    100; of a trained estimate, its value and the logarithm of its standard deviation. What a
    program needs to know of the crop and the labels is in the file, as JSON under ``faceattr``.

    Args:
        analyzer: What to write.
        to: File to write; its name ends in ``.onnx``, ``.xml`` or ``.tflite``.
        format: ONNX; OpenVINO's, which has a ``.bin`` file beside it; or TensorFlow Lite, which
            has its ``.json`` beside it.
        overwrite: Replace files that exist.

    Returns:
        The path of the file.

    Raises:
        OptionError: The analyzer or the format is another, or the name ends in something else.
        MissingDependencyError: The package that writes the format is not installed.
        EngineError: The file answers differently from the engine; nothing is written.
        LicenseError: ``FACEATTR_LICENSES=open`` is set, and its weights are not open.
        SinkError: The file exists or cannot be written.
    """
    require_open(analyzer, type(analyzer).__name__)
    if format not in get_args(Format):
        raise OptionError(f"format is {format!r}; it can be {', '.join(get_args(Format))}")
    path, suffixes = Path(to), SUFFIXES[format]
    if path.suffix.lower() != suffixes[0]:
        raise OptionError(
            f"{path}: the name of a file in the format {format} ends in {suffixes[0]}"
        )
    outputs = Outputs(overwrite=overwrite)
    files = [outputs.file(path), *(outputs.file(path.with_suffix(one)) for one in suffixes[1:])]
    network = network_of(analyzer)
    about = json.dumps(describe(analyzer), ensure_ascii=False)
    with TemporaryDirectory() as folder:
        staged = [Path(folder, f"network{suffix}") for suffix in suffixes]
        rng = np.random.default_rng(0)
        crops = rng.integers(0, 256, (NUM_CROPS, *network.layers[0].config["shape"]), np.uint8)
        write = {"onnx": _write_onnx, "openvino": _write_openvino, "tflite": _write_tflite}[format]
        _compare(network, crops, write(network, about, staged, crops), format)
        for file, part in zip(files, staged, strict=True):
            file.write_bytes(part.read_bytes())
    return files[0].path


def network_of(analyzer: Analyzer) -> Network:
    """Return one network from crops to the answers of an analyzer.

    Raises:
        OptionError: It is neither built in nor trained by `faceattr train`, or stands on several
            networks.
    """
    if isinstance(analyzer, TrainedAnalyzer):
        names = [part.name for part in TRUNKS[analyzer.head.trunk].parts]
        if len(names) > 1:
            raise OptionError(
                f"{type(analyzer).__name__} stands on the networks {' and '.join(names)}, which "
                "take different crops, so it cannot be exported as one network; train it again "
                f"with --trunk {' or --trunk '.join(names)}"
            )
        return _with_head(analyzer)
    if isinstance(analyzer, BuiltinAnalyzer):
        network = load_builtin(analyzer.network)
        for layer in network.layers:
            if layer.kind == "Softmax" and layer.inputs == (analyzer.layer,):
                return _pruned(graph.up_to(network, layer.name))
    raise OptionError(
        f"{type(analyzer).__name__} cannot be exported; emotion, age, gender and the analyzers of "
        "`faceattr train` can"
    )


def describe(analyzer: Analyzer) -> dict[str, object]:
    """Return what a program needs to know to use the network, in JSON's own types."""
    from faceattr import __version__

    form: dict[str, object] = {}
    if isinstance(analyzer.output, Labels):
        form = {"labels": list(analyzer.output.names)}
    elif isinstance(analyzer, TrainedAnalyzer) and isinstance(analyzer.output, Unit):
        form = {"unit": analyzer.output.name, "columns": ["value", "log of standard deviation"]}
    elif isinstance(analyzer.output, Unit):
        form = {"unit": analyzer.output.name, "columns": "probabilities of 0, 1, 2, …"}
    crop = asdict(analyzer.crop)
    return {
        "attribute": analyzer.attribute,
        **form,
        "crop": crop,
        "range": [0, 255],
        "faceattr": __version__,
    }


def _with_head(analyzer: TrainedAnalyzer) -> Network:
    """Return the trunk with the head as its last layers."""
    head = analyzer.head
    trunk = trunk_of(head)
    layers = [*trunk.layers, Layer("Dense", "head", {"units": len(head.bias)}, (FEATURES,))]
    weights = {**trunk.weights, "head": (head.kernel, head.bias)}
    if isinstance(head.output, Labels):
        layers.append(Layer("Softmax", "scores", {}, ("head",)))
    elif head.bounds is not None:
        low, high = np.array([head.bounds, LOG_STD_LIMITS], np.float32).T
        weights["head"] = (head.kernel / (high - low), (head.bias - low) / (high - low))
        layers += _clip_to_unit("head")
        layers.append(Layer("Dense", "estimate", {"units": 2}, (layers[-1].name,)))
        weights["estimate"] = (np.diag(high - low), low)
    return replace(trunk, name=head.attribute, layers=layers, weights=weights, digest=None)


def _clip_to_unit(name: str) -> list[Layer]:
    """Return layers that clip the output of a layer to [0, 1]: 1 - relu(1 - relu(x)).

    The engines know no other way to clip.
    """
    return [
        Layer("ReLU", "not_negative", {}, (name,)),
        Layer("Rescaling", "distance_to_one", {"scale": -1.0, "offset": 1.0}, ("not_negative",)),
        Layer("ReLU", "not_above_one", {}, ("distance_to_one",)),
        Layer("Rescaling", "clipped", {"scale": -1.0, "offset": 1.0}, ("not_above_one",)),
    ]


def _pruned(network: Network) -> Network:
    """Return the network without the layers that its output does not need."""
    needed = {network.layers[-1].name}
    kept: list[Layer] = []
    for layer in reversed(network.layers):
        if layer.name in needed:
            kept.append(layer)
            needed.update(layer.inputs)
    return replace(network, layers=kept[::-1])


def _compare(
    network: Network, crops: NDArray[np.uint8], answers: NDArray[np.float32], format: str
) -> None:
    """Refuse a file that answers differently from our engine."""
    expected = create_engine(precision="f32").compile(network)(crops)
    difference = float(np.abs(expected - answers).max())
    if not difference <= TOLERANCE:  # NaN fails every comparison
        raise EngineError(
            f"{network.name!r} as {format} answers up to {difference:.2g} differently from the "
            "engine; nothing was written"
        )


def _write_onnx(
    network: Network, about: str, staged: list[Path], crops: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Write the file, and return its answers."""
    from faceattr.exporting.onnx import to_onnx

    staged[0].write_bytes(to_onnx(network, {"faceattr": about}))
    engine = create_engine("openvino", precision="f32")
    return engine.compile_onnx(staged[0])(crops.astype(np.float32))


def _write_openvino(
    network: Network, about: str, staged: list[Path], crops: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Write both files, and return their answers."""
    from faceattr.engines.quiet import openvino as ov
    from faceattr.engines.translation import translate

    model = translate(network)
    model.set_rt_info(about, "faceattr")
    ov.save_model(model, staged[0], compress_to_fp16=False)
    core = ov.Core()
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(staged[0]), "CPU", precise)
    return np.asarray(compiled(crops.astype(np.float32))[0])


def _write_tflite(
    network: Network, about: str, staged: list[Path], crops: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Write the file and what it cannot hold beside it, and return its answers."""
    create_engine("tensorflow")  # which says if TensorFlow is not here
    from faceattr.networks.keras_models import to_keras

    content = _to_tflite(to_keras(network), crops.shape[1:])
    staged[0].write_bytes(content)
    staged[1].write_text(about, encoding="utf-8")
    return _run_tflite(content, crops.astype(np.float32))


def _to_tflite(model: Any, shape: tuple[int, ...]) -> bytes:
    """Return a Keras model as TensorFlow Lite has it, for crops of that shape.

    Its variables become constants here; the converter would save and load the model for that,
    which takes a minute.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    crops = tf.TensorSpec((None, *shape), tf.float32, "crops")
    function = tf.function(lambda batch: model(batch, training=False)).get_concrete_function(crops)
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    return content


def _run_tflite(content: bytes, crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the output of TensorFlow Lite's interpreter."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content)
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], crops)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(answered["index"]))
