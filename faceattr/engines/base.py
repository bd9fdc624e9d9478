"""What an engine is: something that runs networks on arrays."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import EngineError
from faceattr.networks.graph import Network
from faceattr.options import Precision

Compiled: TypeAlias = Callable[[NDArray[Any]], NDArray[np.float32]]
"""(N, H, W, C) uint8 or float32 to (N, …) float32; safe to call from several threads."""


class Engine(ABC):
    """Turns networks into functions. A subclass says how in `build`.

    Args:
        precision: Arithmetic of the networks that allow a choice.
        threads: Processor threads to use; None for as many as are fast.
    """

    _compiled: ClassVar[WeakValueDictionary[Any, Compiled]] = WeakValueDictionary()
    _compiling: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, *, precision: Precision = "auto", threads: int | None = None) -> None:
        self.precision = precision
        self.threads = threads

    def __repr__(self) -> str:
        threads = "" if self.threads is None else f" threads={self.threads}"
        return f"<{type(self).__name__} precision={self.precision!r}{threads}>"

    def compile(self, network: Network, *, precision: Precision | None = None) -> Compiled:
        """Return a function that runs the network on a batch of at least one.

        Networks with the same `identity` share one function while it is in use.

        Args:
            network: What to run.
            precision: Arithmetic for this network; None for the engine's own.

        Raises:
            EngineError: The network has a layer that the engine does not know, or one
                whose weights do not fit.
            WeightsError: The weights are missing, damaged or made for another graph.
        """
        precision = precision or self.precision
        if network.identity is None:
            return self.build(network, precision)
        # a forked child cannot use the threads behind what its parent compiled
        key = os.getpid(), type(self), self.threads, precision, network.identity
        with self._compiling:
            compiled = self._compiled.get(key)
            if compiled is None:
                compiled = self._compiled[key] = self.build(network, precision)
        return compiled

    def compile_onnx(self, path: Path) -> Compiled:
        """Return a function that runs the network in an ONNX file on a batch of at least one.

        The network has one input, of (N, C, H, W) or (N, H, W, C) for pictures; the function
        takes (N, H, W, C) in either case and returns the first output. Where the file fixes N to 1,
        faces go through it one by one.

        Raises:
            EngineError: The engine cannot read the file, or there is another input.
        """
        raise EngineError(
            f"{type(self).__name__} cannot run {path.name}; engine='openvino' reads ONNX files"
        )

    @abstractmethod
    def build(self, network: Network, precision: Precision) -> Compiled:
        """Return a new function that runs the network, as `compile` promises it."""


def _begin_child() -> None:
    """Forget, in a forked process, what its parent has compiled or was compiling."""
    Engine._compiled.clear()
    Engine._compiling = threading.RLock()  # another thread of the parent may hold the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
