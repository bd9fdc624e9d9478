"""Weights in Keras's legacy HDF5 files, read without Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from faceattr.errors import WeightsError
from faceattr.networks.graph import Array, Layer
from faceattr.networks.shapes import Shape, weight_shapes

if TYPE_CHECKING:
    import h5py

Datasets: TypeAlias = tuple[str, ...]
"""Paths of the arrays of one layer in the file, in Keras's order."""


class Hdf5Weights(Mapping[str, Sequence[Array]]):
    """The weights of a graph, each layer's read from the file whenever it is asked for.

    As in Keras, the layers of the file that have weights are those of the graph in the same
    order, whatever their names. The file is opened and every shape checked on first use.

    Args:
        path: The file.
        layers: The graph.
    """

    def __init__(self, path: Path, layers: Sequence[Layer]) -> None:
        self._path = path
        self._shapes = weight_shapes(layers)

    def __getitem__(self, name: str) -> list[Array]:
        """Return the arrays of a layer.

        Raises:
            WeightsError: The file is damaged or made for another graph.
        """
        if name not in self._shapes:
            raise KeyError(name)
        with self._opened() as file:
            return [file[dataset][()] for dataset in self._datasets[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    @cached_property
    def _datasets(self) -> dict[str, Datasets]:
        """Where the arrays of each layer lie, after a check of all shapes."""
        with self._opened() as file:
            stored = list(_stored(file))
            if len(stored) != len(self._shapes):
                raise WeightsError(
                    f"{self._path} has {len(stored)} layers with weights, the network "
                    f"{len(self._shapes)}"
                )
            for (name, wanted), datasets in zip(self._shapes.items(), stored, strict=True):
                found = tuple(file[dataset].shape for dataset in datasets)
                if found != wanted:
                    raise WeightsError(
                        f"layer {name!r} needs weights of {_words(wanted)}, but "
                        f"{_common(datasets)!r} in {self._path} has {_words(found)}"
                    )
            return dict(zip(self._shapes, stored, strict=True))

    @contextmanager
    def _opened(self) -> Iterator[h5py.Group]:
        import h5py

        try:
            with h5py.File(self._path) as file:
                yield file.get("model_weights", file)  # a whole model has its weights there
        except WeightsError:
            raise
        except (OSError, KeyError) as error:  # what h5py raises on a damaged file
            raise WeightsError(f"{self._path} cannot be read as HDF5 weights: {error}") from error


def _stored(file: h5py.Group) -> Iterator[Datasets]:
    """Yield the arrays of each layer that has some, in the order of the layers."""
    for layer in map(_text, file.attrs["layer_names"]):
        names = [_text(name) for name in file[layer].attrs["weight_names"]]
        if names:
            yield tuple(f"{layer}/{name}" for name in names)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _common(datasets: Datasets) -> str:
    return datasets[0].partition("/")[0]


def _words(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(str, shapes))
