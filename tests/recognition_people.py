"""Stand-in people: random descriptors, and a pipeline that reads them off pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.identity import to_unit_length
from faceattr.detectors.base import Detector, Search
from faceattr.forms import Vector
from faceattr.pipeline import Pipeline
from faceattr.recognition.scores import shipped_cohort
from faceattr.types import BGRImage, Crops, Descriptor, Detection

LOOK_NOISE = 0.02  # per number, between two looks at one person


def person(seed: int) -> NDArray[np.float32]:
    """Return the descriptor of somebody of the first of the shipped groups."""
    return strangers(0, 1, seed)[0]


def strangers(group: int, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Return descriptors drawn by the statistics of one of the shipped groups."""
    cohort = shipped_cohort()
    values, vectors = np.linalg.eigh(cohort.covariances[group])
    noise = np.random.default_rng([seed, group]).standard_normal((count, len(values)))
    drawn = cohort.means[group] + (noise * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return to_unit_length(drawn)


def look(seed: int, number: int = 0) -> NDArray[np.float32]:
    """Return the descriptor of a picture of somebody."""
    noise = np.random.default_rng([seed, number, 2]).standard_normal(128)
    return to_unit_length((person(seed) + LOOK_NOISE * noise)[None])[0]


class OnePerPicture(Detector):
    """Takes a picture for a face, unless it is black."""

    def find(self, image: BGRImage, search: Search) -> list[Detection]:
        if not image.any():
            return []
        return [Detection((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 0.9)]


class Painted(Analyzer):
    """Reads who is on a picture by its color: (seed, number) as blue and green."""

    attribute = "identity"
    output = Vector(128, private=True)
    crop = CropSpec(size=(8, 8), mode="box")
    refresh = 0.5

    def predict(self, crops: Crops) -> Sequence[Descriptor]:
        colors = crops[:, 4, 4].tolist()
        return [Descriptor(look(blue, green), private=True) for blue, green, _ in colors]


def painted(seed: int, number: int = 0) -> BGRImage:
    """Return a picture of somebody."""
    return np.full((16, 16, 3), (seed, number, 255), np.uint8)


def paint(path: Path, seed: int, number: int = 0) -> Path:
    """Write a picture of somebody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), painted(seed, number))
    return path


def pipeline() -> Pipeline:
    """Return what reads painted pictures."""
    return Pipeline([Painted()], detector=OnePerPicture())
