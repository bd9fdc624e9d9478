"""The parts of data sets that only measure: no network is trained or calibrated on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.datasets import UTKFACE_GENDERS, GroundTruth, LabelledSet
from faceattr.labels import EMOTIONS
from models.crops import TENTH, TRAINING

LAST_DECADE = 90  # and older


def load_measuring(path: Path, *, attribute: str, are_crops: bool = False) -> LabelledSet:
    """Return the pictures of a set of which the recipes never learn, with their ground truth.

    These are the splits other than the first, or a tenth of a set that has only one.

    Args:
        path: npz file with webp, offset, and `label` of emotions, or `age` and perhaps `gender`.
        attribute: ``"emotion"``, ``"age"`` or ``"gender"``.
        are_crops: Whether to read the pictures as crops, rather than to look for a face.
    """
    with np.load(path) as archive:
        arrays: dict[str, NDArray[Any]] = {name: archive[name] for name in archive.files}
    rows = measuring_rows(arrays)
    webp, offset = arrays["webp"].tobytes(), arrays["offset"].tolist()
    return LabelledSet(
        path.name,
        [webp[offset[row] : offset[row + 1]] for row in rows],
        {path.stem: _ground_truth(arrays, rows, attribute)},
        _groups(arrays, rows),
        are_crops,
    )


def measuring_rows(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the rows that are not of the first split, or every tenth if there is but one."""
    if "split" in arrays:
        return np.flatnonzero(arrays["split"] != TRAINING)
    return np.arange(0, len(arrays["offset"]) - 1, TENTH)


def _ground_truth(
    arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.intp], attribute: str
) -> GroundTruth:
    if attribute == "emotion":
        return [EMOTIONS[index] for index in arrays["label"][rows]]
    if attribute == "gender":
        return [UTKFACE_GENDERS[code] for code in arrays["gender"][rows]]
    ages: list[float] = arrays["age"][rows].tolist()
    return ages


def _groups(arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.intp]) -> dict[str, list[str]]:
    groups = {}
    if "age" in arrays:
        groups["age"] = [decade(age) for age in arrays["age"][rows].tolist()]
    if "gender" in arrays:
        groups["gender"] = [UTKFACE_GENDERS[code] for code in arrays["gender"][rows]]
    return groups


def decade(age: int) -> str:
    """Return the name of the ten years in which an age lies."""
    first = age // 10 * 10
    return f"{LAST_DECADE}+" if age >= LAST_DECADE else f"{first}–{first + 9}"
