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

from faceattr.alignment import CropSpec, crop_batch, resize_crops
from faceattr.analyzers.trunks import BuiltinTrunk
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
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
NOWHERE = np.full(14, np.nan, np.float32)  # place of a face in a picture that is a crop

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
        face: (14,) the box and the landmarks of the face that was taken, in pixels; NaN for what
            is not known.
    """

    content: str
    problem: str
    num_faces: int
    features: NDArray[np.float16]
    face: NDArray[np.float32]


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
        try:
            engine = self.create_engine() if left else None
            loaded = [trunk.load(engine) for trunk in self.trunks] if engine else []
            rows = iter(left)
            while batch := list(islice(pictures, BATCH)):
                seen = self._look(batch, loaded, are_crops=data.are_crops)
                looks.update(zip(islice(rows, len(batch)), seen, strict=True))
        finally:
            if left:
                memory.keep({keys[row]: look for row, look in looks.items()})
        return [looks[row] for row in range(len(keys))]

    def create_engine(self) -> Engine:
        """Return an engine as the pipeline's options say."""
        options = self.pipeline.options
        return create_engine(options.engine, precision=options.precision, threads=options.threads)

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
                found.append(Look(content, str(error), 0, _nothing(), NOWHERE))
                continue
            if not (are_crops or seen):
                found.append(Look(content, NO_FACE, 0, _nothing(), NOWHERE))
                continue
            images.append(image)
            faces.append(list(seen[:1]))
            place = _to_numbers(seen[0]) if seen else NOWHERE
            found.append(Look(content, "", max(len(seen), 1), _nothing(), place))
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
            faces=np.array([look.face for _, look in known]),
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, content)
        except OSError as error:
            logger.warning("the features cannot be remembered: %s", error.strerror or error)

    def _read(self) -> dict[str, Look]:
        assert self._path is not None
        with self._path.open("rb") as file, np.load(file) as archive:
            keys, contents, problems, num_faces, faces, features = (
                archive[name]
                for name in ("keys", "contents", "problems", "num_faces", "faces", "features")
            )
        rows = iter(features)
        return {
            key: Look(content, problem, count, _nothing() if problem else next(rows), face)
            for key, content, problem, count, face in zip(
                *(keys.tolist(), contents.tolist(), problems.tolist(), num_faces.tolist(), faces),
                strict=True,
            )
        }


def _to_numbers(face: Detection) -> NDArray[np.float32]:
    """Return the box and the landmarks, (14,)."""
    numbers = NOWHERE.copy()
    numbers[:4] = face.bbox
    if face.landmarks is not None:
        numbers[4:] = face.landmarks.ravel()
    return numbers


def _to_detection(numbers: NDArray[np.float32]) -> Detection:
    x1, y1, x2, y2 = numbers[:4].tolist()
    landmarks = None if np.isnan(numbers[4:]).any() else numbers[4:].reshape(5, 2)
    return Detection((x1, y1, x2, y2), 1.0, landmarks)


def cut_crops(
    data: LabelledSet, looks: Sequence[Look], rows: Sequence[int], spec: CropSpec
) -> NDArray[np.uint8]:
    """Return (N, H, W, C) crops of the faces that were seen in some of the pictures.

    Args:
        data: The pictures.
        looks: What was seen in each.
        rows: Numbers of the pictures; none of them has a problem.
        spec: Form of the crops.

    Raises:
        ImageError: A picture cannot be read any more.
    """
    crops = np.empty((len(rows), *spec.size, spec.channels), np.uint8)
    for crop, row in zip(crops, rows, strict=True):
        image = load_image(data.pictures[row])
        if data.are_crops:
            crop[:] = resize_crops([image], spec).crops[0]
        else:
            crop[:] = crop_batch([image], [[_to_detection(looks[row].face)]], spec).crops[0]
    return crops


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
