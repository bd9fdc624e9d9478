"""Labelled pictures of one face in the public domain: with and without a mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceattr.evaluation.datasets import LabelledSet
from faceattr.images import load_image
from faceattr.types import BGRImage


def face_variant(face: BGRImage, seed: int, *, mask: bool) -> BGRImage:
    """Return the face shifted, brightened and blurred by chance, maybe with a mask."""
    rng = np.random.default_rng(seed)
    image = face.copy()
    if mask:
        level = int(rng.integers(120, 250))
        cv2.rectangle(image, (22, 58), (74, 92), (level, level, 255 - level // 4), -1)
    x, y = rng.uniform(-4, 4, 2)
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(image, shift, (96, 96), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved * rng.uniform(0.7, 1.2) + rng.normal(0, 6, moved.shape), 0, 255).astype(
        np.uint8
    )


@pytest.fixture(scope="session")
def face(astronaut: Path) -> BGRImage:
    """(96, 96, 3) crop of the astronaut's face."""
    return cv2.resize(load_image(astronaut)[60:200, 155:295], (96, 96))


def write_masks(folder: Path, face: BGRImage, count: int = 12) -> Path:
    """Write a folder of crops with and without a mask."""
    for number, label in enumerate(("bare", "masked")):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            picture = face_variant(face, 1000 * number + index, mask=label == "masked")
            cv2.imwrite(str(folder / label / f"{index}.png"), picture)
    return folder


@pytest.fixture
def masks(tmp_path: Path, face: BGRImage) -> Path:
    """A folder of 12 crops with and 12 without a mask."""
    return write_masks(tmp_path / "masks", face)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def labelled(face: BGRImage) -> LabelledSet:
    """40 crops, every second one with a mask."""
    crops = [face_variant(face, seed, mask=seed % 2 == 1) for seed in range(40)]
    return LabelledSet("crops", crops, {"truth": ["bare", "masked"] * 20}, are_crops=True)
