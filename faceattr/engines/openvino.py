"""Networks on the processor by OpenVINO, without TensorFlow."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.engines.base import Compiled, Engine, Precision
from faceattr.engines.quiet import openvino as ov
from faceattr.engines.translation import translate
from faceattr.errors import EngineError
from faceattr.networks.graph import Network


class OpenVinoEngine(Engine):
    """OpenVINO on the CPU (default).

    ``precision="auto"`` leaves the arithmetic to OpenVINO: bfloat16 where the processor
    multiplies matrices of it natively, else float32.
    """

    def compile(self, network: Network, *, precision: Precision | None = None) -> Compiled:
        """See the base class."""
        properties: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits while its core is busy
        }
        if (precision or self.precision) == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        if self.threads is not None:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        try:
            return _ThreadSafe(ov.Core().compile_model(translate(network), "CPU", properties))
        except RuntimeError as error:  # all that OpenVINO raises
            raise EngineError(f"OpenVINO cannot compile {network.name!r}: {error}") from error


class _ThreadSafe:
    """A compiled model with one inference request for each thread that calls it."""

    def __init__(self, model: ov.CompiledModel) -> None:
        self._model = model
        self._local = threading.local()

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        request: ov.InferRequest = self._local.request
        request.infer([np.ascontiguousarray(batch, np.float32)], share_inputs=True)
        answer: NDArray[np.float32] = request.get_output_tensor().data.copy()
        return answer
