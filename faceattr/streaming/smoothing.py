"""Running averages of what was read off each face, weighted by age and quality."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from faceattr.types import Attribute, Classification, Descriptor, Estimate, Identification

MIN_CERTAINTY = 0.01  # so that a result of zero confidence has some weight


class Averages:
    """What is known about each track: a mean of what was read, in which older results count less.

    Args:
        half_life: Name of each attribute to the seconds after which a result counts half; 0 to
            keep only the last.
    """

    def __init__(self, half_life: Mapping[str, float]) -> None:
        self._half_life = half_life
        self._tracks: dict[int, dict[str, _Mean]] = {}

    def add(
        self, track_id: int, name: str, attribute: Attribute, *, quality: float, now: float
    ) -> None:
        """Take one more result of an analyzer into account.

        Args:
            track_id: Track of the face.
            name: Name of the attribute.
            attribute: The result.
            quality: How well the face could be seen, above 0.
            now: Timestamp of the frame that was read, in seconds.
        """
        certainty = attribute.confidence if isinstance(attribute, Classification) else 1.0
        weight = quality * max(certainty, MIN_CERTAINTY)
        means = self._tracks.setdefault(track_id, {})
        old, half_life = means.get(name), self._half_life[name]
        if old is None or not half_life:
            means[name] = _Mean(attribute, weight, now)
        else:
            total = weight + old.weight * 0.5 ** ((now - old.timestamp) / half_life)
            mean = _blend(old.attribute, attribute, weight / total)
            means[name] = _Mean(mean, total, now)

    def of(self, track_id: int) -> dict[str, Attribute]:
        """Return what is known about a track, by attribute name."""
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
    """Return the mean of two results, weighted by the share of the new one, in [0, 1]."""
    match old, new:
        case Identification(), Identification():  # it follows from a mean already
            return new
        case Classification(), Classification():
            scores = {
                label: _mix(old.scores.get(label, 0.0), score, share)
                for label, score in new.scores.items()
            }
            return Classification(scores)
        case Estimate(std=float(before)), Estimate(std=float(std)):
            return Estimate(_mix(old.value, new.value, share), new.unit, _mix(before, std, share))
        case Estimate(), Estimate():
            return Estimate(_mix(old.value, new.value, share), new.unit, new.std)
        case Descriptor(), Descriptor():
            mean = old.vector + np.float32(share) * (new.vector - old.vector)
            length = max(float(np.linalg.norm(mean)), 1e-9)
            return Descriptor(mean / length, private=new.private)
    return new


def _mix(old: float, new: float, share: float) -> float:
    return old + share * (new - old)
