"""What a report keeps of each face of a video: shares of time, readings over time, best looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.types import UNCERTAIN, Attribute, Classification, Descriptor, Estimate, Face

MOST_BINS = 240  # of a track's time
FIRST_WIDTH = 0.05  # seconds of a bin; doubled as often as need be
GAP = 0.5  # seconds without the face that are left empty
MOST_LOOKS = 4  # thumbnails of a track
BETTER = 1.1  # times as good as the one before, or a look is not worth replacing it


class Look(NamedTuple):
    """A thumbnail of a face.

    Attributes:
        quality: How well the face can be seen, in (0, 1].
        timestamp: Seconds.
        jpeg: The thumbnail.
        said: What was read then.
    """

    quality: float
    timestamp: float
    jpeg: bytes
    said: str


class Readings:
    """An attribute over time, in at most `MOST_BINS` bins of one width.

    Args:
        start: Seconds at which the first bin begins.
        labels: C labels of a classification, or the unit of an estimate.
    """

    def __init__(self, start: float, labels: Sequence[str] | str) -> None:
        self.labels = labels
        self._start = start
        self._width = FIRST_WIDTH
        self._bins: dict[int, NDArray[np.float64]] = {}  # the count, then sums

    def add(self, now: float, attribute: Classification | Estimate) -> None:
        """Add what was read at a time in seconds, never before the start."""
        if isinstance(attribute, Classification):
            row = np.array([1.0, *(attribute.scores.get(label, 0.0) for label in self.labels)])
        else:
            row = np.array([1.0, attribute.value, attribute.std or 0.0])
        while now - self._start >= MOST_BINS * self._width:
            self._merge()
        self._add(int((now - self._start) / self._width), row)

    def series(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (N,) seconds and (N, C) means; the times are NaN where the face was away."""
        times: list[float] = []
        rows: list[NDArray[np.float64]] = []
        away = max(round(GAP / self._width), 1)
        last: int | None = None
        for index in sorted(self._bins):
            mean = self._bins[index][1:] / self._bins[index][0]
            if last is not None and index - last > away:
                times += [self._time(last + 1), np.nan]
                rows += [rows[-1], rows[-1]]
            times.append(self._time(index))
            rows.append(mean)
            last = index
        if last is not None:
            times.append(self._time(last + 1))
            rows.append(rows[-1])
        return np.array(times), np.array(rows)

    def _merge(self) -> None:
        """Double the width of the bins."""
        bins, self._bins = self._bins, {}
        self._width *= 2
        for index, row in bins.items():
            self._add(index // 2, row)

    def _add(self, index: int, row: NDArray[np.float64]) -> None:
        self._bins[index] = self._bins[index] + row if index in self._bins else row

    def _time(self, index: int) -> float:
        return self._start + index * self._width


@dataclass
class Track:
    """A face of a video.

    Attributes:
        track_id: Its number.
        first: Seconds at which it was seen first.
        last: Seconds at which it was seen last.
        num_frames: Frames in which it was seen.
        readings: Each attribute over time, by its name.
        labels: Number of frames with each label, by the name of the attribute.
        looks: Its best look of each label, by the label.
    """

    track_id: int
    first: float
    last: float
    num_frames: int = 0
    readings: dict[str, Readings] = field(default_factory=dict)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)

    def add(self, face: Face, now: float) -> None:
        """Take the face as it is in a frame."""
        self.last = now
        self.num_frames += 1
        for name, attribute in face.attributes.items():
            if isinstance(attribute, Descriptor):
                continue
            if name not in self.readings:
                self.readings[name] = Readings(now, _labels_of(attribute))
            self.readings[name].add(now, attribute)
            if isinstance(attribute, Classification):
                label = UNCERTAIN if name in face.uncertain else attribute.label
                self.labels.setdefault(name, Counter())[label] += 1

    def wants(self, face: Face, quality: float) -> bool:
        """Return whether a look of this quality is better than the one that is kept."""
        known = self.looks.get(_kind(face))
        if known is not None:
            return quality > BETTER * known.quality
        worst = min((look.quality for look in self.looks.values()), default=0.0)
        return len(self.looks) < MOST_LOOKS or quality > BETTER * worst

    def keep(self, face: Face, look: Look) -> None:
        """Keep a look; the worst one of another label goes if there are too many."""
        self.looks[_kind(face)] = look
        if len(self.looks) > MOST_LOOKS:
            del self.looks[min(self.looks, key=lambda kind: self.looks[kind].quality)]

    def shares(self, name: str) -> dict[str, float]:
        """Return the share of the frames with each label of an attribute, the largest first."""
        counts = self.labels[name]
        return {label: count / counts.total() for label, count in counts.most_common()}

    def segments(self, name: str) -> Iterator[tuple[float, float, str]]:
        """Yield (from, to, label) in seconds, by the most probable label of each bin."""
        readings = self.readings[name]
        times, rows = readings.series()
        begin: tuple[float, str] | None = None
        for index in range(len(times)):
            label = readings.labels[int(rows[index].argmax())]
            if begin is not None and (np.isnan(times[index]) or label != begin[1]):
                end = times[index - 1] if np.isnan(times[index]) else times[index]
                yield begin[0], float(end), begin[1]
                begin = None
            if begin is None and not np.isnan(times[index]):
                begin = float(times[index]), label
        if begin is not None:
            yield begin[0], float(times[-1]), begin[1]


def _labels_of(attribute: Attribute) -> Sequence[str] | str:
    if isinstance(attribute, Classification):
        return tuple(attribute.scores)
    return attribute.unit if isinstance(attribute, Estimate) else ""


def _kind(face: Face) -> str:
    """Return what tells looks apart: the label of the first classification."""
    classified = (one for one in face.attributes.values() if isinstance(one, Classification))
    first = next(classified, None)
    return "" if first is None else first.label
