"""The values that flow through faceattr: images, frames, detections, attributes, faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

BGRImage: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) picture in BGR order."""

Crops: TypeAlias = NDArray[np.uint8]
"""(N, H, W, C) aligned face crops, one row per face."""

Features: TypeAlias = NDArray[np.float32]
"""(N, …) what a trunk makes of crops, one row per face."""

BBox: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in px."""

Landmarks: TypeAlias = NDArray[np.float32]
"""(5, 2) x and y in px: left eye, right eye, nose tip, left and right mouth corner.

Left and right are the viewer's.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a stream.

    Attributes:
        image: (H, W, 3) BGR uint8.
        index: Number in the source, from 0; numbers are missing where frames were dropped.
        timestamp: Seconds since the source began; never less than that of the frame before.
    """

    image: BGRImage = field(compare=False)
    index: int
    timestamp: float


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that a detector has found.

    Attributes:
        bbox: x1, y1, x2, y2 in px of the image given to the detector.
        confidence: How sure the detector is, in [0, 1].
        landmarks: (5, 2) px as in `Landmarks`, or None if the detector gives none.
    """

    bbox: BBox
    confidence: float
    landmarks: Landmarks | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the detection in JSON's own types."""
        return {
            "bbox": [float(value) for value in self.bbox],
            "confidence": float(self.confidence),
            "landmarks": None if self.landmarks is None else self.landmarks.tolist(),
        }


@dataclass(frozen=True, slots=True)
class Classification:
    """Which of several classes a face belongs to.

    Attributes:
        scores: Probability of each label, in [0, 1], in the order of the model's output.
        min_confidence: Confidence below which there is no label, in [0, 1].
    """

    scores: Mapping[str, float]
    min_confidence: float = 0.0

    @property
    def label(self) -> str | None:
        """The most probable label, or None if it is too uncertain."""
        if self.confidence < self.min_confidence:
            return None
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability of the most probable label, in [0, 1]."""
        return max(self.scores.values())

    def to_dict(self) -> dict[str, Any]:
        """Return label, confidence and scores in JSON's own types."""
        return {
            "label": self.label,
            "confidence": float(self.confidence),
            "scores": {label: float(score) for label, score in self.scores.items()},
        }

    def __str__(self) -> str:
        return "uncertain" if self.label is None else f"{self.label} {self.confidence:.0%}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with a unit.

    Attributes:
        value: Expected value.
        unit: Unit of value and std, for example ``"years"``.
        std: Standard deviation in the same unit, if the model gives one.
    """

    value: float
    unit: str
    std: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return value, unit and std in JSON's own types."""
        return {
            "value": float(self.value),
            "unit": self.unit,
            "std": None if self.std is None else float(self.std),
        }

    def __str__(self) -> str:
        return f"{self.value:.0f} {self.unit}"


Attribute: TypeAlias = Classification | Estimate
"""What an analyzer says of one face."""


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face and what the analyzers read off it.

    Attributes:
        bbox: x1, y1, x2, y2 in px of the original image.
        confidence: How sure the detector is, in [0, 1].
        landmarks: (5, 2) px as in `Landmarks`, or None.
        attributes: Attribute name (``"emotion"``) to what was read.
        track_id: Number of the face's track on a stream, None elsewhere.
        frozen: Name of each attribute that is not read anew in every frame of a stream, to
            the seconds until it may be again.
    """

    bbox: BBox
    confidence: float
    landmarks: Landmarks | None = field(default=None, compare=False)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    track_id: int | None = None
    frozen: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the face in JSON's own types."""
        return {
            "bbox": [float(value) for value in self.bbox],
            "confidence": float(self.confidence),
            "landmarks": None if self.landmarks is None else self.landmarks.tolist(),
            "attributes": {name: read.to_dict() for name, read in self.attributes.items()},
            "track_id": self.track_id,
            "frozen": {name: float(seconds) for name, seconds in self.frozen.items()},
        }
