"""The file in which deepface keeps the descriptors of a folder of pictures.

It has the name and the form that deepface 0.0.103 gives it, so that either reads what the other has
written. It holds descriptors of faces, which are biometric data of people.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from faceattr.deepface.crops import Extraction, scale_down
from faceattr.deepface.descriptors import embed, to_input
from faceattr.errors import ImageError, NoFaceError, OptionError, SinkError
from faceattr.files import npz_content, write_whole
from faceattr.networks.architectures.dlib_face import NUM_OUTPUTS
from faceattr.networks.formats.archives import check_unpacked_size

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # of JPEG and PNG
SIDES = ("target_x", "target_y", "target_w", "target_h")


@dataclass(frozen=True, slots=True, eq=False)
class Datastore:
    """What is known of the faces in a folder, one row each, and one for a picture without a face.

    Attributes:
        identity: (N,) path of the picture.
        hash: (N,) digest of its size and times.
        embedding: (N, 128) descriptor; zeros without a face.
        has_embedding: (N,) whether there is a face.
        places: (N, 4) x, y, width and height of the face in pixels.
    """

    identity: NDArray[np.str_]
    hash: NDArray[np.str_]
    embedding: NDArray[np.float64]
    has_embedding: NDArray[np.bool_]
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.identity)

    def at(self, rows: NDArray[Any]) -> Datastore:
        """Return some of the rows."""
        return Datastore(
            self.identity[rows],
            self.hash[rows],
            self.embedding[rows],
            self.has_embedding[rows],
            self.places[rows],
        )


class Row(NamedTuple):
    """One face in a picture, or a picture without a face.

    Attributes:
        identity: Path of the picture.
        hash: Digest of its size and times.
        descriptor: The face's descriptor.
        place: x, y, width and height of the face in pixels.
    """

    identity: str
    hash: str
    descriptor: list[float] | None = None
    place: tuple[int, int, int, int] = (0, 0, 0, 0)


def to_datastore(rows: Sequence[Row]) -> Datastore:
    """Return a datastore with these rows."""
    descriptors = [row.descriptor or [0.0] * NUM_OUTPUTS for row in rows]
    return Datastore(
        np.array([row.identity for row in rows], np.str_),
        np.array([row.hash for row in rows], np.str_),
        np.array(descriptors, np.float64).reshape(-1, NUM_OUTPUTS),
        np.array([row.descriptor is not None for row in rows], bool),
        np.array([row.place for row in rows], np.int64).reshape(-1, len(SIDES)),
    )


def join(first: Datastore, second: Datastore) -> Datastore:
    """Return the rows of both."""
    return Datastore(
        np.concatenate([first.identity, second.identity]),
        np.concatenate([first.hash, second.hash]),
        np.concatenate([first.embedding, second.embedding]),
        np.concatenate([first.has_embedding, second.has_embedding]),
        np.concatenate([first.places, second.places]),
    )


def datastore_path(folder: str, extraction: Extraction, normalization: str, models: str) -> Path:
    """Return the path of the file; descriptors by the weights in the wheel have one of their own.

    Raises:
        OptionError: The folder is not there, or not on this machine.
    """
    if "://" in folder:
        raise OptionError(f"db_path is {folder!r}; faceattr reads local folders only")
    if not os.path.isdir(folder):
        raise OptionError(f"db_path is {folder!r}, which is not a folder")
    parts = [
        *("ds", "model", "dlib", *(["builtin"] if models == "builtin" else [])),
        *("detector", extraction.detector_backend),
        "aligned" if extraction.align else "unaligned",
        *("normalization", normalization, "expand", str(extraction.expand_percentage)),
    ]
    return Path(folder, "_".join(parts).replace("-", "").lower() + ".npz")


def load(path: Path) -> Datastore:
    """Read a datastore; an empty one if there is no file yet.

    Raises:
        OptionError: The file is damaged, or holds something else.
    """
    try:
        data = path.read_bytes()
        with ZipFile(BytesIO(data)) as archive:
            check_unpacked_size(archive, len(data))
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            return _check(
                Datastore(
                    arrays["identity"].astype(np.str_),
                    arrays["hash"].astype(np.str_),
                    arrays["embedding"].astype(np.float64),
                    arrays["has_embedding"].astype(bool),
                    np.stack([arrays[name].astype(np.int64) for name in SIDES], axis=1),
                )
            )
    except FileNotFoundError:
        return to_datastore([])
    except Exception as error:  # a damaged archive may fail in many ways
        raise OptionError(
            f"{path} cannot be read as a datastore of the model Dlib: {error}; delete it, and it "
            "is made anew"
        ) from error


def _check(store: Datastore) -> Datastore:
    """Return the datastore if its arrays fit together."""
    if not store.has_embedding.any():  # deepface then writes descriptors without numbers
        store = replace(store, embedding=np.zeros((len(store), NUM_OUTPUTS)))
    arrays = (store.identity, store.hash, store.embedding, store.has_embedding, store.places)
    shapes = [array.shape for array in arrays]
    num_rows = len(store)
    expected = [(num_rows,), (num_rows,), (num_rows, NUM_OUTPUTS), (num_rows,), (num_rows, 4)]
    if shapes != expected:
        raise ValueError(f"its arrays have the shapes {shapes} instead of {expected}")
    if not np.isfinite(store.embedding).all():
        raise ValueError("it has descriptors that are not finite")
    return store


def save(store: Datastore, path: Path) -> None:
    """Write a datastore in place of the one that is there, all at once.

    Raises:
        SinkError: The folder cannot be written to.
    """
    arrays: dict[str, Any] = {
        "identity": store.identity,
        "hash": store.hash,
        "embedding": store.embedding,
        "has_embedding": store.has_embedding,
        **dict(zip(SIDES, store.places.T, strict=True)),
    }
    try:
        write_whole(path, npz_content(**arrays))
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def refresh(
    store: Datastore, folder: str, extraction: Extraction, normalization: str, models: str
) -> Datastore:
    """Return what is known after a look at the folder: pictures may be new, gone or replaced.

    A picture is taken for replaced if its size or times have changed. Pictures that cannot be read,
    or show nobody, have a row without a descriptor.

    Raises:
        ImageError: There are no pictures in the folder.
    """
    hashes = dict(find_pictures(folder))
    if not hashes:
        raise ImageError(f"{folder}: no JPEG or PNG pictures there")
    pairs = zip(store.identity.tolist(), store.hash.tolist(), strict=True)
    kept = store.at(np.array([hashes.get(path) == known for path, known in pairs], bool))
    known = set(kept.identity.tolist())
    new = [path for path in hashes if path not in known]
    if not new:
        return store if len(kept) == len(store) else kept
    logger.info("%s: %d new or replaced pictures", folder, len(new))
    rows = [
        row
        for path in new
        for row in _describe(Row(path, hashes[path]), extraction, normalization, models)
    ]
    return join(kept, to_datastore(rows))


def find_pictures(folder: str) -> Iterator[tuple[str, str]]:
    """Yield path and hash of the JPEG and PNG files under a folder, by their first bytes."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                with suppress(OSError):  # it may be gone by now, or not ours to read
                    if _is_picture(path):
                        yield path, hash_of(path)


def _is_picture(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(8).startswith(MAGIC)


def hash_of(path: str) -> str:
    """Return deepface's digest of the size and the times of a file."""
    status = os.stat(path)
    properties = f"{status.st_size}-{status.st_ctime}-{status.st_mtime}"
    return hashlib.sha1(properties.encode(), usedforsecurity=False).hexdigest()


def _describe(picture: Row, extraction: Extraction, normalization: str, models: str) -> list[Row]:
    """Return a row for each face of a picture, or the one without a face."""
    try:
        faces = extraction.cut_faces(picture.identity)
    except (ImageError, NoFaceError) as error:
        logger.error("%s", error)
        return [picture]
    return [
        picture._replace(
            descriptor=embed(to_input(scale_down(face.image), normalization), models),
            place=tuple(face.region[side] for side in "xywh"),
        )
        for face in faces
    ]
