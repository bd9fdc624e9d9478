"""Videos in parts: the frames of each, and the tracks that go on from one to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceattr.batch.storage import import_arrow
from faceattr.boxes import iou
from faceattr.errors import SourceError
from faceattr.streaming.sources import VideoFile
from faceattr.types import Frame

if TYPE_CHECKING:
    from faceattr.batch.plan import Segment

OVERLAP = 2.0  # s that a segment reads on after its end, so that the next one can warm up
MAX_STEP_BACK = 30.0  # s between key frames; after a longer step the timestamps are not believed
SAME_FACE = 0.5  # smallest intersection over union of a face's boxes in the same frame


def frames_of(path: str, segment: Segment) -> Iterator[Frame]:
    """Yield the frames of a segment of a video, and those of its overlap with the next one.

    Args:
        path: The video on this machine.
        segment: Its seconds; a frame belongs to it by its own timestamp.

    Raises:
        SourceError: The video cannot be read.
    """
    with VideoFile(path) as video:
        if segment.begin:
            video.seek(max(segment.begin - OVERLAP, 0.0))
        frames = iter(video)
        try:
            first = next(frames)
        except SourceError:
            if not segment.begin:
                raise
        else:
            if not segment.begin or 0 <= segment.begin - first.timestamp <= MAX_STEP_BACK:
                yield from _between(chain([first], frames), segment)
                return
    with VideoFile(path) as video:  # cannot be sought in: read from the beginning
        yield from _between(video, segment)


def _between(frames: Iterable[Frame], segment: Segment) -> Iterator[Frame]:
    for frame in frames:
        if frame.timestamp >= segment.end + OVERLAP:
            return
        if frame.timestamp >= segment.begin:
            yield frame


def join(segments: Sequence[Any], seconds: float) -> Any:
    """Return the rows of a video from those of its segments.

    Frames that two segments have come from the earlier one, as the later one has just begun to
    follow the faces. A track of the later one continues the track whose boxes it shares there.

    Args:
        segments: Tables of rows, in their order.
        seconds: Length of a segment.
    """
    arrow = import_arrow()
    joined: list[Any] = []
    last_track = 0
    previous = None
    for index, table in enumerate(segments):
        seam = index * seconds
        follows: dict[int, int] = {} if previous is None else _find_continued(previous, table, seam)
        table, last_track = _renumber(table, follows, last_track)
        overlaps = previous is not None and bool((_times(previous) >= seam).any())
        begin = seam + OVERLAP if overlaps else -np.inf
        end = (seam + seconds + OVERLAP) if index + 1 < len(segments) else np.inf
        times = _times(table)
        is_error = ~table["error"].is_null().to_numpy()
        joined.append(table.filter(arrow.array(is_error | ((times >= begin) & (times < end)))))
        previous = table
    return arrow.concat_tables(joined)


def _find_continued(earlier: Any, later: Any, seam: float) -> dict[int, int]:
    """Return the track of the earlier segment that each shared track of the later one continues."""
    known, new = _shared(earlier, seam), _shared(later, seam)
    meetings: Counter[tuple[int, int]] = Counter()
    for time in known.keys() & new.keys():
        (tracks, boxes), (others, theirs) = known[time], new[time]
        for row, column in zip(*np.nonzero(iou(boxes, theirs) >= SAME_FACE), strict=True):
            meetings[tracks[row], others[column]] += 1
    follows: dict[int, int] = {}
    for track, other in sorted(meetings, key=lambda pair: (-meetings[pair], pair)):
        if other not in follows and track not in follows.values():
            follows[other] = track
    return follows


def _shared(table: Any, seam: float) -> dict[float, tuple[list[int], NDArray[np.float64]]]:
    """Return track ids and (N, 4) boxes of each frame after a seam, by its timestamp."""
    times = _times(table)
    rows = table.filter(import_arrow().array((times >= seam) & (times < seam + OVERLAP)))
    frames: dict[float, tuple[list[int], list[list[float]]]] = {}
    for row in rows.select(["timestamp", "track", "bbox"]).to_pylist():
        if row["track"] is not None:
            tracks, boxes = frames.setdefault(row["timestamp"], ([], []))
            tracks.append(row["track"])
            boxes.append(list(row["bbox"].values()))
    return {time: (tracks, np.array(boxes)) for time, (tracks, boxes) in frames.items()}


def _renumber(table: Any, follows: Mapping[int, int], last: int) -> tuple[Any, int]:
    """Return the table with other track ids, and the largest id so far.

    Args:
        table: Rows.
        follows: New id of each track that continues another.
        last: The largest id so far; the other tracks get ids after it.
    """
    new = dict(follows)
    for track in table["track"].to_pylist():
        if track is not None and track not in new:
            last += 1
            new[track] = last
    ids = [None if track is None else new[track] for track in table["track"].to_pylist()]
    position = table.schema.get_field_index("track")
    column = import_arrow().array(ids, table.schema.field(position).type)
    return table.set_column(position, table.schema.field(position), column), last


def _times(table: Any) -> NDArray[np.float64]:
    times: NDArray[np.float64] = table["timestamp"].to_numpy()
    return times
