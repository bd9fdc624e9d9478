"""Weights in Keras's legacy HDF5 files, read without Keras.

HDF5 lets a file refer to other files, which nothing here follows: a weights file that somebody
else has made must not decide what else is read from this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from faceattr.errors import WeightsError
from faceattr.networks.formats.archives import MAX_EXPANSION, MIN_EXPANSION
from faceattr.networks.graph import Array, Layer
from faceattr.networks.shapes import Shape, weight_shapes

if TYPE_CHECKING:
    import h5py

Datasets: TypeAlias = tuple[str, ...]
"""Paths of one layer's arrays in the file, in Keras's order."""


class Hdf5Weights(Mapping[str, Sequence[Array]]):
    """The weights of a graph, read from the file layer by layer when they are needed.

    As in Keras, the layers with weights in the file correspond to those of the graph by their
    order, not by their names. On first use, the file is opened and every shape is checked.

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
        """The paths of each layer's arrays, once all shapes have been checked."""
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
                        f"{datasets[0].partition('/')[0]!r} in {self._path} has {_words(found)}"
                    )
            return dict(zip(self._shapes, stored, strict=True))

    @contextmanager
    def _opened(self) -> Iterator[h5py.Group]:
        import h5py

        try:
            with h5py.File(self._path) as file:
                refuse_other_files(file)
                yield file.get("model_weights", file)  # a whole model has its weights there
        except WeightsError:
            raise
        except Exception as error:  # h5py fails in any way on a damaged file
            raise WeightsError(f"{self._path} cannot be read as HDF5 weights: {error}") from error


def refuse_other_files(file: h5py.File) -> None:
    """Check that a file holds plain numbers of its own, and no more than its size allows.

    Raises:
        WeightsError: The file takes data from other files, by a link, external storage or a
            virtual dataset; an array does not consist of numbers; or the arrays are so much larger
            than the file that they can only be there to fill the memory.
    """
    num_bytes, size = 0, file.id.get_filesize()
    for dataset in _datasets(file):
        name = f"{dataset.name!r} in {file.filename}"
        if dataset.external or dataset.is_virtual:
            raise WeightsError(f"{name} takes its data from other files, which is not allowed")
        if dataset.dtype.kind not in "fiub":
            raise WeightsError(f"{name} has the type {dataset.dtype} instead of numbers")
        num_bytes += dataset.nbytes
    if num_bytes > max(MAX_EXPANSION * size, MIN_EXPANSION):
        raise WeightsError(
            f"{file.filename} has {size} bytes but claims to hold {num_bytes} bytes of weights"
        )


def _datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    """Yield every dataset of a file once; refuse links other than hard ones."""
    import h5py

    seen: set[object] = set()
    waiting: list[h5py.Group] = [file]
    while waiting:
        parent = waiting.pop()
        for name in parent:
            if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
                raise WeightsError(
                    f"{parent.name.rstrip('/')}/{name} in {file.filename} is a link to another "
                    "place, which is not allowed"
                )
            child = parent[name]
            address = h5py.h5o.get_info(child.id).addr
            if address not in seen:  # groups may contain each other
                seen.add(address)
                if isinstance(child, h5py.Group):
                    waiting.append(child)
                elif isinstance(child, h5py.Dataset):
                    yield child


def _stored(file: h5py.Group) -> Iterator[Datasets]:
    """Yield the arrays of each layer that has weights, in the order of the layers."""
    for layer in map(_text, file.attrs["layer_names"]):
        names = [_text(name) for name in file[layer].attrs["weight_names"]]
        if names:
            yield tuple(f"{layer}/{name}" for name in names)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _words(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(str, shapes))
