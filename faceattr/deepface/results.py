"""Face crops to deepface's result dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.api import shared_pipeline
from faceattr.deepface.crops import FaceCrop, to_square
from faceattr.deepface.models import suggesting_builtin
from faceattr.errors import OptionError
from faceattr.pipeline import Pipeline
from faceattr.types import (
    Attribute,
    Classification,
    CropBatch,
    CropGeometry,
    Detection,
    Estimate,
)

ACTIONS: dict[str, str | Analyzer] = {
    "emotion": "emotion-cnn",
    "age": "age-vgg",
    "gender": "gender-vgg",
    "race": "race-vgg",
}
"""Our analyzers by the names of deepface's actions, which are those of the attributes too."""

BUILTIN: dict[str, str | Analyzer] = {"emotion": "emotion", "age": "age", "gender": "gender"}
"""Those of the analyzers that ship with faceattr."""


def check_actions(actions: str | Sequence[str], models: str) -> list[str]:
    """Return the actions as a list.

    Raises:
        OptionError: There are none, or these models do not have one of them.
    """
    wanted = [actions] if isinstance(actions, str) else list(actions or ())
    if not wanted or not ACTIONS.keys() >= set(wanted):
        raise OptionError(f"actions is {actions!r}; it can be some of {', '.join(ACTIONS)}")
    if models == "builtin" and not BUILTIN.keys() >= set(wanted):
        raise OptionError(
            f"actions is {actions!r}; faceattr's built-in models read {', '.join(BUILTIN)} only; "
            "models='deepface' reads race too, with weights that are downloaded"
        )
    return wanted


def reader_of(actions: Sequence[str], models: str) -> Pipeline:
    """Return the pipeline that reads these actions, loaded once for each choice."""
    analyzers = BUILTIN if models == "builtin" else ACTIONS
    return shared_pipeline([analyzers[action] for action in actions], {"detector": "whole"})


def describe(
    faces: Sequence[FaceCrop], actions: Sequence[str], models: str
) -> list[dict[str, Any]]:
    """Return deepface's result dict of each face of an image.

    Raises:
        WeightsError: The weights of an action are missing.
    """
    reader = reader_of(actions, models)
    with suggesting_builtin():
        readings = _read_places(reader, faces) if models == "builtin" else _read(reader, faces)
    return [
        {"region": face.region, "face_confidence": face.confidence, **_to_entries(attributes)}
        for face, attributes in zip(faces, readings, strict=True)
    ]


def _read_places(reader: Pipeline, faces: Sequence[FaceCrop]) -> list[dict[str, Attribute]]:
    """Return the attributes of faces that are cut out of the image anew, by their landmarks."""
    detections = [
        Detection((area.x, area.y, area.x + area.w, area.y + area.h), 1.0, area.landmarks)
        for area in (face.area for face in faces)
    ]
    return [dict(face.attributes) for face in reader.read(faces[0].source, detections)]


def _read(reader: Pipeline, faces: Sequence[FaceCrop]) -> list[dict[str, Attribute]]:
    """Return the attributes of faces as deepface has cut them out."""
    squares = np.stack([to_square(face.image) for face in faces])
    return reader.read_crops({spec: _to_form(squares, spec) for spec in reader.crop_specs})


def _to_form(squares: Any, spec: CropSpec) -> CropBatch:
    """Return the squares in the form that an analyzer takes, as float32 in [0, 255]."""
    crops = squares
    if spec.color == "gray":
        grays = (cv2.cvtColor(square, cv2.COLOR_BGR2GRAY) for square in squares)
        crops = np.stack([cv2.resize(gray, spec.size[::-1]) for gray in grays])[..., None]
    return CropBatch(crops, [CropGeometry()] * len(crops))


def _to_entries(attributes: dict[str, Attribute]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for action, attribute in attributes.items():
        if isinstance(attribute, Estimate):
            entries[action] = int(attribute.value)
        elif isinstance(attribute, Classification):
            percent = _to_percent(action, attribute)
            entries[action] = percent
            entries[f"dominant_{action}"] = max(percent, key=percent.__getitem__)
    return entries


def _to_percent(action: str, attribute: Classification) -> dict[str, float]:
    if action == "gender":  # with capitals, and not renormalised
        return {label.capitalize(): 100 * score for label, score in attribute.scores.items()}
    total = sum(attribute.scores.values())
    return {label: 100 * score / total for label, score in attribute.scores.items()}
