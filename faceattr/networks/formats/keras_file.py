"""Networks in files that Keras 3 has written; Keras itself is asked for their weights only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from faceattr.errors import EngineError, WeightsError
from faceattr.networks.graph import Array, Network, layers_of


def read_keras(path: Path) -> Network:
    """Return the network in a ``.keras`` file.

    Raises:
        WeightsError: The file cannot be read.
        EngineError: It is no plain graph of layers with one input and one output.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with ZipFile(path) as archive:
            model = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise WeightsError(
            f"{path} cannot be read: {error}; it has to be a file that Keras 3 has written by "
            "model.save('NAME.keras')"
        ) from error
    kind, config = model["class_name"], model["config"]
    if kind not in ("Functional", "Sequential") or not _has_one_end(config):
        raise EngineError(
            f"{path} holds a {kind} model; it has to be functional or sequential, with one input "
            "and one output"
        )
    return Network(path.stem, layers_of(config), _KerasWeights(path), digest)


def _has_one_end(config: Mapping[str, object]) -> bool:
    """Return whether a model has one input and one output; a sequential one always has."""
    return all(
        ends is None or _count(ends) == 1
        for ends in (config.get("input_layers"), config.get("output_layers"))
    )


def _count(ends: object) -> int:
    """Count ``["name", 0, 0]`` or ``[["name", 0, 0], …]``."""
    assert isinstance(ends, list)
    return 1 if isinstance(ends[0], str) else len(ends)


class _KerasWeights(Mapping[str, Sequence[Array]]):
    """The weights of each layer that has some; opens the file when the first is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, layer: str) -> Sequence[Array]:
        return self._opened[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)

    @cached_property
    def _opened(self) -> Mapping[str, Sequence[Array]]:
        import keras

        try:
            model = keras.models.load_model(self._path, compile=False)
        except (OSError, TypeError, ValueError) as error:  # also of layers that it does not know
            raise EngineError(f"Keras cannot load {self._path}: {error}") from error
        return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
