"""Detections to track ids that last from frame to frame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceattr.boxes import Boxes, ioa, iou
from faceattr.types import Detection

Vector = NDArray[np.float64]
"""(2,) x and y in pixels."""

TRUST = 0.8  # in the predicted box of a face, for each update that has missed it
INSIDE = 0.7  # share of a box inside the predicted one, for the visible part of a face
OCCLUDED_FRAMES = 20  # in a row at most, in which a partly occluded face keeps its motion
AGILITY = 0.3  # weight of the motion measured over one frame in the new velocity


class IouTracker:
    """Follows faces by the overlap of their boxes with the boxes that their motion predicts.

    Args:
        min_iou: Smallest IoU of a detection with the predicted box of its track.
        max_missed: Updates in a row that a face may miss before its track ends.
        min_confidence: Smallest confidence of a detection that starts a track; a less confident
            one only continues a track.

    Attributes:
        num_started: Number of tracks so far.

    Reference: Bewley et al., Simple online and realtime tracking, ICIP 2016; low-confidence
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
        """The tracks that go on, including those whose face is missing now."""
        return self._tracks.keys()

    def update(self, detections: Sequence[Detection], *, delay: int = 0) -> dict[int, Detection]:
        """Return the faces of the next frame by track id, in the order of the detections.

        Detections that continue no track and are too uncertain to start one are left out.

        Args:
            detections: Of that frame, or of an earlier one after the last update.
            delay: How many frames earlier; the faces are moved on by as many.
        """
        self._advance()
        followed = self._match(detections, delay)
        occluded = self._find_occluded(detections, followed, delay)
        found: dict[int, Detection] = {}
        for index, detection in enumerate(detections):
            if index in followed:
                track = self._tracks[followed[index]]
                track.follow(detection, delay, occluded=index in occluded)
                found[followed[index]] = _moved(detection, shift=track.velocity * delay)
            elif detection.confidence >= self._min_confidence:
                found[self._start(detection, delay)] = detection
        self._drop_lost(found)
        return found

    def predict(self) -> dict[int, Detection]:
        """Return the faces predicted for the next frame by track id, most confident first."""
        self._advance()
        seen = [item for item in self._tracks.items() if not item[1].num_missed]
        seen.sort(key=lambda item: item[1].detection.confidence, reverse=True)
        return {track_id: track.predicted() for track_id, track in seen}

    def rescale(self, x: float, y: float) -> None:
        """Continue in frames that are so many times as wide and as high."""
        for track in self._tracks.values():
            track.detection = _moved(track.detection, scale=np.array([x, y]))
            track.velocity *= (x, y)

    def _advance(self) -> None:
        for track in self._tracks.values():
            track.num_frames += 1

    def _match(self, detections: Sequence[Detection], delay: int) -> dict[int, int]:
        """Return the index of each detection that continues a track to that track's id."""
        track_ids, tracks = list(self._tracks), list(self._tracks.values())
        predicted = [track.predicted(delay) for track in tracks]
        overlap = iou(_boxes(detections), _boxes(predicted))
        overlap[overlap < self._min_iou] = 0
        overlap *= [TRUST**track.num_missed for track in tracks]
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        return {
            int(row): track_ids[column]
            for row, column in zip(rows, columns, strict=True)
            if overlap[row, column] > 0
        }

    def _find_occluded(
        self, detections: Sequence[Detection], followed: Mapping[int, int], delay: int
    ) -> set[int]:
        """Return the indices of detections that may show a partly occluded face.

        They lie inside the predicted box of their track, and another face overlaps that box.
        """
        predicted = _boxes(
            self._tracks[track_id].predicted(delay) for track_id in followed.values()
        )
        boxes, rows = _boxes(detections), list(followed)
        inside = ioa(predicted, boxes[rows]).diagonal() >= INSIDE
        crowded = (iou(predicted, boxes) > 0).sum(axis=1) > 1
        return {row for row, occluded in zip(rows, inside & crowded, strict=True) if occluded}

    def _start(self, detection: Detection, delay: int) -> int:
        self.num_started += 1
        self._tracks[self.num_started] = _Track(detection, num_frames=delay)
        return self.num_started

    def _drop_lost(self, found: Collection[int]) -> None:
        for track_id in self._tracks.keys() - found:
            self._tracks[track_id].num_missed += 1
            if self._tracks[track_id].num_missed > self._max_missed:
                del self._tracks[track_id]


@dataclass(slots=True)
class _Track:
    """State of one track.

    Attributes:
        detection: The last one that shows the whole face.
        velocity: Of the box's center, in pixels per frame.
        num_frames: Frames since that detection.
        num_missed: Updates since the face was last found, even in part.
    """

    detection: Detection
    velocity: Vector = field(default_factory=lambda: np.zeros(2))
    num_frames: int = 0
    num_missed: int = 0

    def predicted(self, delay: int = 0) -> Detection:
        """Return the last detection, moved to where the face should have been that long ago."""
        return _moved(self.detection, shift=self.velocity * (self.num_frames - delay))

    def follow(self, detection: Detection, delay: int, *, occluded: bool) -> None:
        """Continue the track with a detection in a frame of that long ago.

        A partly occluded face keeps its motion, as its visible part says little about it.
        """
        self.num_missed = 0
        num_frames = self.num_frames - delay
        if occluded and num_frames <= OCCLUDED_FRAMES:
            return
        measured = (_center(detection) - _center(self.detection)) / num_frames
        share = 1 - (1 - AGILITY) ** num_frames  # over many frames, jitter of boxes matters less
        self.velocity += share * (measured - self.velocity)
        self.detection, self.num_frames = detection, delay


def _boxes(detections: Iterable[Detection]) -> Boxes:
    return np.array([detection.bbox for detection in detections], np.float64).reshape(-1, 4)


def _center(detection: Detection) -> Vector:
    x1, y1, x2, y2 = detection.bbox
    return np.array([x1 + x2, y1 + y2]) / 2


def _moved(
    detection: Detection, *, scale: Vector | float = 1.0, shift: Vector | float = 0.0
) -> Detection:
    """Return the detection in an image that is scaled, then shifted."""
    corners = np.array(detection.bbox).reshape(2, 2) * scale + shift
    landmarks = detection.landmarks
    if landmarks is not None:
        landmarks = (landmarks * scale + shift).astype(np.float32)
    x1, y1, x2, y2 = corners.ravel().tolist()
    return replace(detection, bbox=(x1, y1, x2, y2), landmarks=landmarks)
