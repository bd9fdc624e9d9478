"""Networks on the processor by OpenVINO, without TensorFlow."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.engines.base import Compiled, Engine, Precision
from faceattr.engines.quiet import openvino as ov
from faceattr.engines.translation import translate
from faceattr.errors import EngineError
from faceattr.networks.graph import Network
from faceattr.weights import cache_folder

logger = logging.getLogger(__name__)

CHANNELS = (1, 3)  # that a picture can have
FORMAT = 1  # of the stored models; another number when translations change
MOST_PREPARED = 1000  # layers that a network keeps ready, one for each shape that it has met


class OpenVinoEngine(Engine):
    """OpenVINO on the CPU (default).

    ``precision="auto"`` leaves the arithmetic to OpenVINO: bfloat16 where the processor
    multiplies matrices of it natively, else float32.

    A network whose weights have a digest is translated once and stored in the cache, with
    weights in half precision unless it is for ``"f32"``. Later its weights are not asked for.
    """

    def build(self, network: Network, precision: Precision) -> Compiled:
        """See the base class."""
        try:
            model = _model(network, precision)
            return _ThreadSafe(self._compile(model, precision))
        except EngineError:
            raise
        except RuntimeError as error:  # all that OpenVINO raises
            raise EngineError(f"OpenVINO cannot compile {network.name!r}: {error}") from error

    def compile_onnx(self, path: Path) -> Compiled:
        """See the base class."""
        try:
            model = read_onnx(path)
            compiled = _ThreadSafe(self._compile(model, self.precision))
        except EngineError:
            raise
        except RuntimeError as error:  # all that OpenVINO raises
            raise EngineError(f"OpenVINO cannot read {path}: {error}") from error
        shape = [None if side.is_dynamic else side.get_length() for side in _shape(model)]
        return _OnnxFunction(path.name, compiled, shape)

    def _compile(self, model: ov.Model, precision: Precision) -> ov.CompiledModel:
        properties: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits while its core is busy
            "CPU_RUNTIME_CACHE_CAPACITY": MOST_PREPARED,  # 5000 take GB after many pictures
        }
        if precision == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        if self.threads is not None:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        return ov.Core().compile_model(model, "CPU", properties)


def read_onnx(path: Path) -> ov.Model:
    """Return the network in an ONNX file as a model from (N, H, W, C) to its first output.

    Raises:
        EngineError: It does not have one input, or that is for batches of a fixed size above 1.
    """
    model = ov.Core().read_model(path)
    if len(model.inputs) != 1:
        names = ", ".join(port.any_name for port in model.inputs)
        raise EngineError(f"{path.name} has {len(model.inputs)} inputs ({names}) instead of one")
    shape = _shape(model)
    if shape[0].is_static and shape[0].get_length() != 1:
        raise EngineError(
            f"{path.name} takes {shape[0]} pictures at a time; export it with a free batch "
            "(dynamic axis 0), or for one"
        )
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.f32)
    if len(shape) == 4 and shape[3] not in CHANNELS and shape[1] in CHANNELS:
        steps.input().tensor().set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.output(0).tensor().set_element_type(ov.Type.f32)
    return steps.build()


def _shape(model: ov.Model) -> ov.PartialShape:
    return model.input().get_partial_shape()


class _OnnxFunction:
    """The network of an ONNX file, which has its own mind about what it takes."""

    def __init__(self, name: str, compiled: Compiled, shape: Sequence[int | None]) -> None:
        self._name = name
        self._compiled = compiled
        self._shape = shape

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        num, *wanted = self._shape
        given = batch.shape[1:]
        if len(given) != len(wanted) or any(
            side not in (None, size) for side, size in zip(wanted, given, strict=True)
        ):
            raise EngineError(
                f"{self._name} takes {_words(wanted)} for each face and gets {_words(given)}; the "
                "analyzer's crop has another form (height, width, channels)"
            )
        if num is None:
            return self._compiled(batch)
        return np.concatenate([self._compiled(row) for row in np.split(batch, len(batch))])


def _words(shape: Sequence[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in shape)


def _model(network: Network, precision: Precision) -> ov.Model:
    """Return the network as an OpenVINO model, from the cache if it has been there before."""
    if network.identity is None or not network.stored:
        return translate(network)
    path = _stored(network.identity, precision)
    try:
        return ov.Core().read_model(path)
    except RuntimeError as error:  # it is missing, or damaged
        logger.debug("%s: %s", path, error)
    logger.info("converting %s for OpenVINO %s", network.name, ov.__version__)
    model = translate(network)
    try:
        _store(model, path, half=precision != "f32")
        return ov.Core().read_model(path)
    except (OSError, RuntimeError) as error:
        logger.warning(
            "%s will be converted again at the next start, as %s cannot be kept: %s",
            *(network.name, path, error),
        )
        return model


def _stored(identity: str, precision: Precision) -> Path:
    key = f"{identity} {precision} {ov.__version__} {FORMAT}"
    return cache_folder() / "compiled" / f"{hashlib.sha256(key.encode()).hexdigest()}.xml"


def _store(model: ov.Model, path: Path, *, half: bool) -> None:
    """Write a model beside its place and move it there, so that nobody meets half of it.

    Two processes that do so at once write the same, but for the names of some nodes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        staged = Path(folder, path.name)
        ov.save_model(model, staged, compress_to_fp16=half)
        for part in (staged.with_suffix(".bin"), staged):  # the xml last: it is what is looked for
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path.with_name(part.name))


class _ThreadSafe:
    """A compiled model with a request for each thread that calls."""

    def __init__(self, model: ov.CompiledModel) -> None:
        self._model = model
        self._local = threading.local()

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        request: ov.InferRequest = self._local.request
        request.infer([np.ascontiguousarray(batch, np.float32)], share_inputs=True)
        answer: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return answer
