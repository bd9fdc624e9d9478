"""Networks in npz archives: the format of the small ones that ship with faceattr."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from faceattr.errors import WeightsError
from faceattr.networks.formats.archives import check_unpacked_size
from faceattr.networks.graph import Array, Layer, Network


def save(network: Network, file: IO[bytes], *, half: bool = True) -> None:
    """Write a network as an npz archive, its kernels in half precision unless told otherwise."""
    arrays = {
        f"{name}/{index}": array.astype(np.float16) if half and array.ndim > 1 else array
        for name, group in network.weights.items()
        for index, array in enumerate(group)
    }
    graph = {"name": network.name, "layers": [asdict(layer) for layer in network.layers]}
    np.savez(file, graph=np.array(json.dumps(graph)), **arrays)  # type: ignore[arg-type]


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
                if key != "graph":
                    weights.setdefault(key.rpartition("/")[0], []).append(
                        archive[key].astype(np.float32)
                    )
        layers = [
            Layer(item["kind"], item["name"], item["config"], tuple(item["inputs"]))
            for item in graph["layers"]
        ]
        return Network(
            graph["name"], layers, weights, hashlib.sha256(content).hexdigest(), stored=False
        )
    except Exception as error:  # a damaged archive may fail in any way
        raise WeightsError(f"{name} cannot be read as a network: {error}") from error
