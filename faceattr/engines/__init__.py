"""Engines, which run networks on arrays."""

from __future__ import annotations

import os
from typing import cast, get_args

from faceattr.engines.base import Engine
from faceattr.errors import MissingDependencyError, OptionError, PluginLoadError
from faceattr.options import Precision
from faceattr.registry import Registry

engines: Registry[Engine] = Registry(
    kind="engine",
    group="faceattr.engines",
    builtin={
        "openvino": "faceattr.engines.openvino:OpenVinoEngine",
        "tensorflow": "faceattr.engines.tensorflow:TensorFlowEngine",
    },
    base=Engine,
)


def create_engine(
    name: str | None = None, *, precision: str | None = None, threads: int | None = None
) -> Engine:
    """Return a new engine.

    Args:
        name: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"`` or ``"f32"``; None for ``FACEATTR_PRECISION``, else ``"auto"``.
        threads: Processor threads to use; None for as many as the engine chooses.

    Raises:
        UnknownNameError: There is no engine of that name.
        MissingDependencyError: The engine's library cannot be imported.
        OptionError: The precision is unknown, or threads is less than 1.
    """
    name = name or os.environ.get("FACEATTR_ENGINE") or "openvino"
    precision = precision or os.environ.get("FACEATTR_PRECISION") or "auto"
    if precision not in get_args(Precision):
        raise OptionError(f"precision is {precision!r}; it can be 'auto', 'f32' or 'int8'")
    if threads is not None and threads < 1:
        raise OptionError(f"threads is {threads}; it must be at least 1")
    try:
        return engines.create(name, precision=cast(Precision, precision), threads=threads)
    except PluginLoadError as error:
        if isinstance(error.__cause__, MissingDependencyError):
            raise error.__cause__ from None  # it says what to install
        raise
