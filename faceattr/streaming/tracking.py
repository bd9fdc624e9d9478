"""Detections to track ids that last from frame to frame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceattr.boxes import Boxes, ioa, iou
from faceattr.streaming.appearance import Appearances
from faceattr.types import Detection

Vector = NDArray[np.float64]
"""(2,) x and y in pixels."""

TRUST = 0.8  # factor of the IoU with a predicted box, per update that missed the face
INSIDE = 0.7  # share of a box inside the predicted one, for the visible part of a face
OCCLUDED_FRAMES = 20  # in a row at most, in which a partly occluded face keeps its motion
AGILITY = 0.3  # weight of the motion measured over one frame in the new velocity

MEETING_FRAMES = 50  # for which faces whose boxes overlapped may have been taken for each other
REACH = 1.5  # how far a face may be from where its track was, in sides of its box
SIMILAR = 0.6  # smallest similarity by which a face that was missing is recognized
MARGIN = 0.1  # by which another assignment must be better to be taken
LEARNING_RATE = 0.2  # weight of the newest appearance


class IouTracker:
    """Follows faces by the overlap of their boxes with the boxes that their motion predicts.

    People who meet may pass each other or turn back, which motion cannot tell. For a while after
    that, what they look like decides, if `update` is told.

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
        self._meetings: dict[tuple[int, int], int] = {}  # pairs of tracks to frames that are left
        self.num_started = 0

    @property
    def track_ids(self) -> Collection[int]:
        """The tracks that go on, including those whose face is missing now."""
        return self._tracks.keys()

    def update(
        self,
        detections: Sequence[Detection],
        *,
        delay: int = 0,
        appearances: Appearances | None = None,
    ) -> dict[int, Detection]:
        """Return the faces of the next frame by track id, in the order of the detections.

        Detections that continue no track and are too uncertain to start one are left out.

        Args:
            detections: Those of that frame, or of an earlier one after the last update.
            delay: How many frames earlier; the faces are moved on by as many.
            appearances: What the faces look like; None if only their motion is known.
        """
        self._advance()
        followed = self._match(detections, delay)
        if appearances is not None:
            followed = self._tell_apart(detections, followed, appearances, delay)
        occluded = self._find_occluded(detections, followed, delay)
        found: dict[int, Detection] = {}
        for index, detection in enumerate(detections):
            if index in followed:
                track = self._tracks[followed[index]]
                track.follow(detection, delay, occluded=index in occluded)
                found[followed[index]] = _moved(detection, shift=track.velocity * delay)
            elif detection.confidence >= self._min_confidence:
                found[self._start(detection, delay)] = detection
        if appearances is not None:
            self._learn_appearances(detections, list(found), appearances)
        self._drop_lost(found)
        return found

    def predict(self) -> dict[int, Detection]:
        """Return the faces predicted for the next frame by track id, most confident first."""
        self._advance()
        seen = [item for item in self._tracks.items() if not item[1].num_missed]
        seen.sort(key=lambda item: item[1].detection.confidence, reverse=True)
        return {track_id: track.predicted() for track_id, track in seen}

    def rescale(self, x: float, y: float) -> None:
        """Scale the tracks to frames of another size.

        Args:
            x: New width as a multiple of the old one.
            y: New height as a multiple of the old one.
        """
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

    def _tell_apart(
        self,
        detections: Sequence[Detection],
        followed: dict[int, int],
        appearances: Appearances,
        delay: int,
    ) -> dict[int, int]:
        """Return a match in which faces that have met keep their tracks, by what they look like."""
        self._note_meetings(delay)
        group = sorted({track_id for pair in self._meetings for track_id in pair})
        rows = [
            row for row in range(len(detections)) if row not in followed or followed[row] in group
        ]
        if len(group) < 2 or not rows:
            return followed
        scores = np.array(
            [
                [self._tracks[one].resembles(detections[row], appearances[row]) for one in group]
                for row in rows
            ]
        )
        matched = [(rows.index(row), group.index(followed[row])) for row in rows if row in followed]
        current = sum(max(scores[pair], 0.0) for pair in matched)
        chosen = [
            (int(row), int(column))
            for row, column in zip(*linear_sum_assignment(scores, maximize=True), strict=True)
            if scores[row, column] >= SIMILAR or (row, column) in matched
        ]
        if sum(max(scores[pair], 0.0) for pair in chosen) < current + MARGIN:
            return followed
        others = {row: track for row, track in followed.items() if row not in rows}
        return others | {rows[row]: group[column] for row, column in chosen}

    def _note_meetings(self, delay: int) -> None:
        """Remember for a while which tracks may be taken for each other."""
        left = {pair: frames - 1 for pair, frames in self._meetings.items()}
        ids = list(self._tracks)
        boxes = _boxes(self._tracks[one].predicted(delay) for one in ids)
        first, second = np.nonzero(np.triu(iou(boxes, boxes) > 0, k=1))
        left |= {
            (ids[i], ids[j]): MEETING_FRAMES
            for i, j in zip(first.tolist(), second.tolist(), strict=True)
        }
        self._meetings = {
            pair: frames
            for pair, frames in left.items()
            if frames > 0 and all(one in self._tracks for one in pair)
        }

    def _learn_appearances(
        self, detections: Sequence[Detection], track_ids: Sequence[int], appearances: Appearances
    ) -> None:
        """Update the appearance of the tracks whose faces have no other face near them."""
        boxes = _boxes(detections)
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        alone = (iou(boxes + sides * (-0.5, 0, 0.5, 1), boxes) > 0).sum(axis=1) == 1
        by_box = {id(detection): row for row, detection in enumerate(detections)}
        for track_id in track_ids:
            track = self._tracks[track_id]
            row = by_box.get(id(track.detection))
            if row is None or not alone[row]:
                continue
            known = track.appearance
            track.appearance = (
                appearances[row]
                if known is None
                else known + LEARNING_RATE * (appearances[row] - known)
            )

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
        velocity: Velocity of the box's center, in pixels per frame.
        num_frames: Frames since that detection.
        num_missed: Updates since the face was last found, even in part.
        appearance: Average color histogram of the person away from others; None if not known.
    """

    detection: Detection
    velocity: Vector = field(default_factory=lambda: np.zeros(2))
    num_frames: int = 0
    num_missed: int = 0
    appearance: NDArray[np.float32] | None = None

    def resembles(self, detection: Detection, appearance: NDArray[np.float32]) -> float:
        """Return how well a face fits the track by its colors, -1 if it is too far away."""
        x1, y1, x2, y2 = self.detection.bbox
        moved = np.abs(_center(detection) - _center(self.detection))
        if self.appearance is None or (moved > REACH * max(x2 - x1, y2 - y1)).any():
            return -1.0
        return float(appearance @ self.appearance)

    def predicted(self, delay: int = 0) -> Detection:
        """Return the last detection, moved to where the face should be, `delay` frames ago."""
        return _moved(self.detection, shift=self.velocity * (self.num_frames - delay))

    def follow(self, detection: Detection, delay: int, *, occluded: bool) -> None:
        """Continue the track with a detection from `delay` frames ago.

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
    """Return the detection with its coordinates scaled, then shifted."""
    corners = np.array(detection.bbox).reshape(2, 2) * scale + shift
    landmarks = detection.landmarks
    if landmarks is not None:
        landmarks = (landmarks * scale + shift).astype(np.float32)
    x1, y1, x2, y2 = corners.ravel().tolist()
    return replace(detection, bbox=(x1, y1, x2, y2), landmarks=landmarks)
