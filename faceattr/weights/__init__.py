"""Weights files: what they are, the verified copies on this machine, and their download."""

from faceattr.weights.download import Timeouts, fetch
from faceattr.weights.licenses import (
    Terms,
    declared_weights,
    is_open,
    only_open,
    require_open,
    terms_of,
)
from faceattr.weights.record import GoogleDrive, Source, Weights
from faceattr.weights.store import (
    Copy,
    cache_folder,
    clear,
    digest_of,
    find,
    hash_file,
    import_file,
    verify,
    weights_folder,
)

__all__ = [
    "Copy",
    "GoogleDrive",
    "Source",
    "Terms",
    "Timeouts",
    "Weights",
    "cache_folder",
    "clear",
    "declared_weights",
    "digest_of",
    "fetch",
    "find",
    "hash_file",
    "import_file",
    "is_open",
    "only_open",
    "require_open",
    "terms_of",
    "verify",
    "weights_folder",
]
