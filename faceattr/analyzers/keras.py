"""Analyzers from Keras models."""

from __future__ import annotations

from pathlib import Path

from faceattr.analyzers.network import NetworkAnalyzer
from faceattr.engines.base import Compiled, Engine
from faceattr.networks.formats.keras_file import read_keras


class KerasAnalyzer(NetworkAnalyzer):
    """Reads what a model says that Keras 3 has saved as a ``.keras`` file.

    OpenVINO gets the model from Keras once, and needs neither Keras nor TensorFlow later. It
    knows the layers of plain convolutional networks; with ``engine="tensorflow"`` Keras runs
    any other.
    """

    def compile(self, path: Path, engine: Engine) -> Compiled:
        """See the base class."""
        return engine.compile(read_keras(path))
