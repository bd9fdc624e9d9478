"""Networks in files written by Keras 3. Keras itself is needed for the weights only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from faceattr.errors import EngineError, FaceattrError, MissingDependencyError, WeightsError
from faceattr.networks.formats.archives import check_unpacked_size
from faceattr.networks.formats.hdf5 import refuse_other_files
from faceattr.networks.graph import Array, Layer, Network, layers_of
from faceattr.networks.shapes import weight_shapes
from faceattr.weights.store import hash_file

MAX_CONFIG = 10 * 1024 * 1024  # bytes of JSON; a thousand layers take one tenth
BYTES_PER_WEIGHT = 2  # at least, in half precision
SPARE_WEIGHTS = 1_000_000  # that a config may describe beyond those in the file


def read_keras(path: Path) -> Network:
    """Return the network in a ``.keras`` file.

    Raises:
        WeightsError: The file cannot be read.
        EngineError: The model is not a plain graph of layers with one input and one output.
    """
    try:
        digest = hash_file(path)
        with ZipFile(path) as archive:
            check_unpacked_size(archive, path.stat().st_size)
            if archive.getinfo("config.json").file_size > MAX_CONFIG:
                raise WeightsError(f"its config.json is larger than {MAX_CONFIG} bytes")
            model = json.loads(archive.read("config.json"))
        kind, config = str(model["class_name"]), dict(model["config"])
    except Exception as error:  # a damaged archive fails in any way
        raise WeightsError(
            f"{path} cannot be read: {error}; it must be a file that Keras 3 has written with "
            "model.save('NAME.keras')"
        ) from error
    if kind not in ("Functional", "Sequential") or not _has_one_end(config):
        raise EngineError(
            f"{path} holds a {kind} model; it must be functional or sequential, with one input "
            "and one output"
        )
    try:
        layers = layers_of(config)
        _check_graph(layers)
    except Exception as error:  # so does a damaged or unusual config
        raise EngineError(
            f"the layers in {path} cannot be read: {type(error).__name__}: {error}"
        ) from error
    return Network(path.stem, layers, _KerasWeights(path, layers), digest)


def _has_one_end(config: Mapping[str, Any]) -> bool:
    """Return whether a model has one input and one output; a sequential one always has."""
    return all(
        ends is None or _count(ends) == 1
        for ends in (config.get("input_layers"), config.get("output_layers"))
    )


def _count(ends: object) -> int:
    """Count the ends in ``["name", 0, 0]`` or ``[["name", 0, 0], …]``; -1 if it is neither."""
    if not isinstance(ends, list) or not ends:
        return -1
    return 1 if isinstance(ends[0], str) else len(ends)


def _check_graph(layers: Sequence[Layer]) -> None:
    """Raise ValueError unless the layers are an input of a known shape and others with names."""
    shape = layers[0].config.get("shape")
    if not isinstance(shape, tuple) or not all(
        side is None or (isinstance(side, int) and side > 0) for side in shape
    ):
        raise ValueError(f"the first layer is not an input of a known shape but {layers[0]}")
    words = [word for layer in layers for word in (layer.kind, layer.name, *layer.inputs)]
    if len(layers) < 2 or not all(isinstance(word, str) for word in words):
        raise ValueError("there is only an input, or something without a name")


class _KerasWeights(Mapping[str, Sequence[Array]]):
    """The weights of each layer that has some; loaded when the first layer is asked for."""

    def __init__(self, path: Path, layers: Sequence[Layer]) -> None:
        self._path = path
        self._layers = layers

    def __getitem__(self, layer: str) -> Sequence[Array]:
        return self._loaded[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)

    @cached_property
    def _loaded(self) -> Mapping[str, Sequence[Array]]:
        try:
            import keras
        except ImportError as error:
            raise MissingDependencyError(
                f"reading {self._path} needs Keras: pip install tensorflow"
            ) from error
        try:
            self._check_weights()
            model = keras.models.load_model(self._path, compile=False)
            return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
        except FaceattrError:
            raise
        except Exception as error:  # damaged weights and unknown layers fail in many ways
            raise EngineError(f"Keras cannot load {self._path}: {error}") from error

    def _check_weights(self) -> None:
        """Refuse weights from other files, and layers too large for the weights in the file."""
        import h5py

        with ZipFile(self._path) as archive:
            content = archive.read("model.weights.h5")
        with h5py.File(BytesIO(content)) as file:
            refuse_other_files(file)
        try:
            shapes = weight_shapes(self._layers).values()
            num_weights = sum(prod(shape) for group in shapes for shape in group)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return  # the input's size is free, or a layer unusual
        if num_weights > len(content) / BYTES_PER_WEIGHT + SPARE_WEIGHTS:
            raise WeightsError(
                f"the layers in {self._path} have {num_weights} weights, but it holds "
                f"{len(content)} bytes of weights"
            )
