"""Networks whose weights are published files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from faceattr.errors import WeightsError
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Layer, Network
from faceattr.weights import GoogleDrive, Source, Weights, cache_folder, digest_of, fetch


def deepface_urls(filename: str, *drive: GoogleDrive) -> tuple[Source, ...]:
    """Return the sources of a weights file that the author of deepface publishes."""
    return (
        f"https://github.com/serengil/deepface_models/releases/download/v1.0/{filename}",
        f"https://huggingface.co/serengil/deepface/resolve/main/{filename}",
        *drive,
    )


def load_published(name: str, layers: Sequence[Layer], weights: Weights) -> Network:
    """Return a graph with published weights, which are downloaded unless a copy is here.

    Raises:
        WeightsError: The file cannot be downloaded.
    """
    return Network(name, layers, Hdf5Weights(fetch(weights), layers), digest_of(weights))


def shared_part(network: Network, name: str, layers: Sequence[Layer]) -> Network:
    """Return some layers of a network as a network with a digest of its own weights.

    So a trunk that two files have in common is one network. Hashing the weights takes as long as
    reading the file, so the digest is recorded in the cache.

    Args:
        network: The whole network.
        name: Name of the part in messages.
        layers: Layers of the part.

    Raises:
        WeightsError: The file is damaged or made for another graph.
    """
    part = replace(network, name=name, layers=layers)
    assert part.identity is not None
    return replace(part, digest=_recorded_digest(part.identity) or _record_digest(part))


def _recorded_digest(identity: str) -> str | None:
    """Return the digest that was recorded for a part, unless the record is damaged."""
    with suppress(WeightsError, OSError, UnicodeDecodeError):
        record = (cache_folder() / "digests" / identity).read_text()
        digest, _, seal = record.partition(" ")
        if seal == _seal(identity, digest):
            return digest
    return None


def _record_digest(part: Network) -> str:
    sha256 = hashlib.sha256()
    for layer in part.layers:
        for array in part.weights.get(layer.name, ()):
            sha256.update(array.tobytes())
    digest, identity = sha256.hexdigest(), str(part.identity)
    with suppress(WeightsError, OSError):  # with a read-only cache, every start reads the file
        record = cache_folder() / "digests" / identity
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"{digest} {_seal(identity, digest)}")
    return digest


def _seal(identity: str, digest: str) -> str:
    """Return what ties a record to its part, so that damaged or swapped records are noticed."""
    return hashlib.sha256(f"{identity} {digest}".encode()).hexdigest()
