"""Analyzers from ONNX files, which PyTorch and others write."""

from __future__ import annotations

from pathlib import Path

from faceattr.analyzers.network import NetworkAnalyzer
from faceattr.engines.base import Compiled, Engine


class OnnxAnalyzer(NetworkAnalyzer):
    """Reads the output of a network in an ONNX file. OpenVINO runs it; no ONNX Runtime is needed.

    The network takes images as (N, C, H, W) or (N, H, W, C), for any N or for N = 1.
    """

    def compile(self, path: Path, engine: Engine) -> Compiled:
        """See the base class."""
        return engine.compile_onnx(path)
