"""What runs networks on arrays."""

from __future__ import annotations

import os
from typing import cast, get_args

from faceattr.engines.base import Engine, Precision
from faceattr.errors import OptionError
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
    """Return the engine of that name.

    Args:
        name: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"`` or ``"f32"``; None for ``FACEATTR_PRECISION``, else ``"auto"``.
        threads: Processor threads to use; None for as many as are fast.

    Raises:
        UnknownNameError: There is no such engine.
        OptionError: The precision is another word, or threads is less than 1.
    """
    name = name or os.environ.get("FACEATTR_ENGINE") or "openvino"
    precision = precision or os.environ.get("FACEATTR_PRECISION") or "auto"
    if precision not in get_args(Precision):
        raise OptionError(f"precision is {precision!r}; it can be 'auto' or 'f32'")
    if threads is not None and threads < 1:
        raise OptionError(f"threads is {threads}; it must be at least 1")
    return engines.get(name)(precision=cast(Precision, precision), threads=threads)
