"""Labelled pictures to features of their faces, which are remembered for the next training."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import crop_batch, resize_crops
from faceattr.analyzers.trunks import BuiltinTrunk
from faceattr.engines import create_engine
from faceattr.errors import FaceattrError, WeightsError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.files import npz_content, write_whole
from faceattr.images import ImageSource, load_image
from faceattr.pipeline import Pipeline
from faceattr.types import BGRImage, CropBatch, Detection, Trunk
from faceattr.weights.store import cache_folder

logger = logging.getLogger(__name__)

BATCH = 64  # faces that go through a trunk at once
NO_FACE = "no face was found"

Progress: TypeAlias = Callable[[Iterable[ImageSource]], Iterable[ImageSource]]
"""Shows progress while it passes on the pictures that it is given."""


class Look(NamedTuple):
    """What was seen in one picture.

    Attributes:
        content: Digest of its pixels; equal pictures have equal ones.
        problem: Why it has no features, or nothing.
        num_faces: Number of faces that were found.
        features: (2, D) float16 of all trunks side by side, of the crop and of its mirror image;
            empty where there is a problem.
    """

    content: str
    problem: str
    num_faces: int
    features: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Looks at pictures: finds the most confident face, and runs the trunks on it.

    Args:
        trunks: The trunks.
        pipeline: Finds the faces of pictures that are not crops.
    """

    trunks: Sequence[BuiltinTrunk]
    pipeline: Pipeline

    def gather(self, data: LabelledSet, *, path: Path | None, progress: Progress) -> list[Look]:
        """Return what is seen in each picture, in their order.

        What was seen is remembered, also if the work is interrupted, so that the next call with
        these pictures begins where this one ended.

        Args:
            data: The pictures.
            path: Where the set was read from; None remembers nothing.
            progress: Shows the progress.
        """
        memory = _Memory(None if path is None else self._key(path, data.are_crops))
        keys = [_key_of(picture) for picture in data.pictures]
        left = [row for row, key in enumerate(keys) if key not in memory.looks]
        looks = {row: memory.looks[key] for row, key in enumerate(keys) if key in memory.looks}
        pictures = iter(progress([data.pictures[row] for row in left])) if left else iter(())
        engine_options = self.pipeline.options
        try:
            engine = create_engine(
                engine_options.engine,
                precision=engine_options.precision,
                threads=engine_options.threads,
            )
            loaded = [trunk.load(engine) for trunk in self.trunks] if left else []
            rows = iter(left)
            while batch := list(islice(pictures, BATCH)):
                seen = self._look(batch, loaded, are_crops=data.are_crops)
                looks.update(zip(islice(rows, len(batch)), seen, strict=True))
        finally:
            if left:
                memory.keep({keys[row]: look for row, look in looks.items()})
        return [looks[row] for row in range(len(keys))]

    def _look(
        self, pictures: Sequence[ImageSource], trunks: Sequence[Trunk], *, are_crops: bool
    ) -> list[Look]:
        images: list[BGRImage] = []
        faces: list[list[Detection]] = []
        found: list[Look] = []
        for picture in pictures:
            content = ""
            try:
                image = load_image(picture)
                content = _digest(image)
                seen = [] if are_crops else self.pipeline.detect(image)
            except FaceattrError as error:
                found.append(Look(content, str(error), 0, _nothing()))
                continue
            if not (are_crops or seen):
                found.append(Look(content, NO_FACE, 0, _nothing()))
                continue
            images.append(image)
            faces.append(list(seen[:1]))
            found.append(Look(content, "", max(len(seen), 1), _nothing()))
        if images:
            features = iter(self._run(images, faces, trunks, are_crops=are_crops))
            found = [
                look if look.problem else look._replace(features=next(features)) for look in found
            ]
        return found

    def _run(
        self,
        images: Sequence[BGRImage],
        faces: Sequence[Sequence[Detection]],
        trunks: Sequence[Trunk],
        *,
        are_crops: bool,
    ) -> NDArray[np.float16]:
        """Return (N, 2, D) features."""
        columns = []
        for known, trunk in zip(self.trunks, trunks, strict=True):
            batch: CropBatch = (
                resize_crops(images, known.crop)
                if are_crops
                else crop_batch(images, faces, known.crop)
            )
            mirrored = np.ascontiguousarray(batch.crops[:, :, ::-1])
            columns.append(np.stack([trunk.run(batch.crops), trunk.run(mirrored)], axis=1))
        return np.concatenate(columns, axis=2).astype(np.float16)

    def _key(self, path: Path, are_crops: bool) -> str:
        """Return what the features depend on besides the pictures."""
        settings: dict[str, Any] = {
            "path": os.path.realpath(path),
            "trunks": [trunk.identity for trunk in self.trunks],
            "crops": [str(trunk.crop) for trunk in self.trunks],
            "are_crops": are_crops,
            "pipeline": self.pipeline.settings,
        }
        return hashlib.sha256(json.dumps(settings, default=str).encode()).hexdigest()


class _Memory:
    """What was seen in the pictures of a set, in a file of the cache.

    Args:
        key: Of the set and the settings; None for no file.
    """

    def __init__(self, key: str | None) -> None:
        self._path: Path | None = None
        self.looks: dict[str, Look] = {}
        if key is None:
            return
        with suppress(WeightsError):  # there is no folder for the cache
            self._path = cache_folder() / "features" / f"{key}.npz"
        with suppress(Exception):  # no file yet, or a damaged one
            self.looks = self._read()

    def keep(self, looks: dict[str, Look]) -> None:
        """Write the file; if that fails, say so and go on."""
        if self._path is None or not looks:
            return
        known = [(key, look) for key, look in looks.items() if key]
        content = npz_content(
            keys=np.array([key for key, _ in known]),
            contents=np.array([look.content for _, look in known]),
            problems=np.array([look.problem for _, look in known]),
            num_faces=np.array([look.num_faces for _, look in known]),
            features=_stack([look.features for _, look in known if not look.problem]),
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, content)
        except OSError as error:
            logger.warning("the features cannot be remembered: %s", error.strerror or error)

    def _read(self) -> dict[str, Look]:
        assert self._path is not None
        with self._path.open("rb") as file, np.load(file) as archive:
            keys, contents, problems, num_faces, features = (
                archive[name] for name in ("keys", "contents", "problems", "num_faces", "features")
            )
        rows = iter(features)
        return {
            key: Look(content, problem, count, _nothing() if problem else next(rows))
            for key, content, problem, count in zip(
                *(keys.tolist(), contents.tolist(), problems.tolist(), num_faces.tolist()),
                strict=True,
            )
        }


def _stack(features: Sequence[NDArray[np.float16]]) -> NDArray[np.float16]:
    return np.stack(features) if features else _nothing()


def _nothing() -> NDArray[np.float16]:
    return np.empty((0,), np.float16)


def _key_of(picture: ImageSource) -> str:
    """Return what changes when the picture does; empty if it cannot be told."""
    if isinstance(picture, str | os.PathLike):
        try:
            found = os.stat(picture)
        except (OSError, ValueError):
            return ""
        return f"{os.path.realpath(picture)} {found.st_size} {found.st_mtime_ns}"
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    return _digest(picture) if isinstance(picture, np.ndarray) else ""


def _digest(image: NDArray[Any]) -> str:
    shape = f"{image.shape} {image.dtype}".encode()
    return hashlib.sha256(shape + np.ascontiguousarray(image).tobytes()).hexdigest()
