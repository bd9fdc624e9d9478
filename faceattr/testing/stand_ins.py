"""Stand-ins for tests and benchmarks: a detector that finds fixed faces, and random weights.

A network takes the same time whatever its weights are, and every engine must agree on any
weights, so neither speed nor agreement needs the published files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from faceattr.arguments import explained
from faceattr.detectors.base import Detector, Search
from faceattr.networks.graph import Array, Layer
from faceattr.networks.shapes import weight_shapes
from faceattr.types import BGRImage, Detection

BIAS_STD = 0.1


@explained
class FixedDetector(Detector):
    """Finds the same faces in every image.

    Args:
        detections: What it finds.
        threshold: As in `Detector`; 0 if it is not given.
        min_face: As in `Detector`.
        max_faces: As in `Detector`.
        tile_size: As in `Detector`.
    """

    default_threshold = 0.0
    takes_tiles = False

    def __init__(
        self,
        detections: Sequence[Detection],
        *,
        threshold: float | None = None,
        min_face: float | None = None,
        max_faces: int | None = None,
        tile_size: int | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, min_face=min_face, max_faces=max_faces, tile_size=tile_size
        )
        self._detections = tuple(detections)

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        """See the base class."""
        return self._detections


def random_weights(layers: Sequence[Layer], seed: int = 0) -> dict[str, list[Array]]:
    """Return float32 weights of a graph, scaled so that activations neither vanish nor explode.

    Graphs that begin with the same layers get the same weights for them from the same seed.

    Args:
        layers: The graph; the size of its input must not be free.
        seed: Seed of the random numbers.

    Returns:
        The arrays of each layer that has weights, in Keras's order.

    Reference: He et al., Delving Deep into Rectifiers, ICCV 2015.
    """
    rng = np.random.default_rng(seed)
    weights: dict[str, list[Array]] = {}
    for name, shapes in weight_shapes(layers).items():
        weights[name] = []
        for shape in shapes:
            std = np.sqrt(2 / prod(shape[:-1])) if len(shape) > 1 else BIAS_STD
            weights[name].append(np.float32(std) * rng.standard_normal(shape, np.float32))
    return weights


def write_hdf5(path: Path, weights: Mapping[str, Sequence[Array]]) -> None:
    """Write weights in the HDF5 layout of Keras 2.

    As in published files, the layers have names of their own, and there are layers without
    weights among them.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [
            name.encode() for layer in weights for name in (f"old_{layer}", f"dropout_{layer}")
        ]
        for layer, arrays in weights.items():
            names = [f"old_{layer}/{index}:0" for index in range(len(arrays))]
            group = file.create_group(f"old_{layer}")
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays, strict=True):
                group.create_dataset(name, data=array)
            file.create_group(f"dropout_{layer}").attrs["weight_names"] = []
