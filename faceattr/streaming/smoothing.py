"""What was read off a face over time to one answer: an average by age and quality."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2

from faceattr.alignment import CropSpec, crop_faces
from faceattr.types import Attribute, BGRImage, Classification, Detection, Estimate

QUALITY_CROP = CropSpec(size=(64, 64), color="gray", mode="box")
GOOD_SIDE = 100.0  # px of a face from which on more of them do not help
GOOD_SHARPNESS = 100.0  # variance of the Laplacian of a crop that is half as good as can be
LEAST_SURE = 0.01  # so that an answer which rules out everything has a weight too


def rate(image: BGRImage, detections: Sequence[Detection]) -> list[float]:
    """Return how much there is to see of each face, in (0, 1): large and sharp ones show more."""
    crops = crop_faces(image, detections, QUALITY_CROP)
    return [
        _size(detection) * _sharpness(crop)
        for detection, crop in zip(detections, crops, strict=True)
    ]


def _size(detection: Detection) -> float:
    x1, y1, x2, y2 = detection.bbox
    return min(1.0, max(x2 - x1, y2 - y1) / GOOD_SIDE)


def _sharpness(crop: BGRImage) -> float:
    variance = float(cv2.Laplacian(crop, cv2.CV_64F).var())
    return (variance + 1) / (variance + GOOD_SHARPNESS)


class Averages:
    """What is known of each track: a mean of what was read, in which the older counts less.

    Args:
        half_life: Name of each attribute to the seconds after which an answer counts half;
            0 to keep only the last.
    """

    def __init__(self, half_life: Mapping[str, float]) -> None:
        self._half_life = half_life
        self._tracks: dict[int, dict[str, _Mean]] = {}

    def add(
        self, track_id: int, name: str, attribute: Attribute, *, quality: float, now: float
    ) -> None:
        """Take one more answer of an analyzer into account.

        Args:
            track_id: Whose it is.
            name: Name of the attribute.
            attribute: What the analyzer says.
            quality: Of the picture that it saw, above 0.
            now: Timestamp of that picture, in seconds.
        """
        sure = attribute.confidence if isinstance(attribute, Classification) else 1.0
        weight = quality * max(sure, LEAST_SURE)
        means = self._tracks.setdefault(track_id, {})
        old, half_life = means.get(name), self._half_life[name]
        if old is None or not half_life:
            means[name] = _Mean(attribute, weight, now)
        else:
            total = weight + old.weight * 0.5 ** ((now - old.timestamp) / half_life)
            mean = _blend(old.attribute, attribute, weight / total)
            means[name] = _Mean(mean, total, now)

    def of(self, track_id: int) -> dict[str, Attribute]:
        """Return what is known of a track, by attribute name."""
        return {name: mean.attribute for name, mean in self._tracks.get(track_id, {}).items()}

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget all other tracks."""
        for track_id in self._tracks.keys() - track_ids:
            del self._tracks[track_id]


class _Mean(NamedTuple):
    attribute: Attribute
    weight: float
    timestamp: float


def _blend(old: Attribute, new: Attribute, share: float) -> Attribute:
    """Return the mean of two answers, with that share of the new one."""
    match old, new:
        case Classification(), Classification():
            scores = {
                label: _mix(old.scores.get(label, 0.0), score, share)
                for label, score in new.scores.items()
            }
            return replace(new, scores=scores)
        case Estimate(std=float(before)), Estimate(std=float(std)):
            return Estimate(_mix(old.value, new.value, share), new.unit, _mix(before, std, share))
        case Estimate(), Estimate():
            return Estimate(_mix(old.value, new.value, share), new.unit, new.std)
    return new


def _mix(old: float, new: float, share: float) -> float:
    return old + share * (new - old)
