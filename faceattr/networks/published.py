"""Networks whose weights are published files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Layer, Network
from faceattr.weights import GoogleDrive, Source, Weights, cache_folder, digest_of, fetch

NUM_HEX_DIGITS = 64  # of a SHA-256


def of_deepface(filename: str, *drive: GoogleDrive) -> tuple[Source, ...]:
    """Return where the author of deepface publishes a weights file."""
    return (
        f"https://github.com/serengil/deepface_models/releases/download/v1.0/{filename}",
        f"https://huggingface.co/serengil/deepface/resolve/main/{filename}",
        *drive,
    )


def published(name: str, layers: Sequence[Layer], weights: Weights) -> Network:
    """Return a graph with published weights; they are downloaded if they are not here yet.

    Raises:
        WeightsError: The file cannot be had.
    """
    return Network(name, layers, Hdf5Weights(fetch(weights), layers), digest_of(weights))


def shared_part(network: Network, name: str, layers: Sequence[Layer]) -> Network:
    """Return some layers of a network, with a digest of their own weights instead of the file's.

    So what two files have in common is one network. The digest is recorded in the cache, as
    the file takes time to read.

    Raises:
        WeightsError: The file is damaged or made for another graph.
    """
    part = replace(network, name=name, layers=layers)
    record = cache_folder() / "digests" / str(part.identity)
    with suppress(OSError):
        digest = record.read_text()
        if len(digest) == NUM_HEX_DIGITS:  # else half of it was written
            return replace(part, digest=digest)
    digest = _digest(part)
    with suppress(OSError):  # with a read-only cache, every start reads the file
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(digest)
    return replace(part, digest=digest)


def _digest(network: Network) -> str:
    digest = hashlib.sha256()
    for layer in network.layers:
        for array in network.weights.get(layer.name, ()):
            digest.update(array.tobytes())
    return digest.hexdigest()
