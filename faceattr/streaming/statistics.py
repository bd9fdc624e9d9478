"""Statistics of a stream: its tracks, and its frames per second."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from faceattr.streaming.sinks.base import Sink
from faceattr.streaming.smoothing import Averages
from faceattr.types import Attribute, Face, Frame

RATE_FRAMES = 30  # the last frames, by which the frame rate is measured


class Presence(NamedTuple):
    """When a face was seen: timestamps of its first and last frame in s, and how many."""

    first: float
    last: float
    num_frames: int


class TrackTable(Sink):
    """Sums up each track.

    Attributes:
        presence: When each track was seen, by track id.
    """

    def __init__(self) -> None:
        self.presence: dict[int, Presence] = {}
        self._averages = Averages(defaultdict(lambda: math.inf))

    @property
    def attributes(self) -> dict[int, dict[str, Attribute]]:
        """The mean of what was read, by track id."""
        return {track_id: self._averages.of(track_id) for track_id in self.presence}

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        now = frame.timestamp
        for face in faces:
            track_id = face.track_id or 0
            first, _, num_frames = self.presence.get(track_id, (now, now, 0))
            self.presence[track_id] = Presence(first, now, num_frames + 1)
            for name, attribute in face.attributes.items():
                self._averages.add(track_id, name, attribute, quality=1.0, now=now)


class FrameRate(Sink):
    """Measures how many frames come per second.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=RATE_FRAMES)

    @property
    def fps(self) -> float:
        """Recent frames per second; 0 before the second frame."""
        seconds = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / seconds if seconds else 0.0

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        self._times.append(self._clock())
