"""OpenVINO without its reporter.

``import openvino`` sends an event to Google Analytics, unless the package openvino-telemetry is
missing. So it is made to look missing while OpenVINO is imported.
"""

from __future__ import annotations

import sys

REPORTER = "openvino_telemetry"

_before = sys.modules.get(REPORTER)
sys.modules[REPORTER] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
try:
    import openvino
    from openvino import opset1, opset13
finally:
    if _before is None:
        del sys.modules[REPORTER]
    else:
        sys.modules[REPORTER] = _before

__all__ = ["openvino", "opset1", "opset13"]
