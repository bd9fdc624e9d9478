"""Networks in npz archives: the format of the small ones that ship with faceattr."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from faceattr.errors import WeightsError
from faceattr.networks.formats.archives import check_unpacked_size
from faceattr.networks.graph import Array, Layer, Network

SCALE = "scale"  # after the key of an array of whole numbers: what its last axis is multiplied by
LEVELS = 127  # of int8 on each side of zero


def save(
    network: Network, file: IO[bytes], *, half: bool = True, whole: Container[str] = ()
) -> None:
    """Write a network as an npz archive, its kernels in half precision unless told otherwise.

    Args:
        network: What to write.
        file: Where to write.
        half: Whether to round kernels to half precision.
        whole: Layers whose kernels are rounded to whole numbers in [-127, 127] instead, with a
            scale for each output channel: a quarter of the size of float32.
    """
    arrays: dict[str, Array] = {}
    for name, group in network.weights.items():
        for index, array in enumerate(group):
            key = f"{name}/{index}"
            if array.ndim > 1 and name in whole:
                arrays[key], arrays[f"{key}/{SCALE}"] = _to_whole_numbers(array)
            else:
                arrays[key] = array.astype(np.float16) if half and array.ndim > 1 else array
    layers = [asdict(layer) for layer in network.layers]
    graph: dict[str, Any] = {"name": network.name, "layers": layers}
    if network.ranges:
        graph["ranges"] = dict(network.ranges)
    np.savez(file, graph=np.array(json.dumps(graph)), **arrays)  # type: ignore[arg-type]


def _to_whole_numbers(kernel: Array) -> tuple[Array, Array]:
    """Return a kernel as int8 and the scales of its output channels, the last axis."""
    scale = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / LEVELS
    scale[scale == 0] = 1
    return np.rint(kernel / scale).astype(np.int8), scale.astype(np.float32)


def load(source: bytes | Path) -> Network:
    """Read a network that `save` has written, its weights as float32.

    The digest is that of the file. Engines share the network but do not store it, as it is read
    as fast from here.

    Args:
        source: The file or its content.

    Raises:
        WeightsError: The file cannot be read or holds something else.
    """
    name = "the archive" if isinstance(source, bytes) else str(source)
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
        with np.load(BytesIO(content)) as archive:
            check_unpacked_size(archive.zip, len(content))
            graph = json.loads(archive["graph"].item())
            weights: dict[str, list[Array]] = {}
            for key in archive.files:
                if key != "graph" and not key.endswith(f"/{SCALE}"):
                    array = archive[key].astype(np.float32)
                    if f"{key}/{SCALE}" in archive.files:
                        array *= archive[f"{key}/{SCALE}"].astype(np.float32)
                    weights.setdefault(key.rpartition("/")[0], []).append(array)
        layers = [
            Layer(item["kind"], item["name"], item["config"], tuple(item["inputs"]))
            for item in graph["layers"]
        ]
        return Network(
            graph["name"],
            layers,
            weights,
            hashlib.sha256(content).hexdigest(),
            stored=False,
            ranges={key: (low, high) for key, (low, high) in graph.get("ranges", {}).items()},
        )
    except Exception as error:  # a damaged archive may fail in any way
        raise WeightsError(f"{name} cannot be read as a network: {error}") from error
