"""What analyzers have in common whose result is the output of one network."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer, Reader
from faceattr.engines.base import Compiled, Engine
from faceattr.errors import PluginError, WeightsError
from faceattr.forms import Labels, Unit
from faceattr.networks.heads import softmax
from faceattr.types import Attribute, CropBatch, Crops
from faceattr.weights import fetch


class NetworkAnalyzer(Analyzer):
    """Reads what a network in a file gives for each crop.

    If `output` is `Labels`, the network gives a probability for each; if it is a `Unit`, one
    number. A subclass may change what goes into the network (`prepare`) and what its output
    means (`interpret`).

    Attributes:
        file: Path of the file, from the folder of the class's own module; empty if it is
            downloaded, as `weights` says.
        mean: Subtracted from the crops in [0, 255]; one number, or one for each channel.
        std: Divides what is left: ``std = 255`` gives [0, 1], ``mean = std = 127.5`` [-1, 1].
        logits: Whether the output is logits, which still need a softmax.
    """

    file: ClassVar[str | Path] = ""
    mean: ClassVar[float | Sequence[float]] = 0.0
    std: ClassVar[float | Sequence[float]] = 1.0
    logits: ClassVar[bool] = False

    def load(self, engine: Engine) -> Reader:
        """See the base class.

        Raises:
            WeightsError: The file is missing or cannot be downloaded.
            EngineError: The engine cannot run the network.
        """
        path = fetch(self.weights) if self.weights else _own_file(type(self), self.file)
        network = self.compile(path, engine)

        def read(batch: CropBatch) -> Sequence[Attribute]:
            return [self.interpret(output) for output in network(self.prepare(batch.crops))]

        return read

    @abstractmethod
    def compile(self, path: Path, engine: Engine) -> Compiled:
        """Return a function that runs the network in the file."""

    def prepare(self, crops: Crops) -> NDArray[Any]:
        """Return the network's input, (N, H, W, C) uint8 or float32."""
        if np.all(np.equal(self.mean, 0)) and np.all(np.equal(self.std, 1)):
            return crops
        return (crops - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)

    def interpret(self, output: NDArray[np.float32]) -> Attribute:
        """Return the attribute that the network's output for one face means.

        Args:
            output: Array of any shape, as many values as `output` declares.

        Raises:
            PluginError: It has another number of values.
        """
        values = output.reshape(-1)
        if isinstance(self.output, Labels) and len(values) == len(self.output.names):
            return self.output.classify(softmax(values) if self.logits else values)
        if isinstance(self.output, Unit) and len(values) == 1:
            return self.output.estimate(values[0])
        declared = "1 number"
        if isinstance(self.output, Labels):
            declared = f"{len(self.output.names)} labels"
        raise PluginError(
            f"{type(self).__name__} declares {declared}, and its network gives {len(values)} "
            "values; declare an output for all of them, or define interpret()"
        )


def _own_file(plugin: type, file: str | Path) -> Path:
    """Return the path of a file that ships with a plugin."""
    if not str(file):
        raise WeightsError(f"{plugin.__name__} declares neither a file nor weights to load")
    path = Path(inspect.getfile(plugin)).parent / file
    if not path.is_file():
        raise WeightsError(
            f"{path} is missing, which {plugin.__name__} needs; if it belongs to the package, "
            "the package was built without it"
        )
    return path
