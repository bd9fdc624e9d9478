"""Statistics of a stream: what each track showed over time, and the frames per second."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pvariance
from typing import NamedTuple, TypeAlias

from faceattr.streaming.sinks.base import Sink
from faceattr.types import UNCERTAIN, Classification, Estimate, Face, Frame

RATE_FRAMES = 30  # the last frames, by which the frame rate is measured
MOST_LABELS = 3  # that a summary names in words; rarer ones are left out
LEAST_SHARE = 0.005  # of the time; less is left out too


class Presence(NamedTuple):
    """When a face was seen: timestamps of its first and last frame in s, and how many."""

    first: float
    last: float
    num_frames: int


@dataclass(frozen=True, slots=True)
class TimeShares:
    """For which share of the time a face had which label.

    Attributes:
        shares: Label to the share of the frames in which it was the most probable one, in (0, 1],
            the largest share first. ``"uncertain"`` stands for frames below `min_confidence`.
    """

    shares: Mapping[str, float]

    def __str__(self) -> str:
        shown = [one for one in self.shares.items() if one[1] >= LEAST_SHARE][:MOST_LABELS]
        return ", ".join(f"{label} {share:.0%}" for label, share in shown)


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the estimates of a face lay.

    Attributes:
        median: Median over the frames.
        std: Standard deviation: of the estimates over time, and of each, if the model gives it.
        unit: Unit of both.
    """

    median: float
    std: float
    unit: str

    def __str__(self) -> str:
        return f"{self.median:.0f} ± {self.std:.0f} {self.unit}"


Summary: TypeAlias = TimeShares | Spread
"""What a classification or an estimate was over time."""


class TrackTable(Sink):
    """Sums up each track: when the face was seen, and what it showed for how much of the time.

    Attributes:
        presence: When each track was seen, by track id.
        last_faces: The face in the last frame of each track, by track id.
    """

    def __init__(self) -> None:
        self.presence: dict[int, Presence] = {}
        self.last_faces: dict[int, Face] = {}
        self._readings: dict[int, dict[str, list[str | Estimate]]] = {}  # labels and estimates

    @property
    def summaries(self) -> dict[int, dict[str, Summary]]:
        """What each track showed, by track id and attribute name; descriptors are left out."""
        return {
            track_id: {name: _sum_up(readings) for name, readings in track.items()}
            for track_id, track in self._readings.items()
        }

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        now = frame.timestamp
        for face in faces:
            track_id = face.track_id or 0
            first, _, num_frames = self.presence.get(track_id, (now, now, 0))
            self.presence[track_id] = Presence(first, now, num_frames + 1)
            self.last_faces[track_id] = face
            track = self._readings.setdefault(track_id, {})
            for name, attribute in face.attributes.items():
                if isinstance(attribute, Classification):
                    label = UNCERTAIN if name in face.uncertain else attribute.label
                    track.setdefault(name, []).append(label)
                elif isinstance(attribute, Estimate):
                    track.setdefault(name, []).append(attribute)


def _sum_up(readings: Sequence[str | Estimate]) -> Summary:
    estimates = [one for one in readings if isinstance(one, Estimate)]
    if estimates:
        values = [one.value for one in estimates]
        variance = pvariance(values) + fmean((one.std or 0.0) ** 2 for one in estimates)
        return Spread(median(values), math.sqrt(variance), estimates[0].unit)
    counts = Counter(one for one in readings if isinstance(one, str))
    return TimeShares({label: count / len(readings) for label, count in counts.most_common()})


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
