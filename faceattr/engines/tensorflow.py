"""Networks by Keras on TensorFlow: the reference results, and the way to a GPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.engines.base import Compiled, Engine
from faceattr.errors import EngineError, MissingDependencyError
from faceattr.networks.graph import Network
from faceattr.options import Precision

try:
    import tensorflow as tf

    from faceattr.networks.keras_models import to_keras
except ImportError as error:
    raise MissingDependencyError(
        f"engine 'tensorflow' needs TensorFlow ({error}): pip install tensorflow"
    ) from error

PROCESS = os.getpid()  # in which TensorFlow was imported


class TensorFlowEngine(Engine):
    """TensorFlow, in float32, on its default device (a GPU where it finds one)."""

    def build(self, network: Network, precision: Precision) -> Compiled:
        """See the base class."""
        _check_process()
        if self.threads is not None:
            _limit_threads(self.threads)
        model = to_keras(network)
        function = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)

        def run(batch: NDArray[Any]) -> NDArray[np.float32]:
            _check_process()
            try:
                output: NDArray[np.float32] = function(tf.constant(batch, tf.float32)).numpy()
            except (tf.errors.OpError, TypeError, ValueError) as error:
                raise EngineError(f"TensorFlow cannot run {network.name!r}: {error}") from error
            return output

        return run


def _check_process() -> None:
    """Refuse to wait for ever: in a forked process, TensorFlow's threads do not exist."""
    if os.getpid() != PROCESS:
        raise EngineError(
            "TensorFlow cannot be used in a forked process; use engine='openvino', or "
            "multiprocessing.get_context('spawn')"
        )


def _limit_threads(threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise EngineError(
            f"cannot limit TensorFlow to {threads} threads after it has started; set threads "
            "before the first network runs"
        ) from error
