"""Tracks that end and begin again: joined where the faces are of one person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from faceattr.recognition.scores import score, shipped_cohort
from faceattr.types import Descriptor

ODDS = 0.1  # of a new track being somebody who was there before
MAX_GONE = 100  # tracks that ended and are remembered
MAX_SECONDS = 600.0  # for which they are


class Reunion:
    """Gives a new track the number of an old one, if both are of one person.

    A track is compared once, when its first descriptor is known, with tracks that had ended
    before it began.

    Attributes:
        num_joined: Tracks that were given an old number.
    """

    def __init__(self) -> None:
        self.num_joined = 0
        self._tracks: dict[int, _Track] = {}  # those that are there, by track id
        self._gone: dict[int, _Seen] = {}  # by their number, the longest gone first

    def number_of(self, track_id: int) -> int:
        """Return the number under which a track is shown."""
        track = self._tracks.get(track_id)
        return track_id if track is None else track.number

    def update(
        self,
        track_ids: Collection[int],
        descriptors: Mapping[int, Descriptor],
        *,
        alive: Collection[int],
        now: float,
    ) -> None:
        """Take note of the tracks of a frame.

        Args:
            track_ids: Those that are seen.
            descriptors: What is known of their identities.
            alive: Those that the tracker follows, also where they are not seen at the moment.
            now: Timestamp of the frame, in seconds.
        """
        for track_id in track_ids:
            self._take_back(track_id)
            self._tracks.setdefault(track_id, _Track(track_id, now, None))
        for track_id, descriptor in descriptors.items():
            track = self._tracks[track_id]
            if track.seen is None:
                track = self._join(track, descriptor)
            self._tracks[track_id] = track._replace(seen=_Seen(descriptor, now))
        self._forget(alive, now)

    def _take_back(self, track_id: int) -> None:
        """If a track goes on whose number was given away, let the other have its own again."""
        for other, track in self._tracks.items():
            if track.number == track_id != other:
                self._tracks[other] = track._replace(number=other)
                self.num_joined -= 1
                return

    def _join(self, track: _Track, descriptor: Descriptor) -> _Track:
        """Return the track, under the number of one that is not seen any more if it is the same."""
        unseen = {
            one.number: one.seen for one in self._tracks.values() if one.seen and one is not track
        }
        number = _find(descriptor, {**self._gone, **unseen}, track.begin)
        if number is None:
            return track
        self.num_joined += 1
        self._gone.pop(number, None)
        for track_id, other in list(self._tracks.items()):
            if other.number == number:
                del self._tracks[track_id]
        return track._replace(number=number)

    def _forget(self, alive: Collection[int], now: float) -> None:
        """Move tracks that ended to those that are gone; drop the oldest of these."""
        for track_id in self._tracks.keys() - set(alive):
            track = self._tracks.pop(track_id)
            if track.seen is not None:
                self._gone[track.number] = track.seen
        for number in list(self._gone):
            if len(self._gone) > MAX_GONE or now - self._gone[number].last > MAX_SECONDS:
                del self._gone[number]


def _find(descriptor: Descriptor, known: Mapping[int, _Seen], before: float) -> int | None:
    """Return the number of somebody who is the same person, if there is one.

    Args:
        descriptor: Of the face.
        known: Who was seen, by number.
        before: Timestamp before which they must have been seen for the last time, in seconds.
    """
    cohort = shipped_cohort()
    size = cohort.means.shape[1:]
    vectors = {
        number: seen.descriptor.vector
        for number, seen in known.items()
        if seen.last < before and seen.descriptor.vector.shape == size
    }
    if not vectors or descriptor.vector.shape != size:
        return None
    stacked = np.stack([descriptor.vector, *vectors.values()])
    norms = cohort.norms(stacked)
    scores = score(stacked[1:] @ stacked[0], norms[1:], norms[0])
    best = int(scores.argmax())
    evidence = float(cohort.calibration.evidence(scores)[best])
    return list(vectors)[best] if evidence + np.log(ODDS) > 0 else None


class _Seen(NamedTuple):
    """What is known of somebody's identity, and when they were last seen, in seconds."""

    descriptor: Descriptor
    last: float


class _Track(NamedTuple):
    """A track that is there: the number it is shown under, its first timestamp, its identity."""

    number: int
    begin: float
    seen: _Seen | None
