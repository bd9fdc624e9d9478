"""Networks on the processor by OpenVINO, without TensorFlow."""

from __future__ import annotations

import logging
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.engines import converted
from faceattr.engines.base import Compiled, Engine
from faceattr.engines.forking import ForkGuard
from faceattr.engines.quiet import REINSTALL, compress_model_transformation
from faceattr.engines.quiet import openvino as ov
from faceattr.engines.translation import translate
from faceattr.errors import EngineError, FaceattrError
from faceattr.networks.folding import fold_normalization
from faceattr.networks.graph import MAX_PREPARED, Network
from faceattr.options import Precision

logger = logging.getLogger(__name__)

CHANNELS = (1, 3)  # of an image
FORMAT = 2  # version of the stored models; incremented when translations change

fork_guard = ForkGuard()


class OpenVinoEngine(Engine):
    """OpenVINO on the CPU (default).

    ``precision="int8"`` multiplies whole numbers in the networks that know the ranges of their
    layers; other networks have OpenVINO's choice: bfloat16 where the processor multiplies
    bfloat16 matrices natively, else float32. ``precision="auto"`` is ``"int8"`` on x86 processors
    without bfloat16, and OpenVINO's choice on all others.

    A network whose weights have a digest is converted once and stored in the cache. Unless the
    precision is ``"f32"``, its weights are rounded to half precision, whether or not it can be
    stored. Later starts do not read the original weights.
    """

    def build(self, network: Network, precision: Precision) -> Compiled:
        """See the base class."""
        try:
            if network.ranges and (precision == "int8" or (precision == "auto" and _int8_pays())):
                model = translate(fold_normalization(network), int8=True)
            else:
                model = _model(network, precision)
            return self._compile(model, precision, repr(network.name), network.max_prepared)
        except FaceattrError:
            raise
        except RuntimeError as error:  # all that OpenVINO raises
            raise EngineError(
                f"OpenVINO cannot compile {network.name!r}: {_one_line(error)}"
            ) from error

    def compile_onnx(self, path: Path) -> Compiled:
        """See the base class."""
        try:
            model = read_onnx(path)
            compiled = self._compile(model, self.precision, path.name)
            shape = [None if side.is_dynamic else side.get_length() for side in _shape(model)]
        except FaceattrError:
            raise
        except Exception as error:  # a damaged file makes OpenVINO's bindings fail in many ways
            raise EngineError(f"OpenVINO cannot read {path}: {_one_line(error)}") from error
        return _OnnxFunction(path.name, compiled, shape)

    def _compile(
        self, model: ov.Model, precision: Precision, name: str, max_prepared: int = MAX_PREPARED
    ) -> Compiled:
        properties: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits while its core is busy
            "CPU_RUNTIME_CACHE_CAPACITY": max_prepared,
        }
        if precision == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        if self.threads is not None:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        fork_guard.check()
        core = _core()
        try:
            with fork_guard.at_work():
                compiled = core.compile_model(model, "CPU", properties)
        except RuntimeError as error:
            if "CPU" in core.available_devices:
                raise
            raise EngineError(
                f"OpenVINO cannot load its plugin for the CPU: {_one_line(error)}; {REINSTALL}"
            ) from error
        fork_guard.keep(compiled)
        return _ThreadSafe(compiled, name)


def read_onnx(path: Path) -> ov.Model:
    """Return the network in an ONNX file as a model from (N, H, W, C) to its first output.

    Raises:
        EngineError: It does not have one input, or its batch size is fixed to more than 1.
    """
    model = _core().read_model(path)
    if len(model.inputs) != 1:
        names = ", ".join(port.any_name for port in model.inputs)
        raise EngineError(f"{path.name} has {len(model.inputs)} inputs ({names}) instead of one")
    shape = _shape(model)
    if shape[0].is_static and shape[0].get_length() != 1:
        raise EngineError(
            f"{path.name} takes {shape[0]} images at a time; export it with a free batch "
            "(dynamic axis 0), or for one"
        )
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.f32)
    if len(shape) == 4 and shape[3] not in CHANNELS and shape[1] in CHANNELS:
        steps.input().tensor().set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.output(0).tensor().set_element_type(ov.Type.f32)
    return steps.build()


@cache
def _int8_pays() -> bool:
    """Return whether whole numbers are faster here than OpenVINO's choice."""
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    is_x86 = platform.machine().lower() in {"x86_64", "amd64"}
    return is_x86 and "INT8" in capabilities and "BF16" not in capabilities


def _core() -> ov.Core:
    try:
        return ov.Core()
    except RuntimeError as error:
        raise EngineError(f"OpenVINO does not start: {_one_line(error)}; {REINSTALL}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _shape(model: ov.Model) -> ov.PartialShape:
    return model.input().get_partial_shape()


class _OnnxFunction:
    """The network of an ONNX file, whose batch size may be fixed and whose input is checked."""

    def __init__(self, name: str, compiled: Compiled, shape: Sequence[int | None]) -> None:
        self._name = name
        self._compiled = compiled
        self._shape = shape

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        batch_size, *expected = self._shape
        actual = batch.shape[1:]
        if len(actual) != len(expected) or any(
            side not in (None, size) for side, size in zip(expected, actual, strict=True)
        ):
            raise EngineError(
                f"{self._name} takes {_words(expected)} for each face but was given "
                f"{_words(actual)} (height, width, channels); change the analyzer's crop"
            )
        if batch_size is None:
            return self._compiled(batch)
        return np.concatenate([self._compiled(row) for row in np.split(batch, len(batch))])


def _words(shape: Sequence[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in shape)


def _model(network: Network, precision: Precision) -> ov.Model:
    """Return the network as an OpenVINO model, from the cache if it is stored there."""
    if network.identity is None or not network.stored:
        return translate(network)
    key = f"{network.identity} {precision} {ov.__version__} {FORMAT}"
    with suppress(OSError, RuntimeError):  # no folder for the cache, or a model of another build
        if converted.is_intact(converted.path_of(key)):
            return ov.Core().read_model(converted.path_of(key))
    logger.info("converting %s for OpenVINO %s", network.name, ov.__version__)
    model = translate(network)
    if precision != "f32":
        compress_model_transformation(model)  # here, so that it does not depend on the disk
    try:
        path = converted.path_of(key)
        converted.store(path, lambda xml: ov.save_model(model, xml, compress_to_fp16=False))
        return ov.Core().read_model(path)  # which takes less memory, as the weights are mapped
    except (OSError, RuntimeError) as error:
        logger.warning(
            "the converted network %s cannot be stored and will be converted again at the next "
            "start: %s",
            *(network.name, _one_line(error)),
        )
        return model


class _ThreadSafe:
    """A compiled model with one inference request per thread."""

    def __init__(self, model: ov.CompiledModel, name: str) -> None:
        self._model = model
        self._dtype = model.input().element_type.to_dtype()
        self._name = name
        self._local = threading.local()

    def __del__(
        self,
        guard: ForkGuard = fork_guard,  # the globals may be gone by then
        is_finalizing: Callable[[], bool] = sys.is_finalizing,
    ) -> None:
        if is_finalizing():  # nobody forks any more
            return
        with guard.at_work():
            del self._model, self._local

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        fork_guard.check()
        with fork_guard.at_work():
            try:
                if not hasattr(self._local, "request"):
                    self._local.request = self._model.create_infer_request()
                request: ov.InferRequest = self._local.request
                array = np.ascontiguousarray(batch, self._dtype)
                request.set_input_tensor(ov.Tensor(array, shared_memory=True))
                request.infer()
            except RuntimeError as error:
                raise EngineError(
                    f"OpenVINO cannot run {self._name} on {_words(batch.shape)} numbers: "
                    f"{_one_line(error)}"
                ) from error
            output: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return output
