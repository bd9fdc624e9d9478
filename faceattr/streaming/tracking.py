"""Detections to track ids that last from frame to frame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceattr.boxes import Boxes, overlaps
from faceattr.types import Detection

Vector = NDArray[np.float64]
"""(2,) x and y in px."""

TRUST = 0.8  # in the expected place of a face, for each update that has missed it
INSIDE = 0.7  # of a box that belongs to the part of a face that can be seen
HIDDEN_FRAMES = 20  # in a row at most, for which a face in part hidden should go on as before
AGILITY = 0.3  # share of what was measured over one frame in the new velocity, the rest is old


class IouTracker:
    """Follows faces by the overlap of their boxes with where they were going.

    Args:
        min_iou: Smallest overlap of a face with its expected place, as a share of their union.
        max_missed: Updates in a row that a face may miss before its track ends.
        min_confidence: Smallest confidence of a detection that starts a track; a fainter
            one only continues a track.

    Attributes:
        num_started: Tracks so far.

    Reference: Bewley et al., Simple online and realtime tracking, ICIP 2016; faint
    detections as in Zhang et al., ByteTrack, ECCV 2022.
    """

    def __init__(
        self, *, min_iou: float = 0.2, max_missed: int = 15, min_confidence: float = 0.0
    ) -> None:
        self._min_iou = min_iou
        self._max_missed = max_missed
        self._min_confidence = min_confidence
        self._tracks: dict[int, _Track] = {}
        self.num_started = 0

    @property
    def track_ids(self) -> Collection[int]:
        """The tracks that go on, those of faces now missing among them."""
        return self._tracks.keys()

    def update(self, detections: Sequence[Detection], *, late: int = 0) -> dict[int, Detection]:
        """Return the faces of the next frame by track id, in the order of the detections.

        Those that are too faint to start a track are left out.

        Args:
            detections: Of that frame, or of one before it but after the last update.
            late: How many frames before it; the faces are moved on by as many.
        """
        self._advance()
        followed = self._match(detections, late)
        hidden = self._find_hidden(detections, followed, late)
        found: dict[int, Detection] = {}
        for index, detection in enumerate(detections):
            if index in followed:
                track = self._tracks[followed[index]]
                track.follow(detection, late, hidden=index in hidden)
                found[followed[index]] = _moved(detection, shift=track.velocity * late)
            elif detection.confidence >= self._min_confidence:
                found[self._start(detection, late)] = detection
        self._drop_lost(found)
        return found

    def carry(self) -> dict[int, Detection]:
        """Return where the faces of the last update should be in the next frame, by track id.

        The most confident come first.
        """
        self._advance()
        seen = [item for item in self._tracks.items() if not item[1].num_missed]
        seen.sort(key=lambda item: item[1].detection.confidence, reverse=True)
        return {track_id: track.expected() for track_id, track in seen}

    def rescale(self, x: float, y: float) -> None:
        """Go on in pictures that are so many times as wide and as high."""
        for track in self._tracks.values():
            track.detection = _moved(track.detection, scale=np.array([x, y]))
            track.velocity *= (x, y)

    def _advance(self) -> None:
        for track in self._tracks.values():
            track.num_frames += 1

    def _match(self, detections: Sequence[Detection], late: int) -> dict[int, int]:
        """Return which detection (by its index) continues which track: most overlap in all."""
        track_ids, tracks = list(self._tracks), list(self._tracks.values())
        expected = [track.expected(late) for track in tracks]
        overlap = overlaps(_boxes(detections), _boxes(expected))
        overlap[overlap < self._min_iou] = 0
        overlap *= [TRUST**track.num_missed for track in tracks]
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        return {
            int(row): track_ids[column]
            for row, column in zip(rows, columns, strict=True)
            if overlap[row, column] > 0
        }

    def _find_hidden(
        self, detections: Sequence[Detection], followed: Mapping[int, int], late: int
    ) -> set[int]:
        """Return which detections may be parts of faces that others hide.

        They are where another face lies over the expected one, and inside of that.
        """
        expected = _boxes(self._tracks[track_id].expected(late) for track_id in followed.values())
        boxes, rows = _boxes(detections), list(followed)
        inside = overlaps(expected, boxes[rows], of_smaller=True).diagonal() >= INSIDE
        crowded = (overlaps(expected, boxes) > 0).sum(axis=1) > 1
        return {row for row, hidden in zip(rows, inside & crowded, strict=True) if hidden}

    def _start(self, detection: Detection, late: int) -> int:
        self.num_started += 1
        self._tracks[self.num_started] = _Track(detection, num_frames=late)
        return self.num_started

    def _drop_lost(self, found: Collection[int]) -> None:
        for track_id in self._tracks.keys() - found:
            self._tracks[track_id].num_missed += 1
            if self._tracks[track_id].num_missed > self._max_missed:
                del self._tracks[track_id]


@dataclass(slots=True)
class _Track:
    """What is known of a face that is followed.

    Attributes:
        detection: The last one of the whole face.
        velocity: Of the box's center, in px per frame.
        num_frames: Frames since the detection.
        num_missed: Updates since the face was found, be it in part.
    """

    detection: Detection
    velocity: Vector = field(default_factory=lambda: np.zeros(2))
    num_frames: int = 0
    num_missed: int = 0

    def expected(self, late: int = 0) -> Detection:
        """Return the last detection, moved to where the face should be so many frames ago."""
        return _moved(self.detection, shift=self.velocity * (self.num_frames - late))

    def follow(self, detection: Detection, late: int, *, hidden: bool) -> None:
        """Go on from where the face was so many frames ago.

        While a part of it is hidden it should go on as before, as the rest tells little.
        """
        self.num_missed = 0
        num_frames = self.num_frames - late
        if hidden and num_frames <= HIDDEN_FRAMES:
            return
        measured = (_center(detection) - _center(self.detection)) / num_frames
        share = 1 - (1 - AGILITY) ** num_frames  # over many frames, trembling boxes matter less
        self.velocity += share * (measured - self.velocity)
        self.detection, self.num_frames = detection, late


def _boxes(detections: Iterable[Detection]) -> Boxes:
    return np.array([detection.bbox for detection in detections], np.float64).reshape(-1, 4)


def _center(detection: Detection) -> Vector:
    x1, y1, x2, y2 = detection.bbox
    return np.array([x1 + x2, y1 + y2]) / 2


def _moved(
    detection: Detection, *, scale: Vector | float = 1.0, shift: Vector | float = 0.0
) -> Detection:
    """Return the detection in a picture that is scaled, then shifted."""
    corners = np.array(detection.bbox).reshape(2, 2) * scale + shift
    landmarks = detection.landmarks
    if landmarks is not None:
        landmarks = (landmarks * scale + shift).astype(np.float32)
    x1, y1, x2, y2 = corners.ravel().tolist()
    return replace(detection, bbox=(x1, y1, x2, y2), landmarks=landmarks)
