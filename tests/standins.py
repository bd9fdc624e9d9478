"""Random weights in the place of published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from faceattr.networks.architectures import vgg_face
from faceattr.networks.graph import Array, Layer
from faceattr.networks.shapes import weight_shapes


def random_weights(layers: Sequence[Layer], seed: int = 0) -> dict[str, list[Array]]:
    """Return weights with which activations neither fade nor grow."""
    rng = np.random.default_rng(seed)
    return {
        name: [
            rng.normal(size=kernel, scale=np.sqrt(2 / np.prod(kernel[:-1]))).astype(np.float32),
            rng.normal(size=bias, scale=0.1).astype(np.float32),
        ]
        for name, (kernel, bias) in weight_shapes(layers).items()
    }


def write_hdf5(path: Path, weights: Mapping[str, Sequence[Array]]) -> None:
    """Write weights as Keras 2 did, with other layers among them and other names."""
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


def narrow_vgg_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make VGG-Face small enough for a test."""
    for name, options in {
        "trunk": {"width": 2},
        "head": {"width": 2, "hidden": 16},
        "vgg_face": {"width": 2, "hidden": 16},
    }.items():
        monkeypatch.setattr(vgg_face, name, partial(getattr(vgg_face, name), **options))
