"""OpenVINO without its telemetry and its model converter.

``import openvino`` sends an event to Google Analytics if the package openvino-telemetry is
installed, and it imports a model converter that takes as long as the rest of it and is not needed
here. Neither can be switched off, so both are hidden while OpenVINO is imported.
``openvino.convert_model`` works all the same.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faceattr.errors import MissingDependencyError

TELEMETRY, CONVERTER = "openvino_telemetry", "openvino.tools.ovc"
REINSTALL = (
    "reinstall it with `pip install --force-reinstall openvino`, or choose engine='tensorflow'"
)


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Make modules look missing for a while; those imported before are restored."""
    before = {name: sys.modules.get(name) for name in names}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # so Python marks missing modules
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


try:
    with _hidden(TELEMETRY, CONVERTER):
        import openvino
        from openvino import opset1, opset13
        from openvino._offline_transformations import compress_model_transformation
except Exception as error:  # a wheel for another system fails in many ways
    raise MissingDependencyError(
        f"OpenVINO cannot be imported: {' '.join(str(error).split())}; {REINSTALL}"
    ) from error


def _convert_model(name: str) -> Any:
    """Import ``openvino.convert_model`` on first access."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    with _hidden(TELEMETRY):
        return importlib.import_module(CONVERTER).convert_model


if not hasattr(openvino, "convert_model"):  # else somebody has imported OpenVINO before
    openvino.__getattr__ = _convert_model

__all__ = ["REINSTALL", "compress_model_transformation", "openvino", "opset1", "opset13"]
