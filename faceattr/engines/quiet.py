"""OpenVINO without its reporter and its converter.

``import openvino`` sends an event to Google Analytics, unless the package openvino-telemetry is
missing; and it imports a converter of models, which takes as long as all the rest of it and is
not needed here. So both are made to look missing while OpenVINO is imported. Whoever asks for
``openvino.convert_model`` later gets it all the same.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REPORTER, CONVERTER = "openvino_telemetry", "openvino.tools.ovc"


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let modules be missing for a while; those that are imported already come back."""
    before = {name: sys.modules.get(name) for name in names}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python marks what is missing
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


with _hidden(REPORTER, CONVERTER):
    import openvino
    from openvino import opset1, opset13


def _convert_model(name: str) -> Any:
    """Return what `openvino` lacks of its public names, when somebody asks for it."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    with _hidden(REPORTER):
        return importlib.import_module(CONVERTER).convert_model


if not hasattr(openvino, "convert_model"):  # nobody had imported OpenVINO before
    openvino.__getattr__ = _convert_model

__all__ = ["openvino", "opset1", "opset13"]
