"""What analyzers have in common whose answer is the output of one network."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.base import Analyzer
from faceattr.engines.base import Compiled, Engine
from faceattr.errors import PluginError, WeightsError
from faceattr.types import Attribute, Classification, Crops, Estimate
from faceattr.weights import fetch


class NetworkAnalyzer(Analyzer):
    """Reads what a network in a file says of each crop.

    With `labels` its output is a probability for each; with `unit`, one number. A subclass may
    say otherwise what goes into the network (`prepare`) and what its output means (`read`).

    Attributes:
        file: Path of the file, from the folder of the class's own module; not if it is
            downloaded, which `weights` says.
        mean: Is subtracted from the crops in [0, 255] first; one for all channels or for each.
        std: What is left is divided by it. So ``std = 255`` gives [0, 1], and ``mean = std =
            127.5`` gives [-1, 1].
        logits: Whether the output is logits, for which a softmax is missing.
    """

    file: ClassVar[str | Path] = ""
    mean: ClassVar[float | Sequence[float]] = 0.0
    std: ClassVar[float | Sequence[float]] = 1.0
    logits: ClassVar[bool] = False

    def load(self, engine: Engine) -> None:
        """See the base class.

        Raises:
            WeightsError: The file is not there, or cannot be had.
            EngineError: The engine cannot run what is in it.
        """
        path = fetch(self.weights) if self.weights else _own_file(type(self), self.file)
        self._run = self.compile(path, engine)

    @abstractmethod
    def compile(self, path: Path, engine: Engine) -> Compiled:
        """Return a function that runs the network in a file."""

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """See the base class."""
        return [self.read(output) for output in self._run(self.prepare(crops))]

    def prepare(self, crops: Crops) -> NDArray[Any]:
        """Return what goes into the network, (N, H, W, C) uint8 or float32."""
        if np.all(np.equal(self.mean, 0)) and np.all(np.equal(self.std, 1)):
            return crops
        return (crops - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)

    def read(self, output: NDArray[np.float32]) -> Attribute:
        """Return what the output for one face says, which has any shape.

        Raises:
            PluginError: It has another number of values than there are labels.
        """
        values = output.reshape(-1)
        wanted = max(len(self.labels), 1)
        if len(values) != wanted:
            raise PluginError(
                f"{type(self).__name__} declares {wanted} {'labels' if self.labels else 'number'}, "
                f"and its network gives {len(values)} values; declare labels for all of them, or "
                "define read()"
            )
        if not self.labels:
            return Estimate(float(values[0]), self.unit)
        scores = _softmax(values) if self.logits else values
        return Classification(dict(zip(self.labels, scores.tolist(), strict=True)))


def _own_file(plugin: type, file: str | Path) -> Path:
    """Return where a file lies that comes with a plugin."""
    if not str(file):
        raise WeightsError(f"{plugin.__name__} declares neither a file nor weights to load")
    path = Path(inspect.getfile(plugin)).parent / file
    if not path.is_file():
        raise WeightsError(
            f"{path} is missing, which {plugin.__name__} needs; if it comes with the package, "
            "the package left it out when it was built"
        )
    return path


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
