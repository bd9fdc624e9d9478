"""Analyzers from Keras models."""

from __future__ import annotations

from pathlib import Path

from faceattr.analyzers.network import NetworkAnalyzer
from faceattr.engines.base import Compiled, Engine
from faceattr.networks.formats.keras_file import read_keras


class KerasAnalyzer(NetworkAnalyzer):
    """Reads the output of a model that Keras 3 saved as a ``.keras`` file.

    The model is converted for OpenVINO once; later neither Keras nor TensorFlow is needed. The
    conversion knows the layers of plain convolutional networks; ``engine="tensorflow"`` runs any.
    """

    def compile(self, path: Path, engine: Engine) -> Compiled:
        """See the base class."""
        return engine.compile(read_keras(path))
