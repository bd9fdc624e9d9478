"""Which tracked faces an analyzer is due to run on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from faceattr.errors import OptionError
from faceattr.options import StreamOptions

HOLD = 5.0  # seconds for which the frame is held
TOLERANCE = 1e-6  # seconds, so that rounding of timestamps does not cost a frame


class Schedule:
    """Says on which faces an analyzer is due to run, by the name of its attribute.

    An analyzer without a refresh runs on each face in every frame. Another one runs on a face
    that was seen in several frames in a row, and then its result stands for a while.

    Args:
        refresh: Name of each attribute to the seconds between runs on one face, or 0.
        frame_threshold: Frames in a row in which a face must have been seen.
        max_faces: Most faces that are due at once, where there is a refresh.
    """

    def __init__(
        self, refresh: Mapping[str, float], *, frame_threshold: int = 0, max_faces: int = 8
    ) -> None:
        self._refresh = refresh
        self._frame_threshold = frame_threshold
        self._max_faces = max_faces
        self._num_frames: dict[int, int] = {}  # in a row, of each track
        self._last_runs: dict[str, dict[int, float]] = {name: {} for name in refresh}

    def see(self, track_ids: Iterable[int]) -> None:
        """Count one more frame, in which these faces were seen."""
        self._num_frames = {
            track_id: self._num_frames.get(track_id, 0) + 1 for track_id in track_ids
        }

    def start_over(self) -> None:
        """Count frames in a row from here on."""
        self._num_frames = {}

    def due(self, attribute: str, track_ids: Collection[int], *, now: float) -> list[int]:
        """Return the tracks to run on: new ones first, then those that have waited longest."""
        if not self._refresh[attribute]:
            return list(track_ids)
        waiting = [
            track_id
            for track_id in track_ids
            if self._num_frames.get(track_id, 0) >= self._frame_threshold
            and self.frozen(attribute, track_id, now=now) <= TOLERANCE
        ]
        last_runs = self._last_runs[attribute]
        waiting.sort(key=lambda track_id: last_runs.get(track_id, -math.inf))
        return waiting[: self._max_faces]

    def mark(self, attribute: str, track_ids: Iterable[int], *, now: float) -> None:
        """Note that the analyzer runs on these faces."""
        self._last_runs[attribute].update(dict.fromkeys(track_ids, now))

    def frozen(self, attribute: str, track_id: int, *, now: float) -> float:
        """Return the seconds until the analyzer may run on the face again."""
        last_run = self._last_runs[attribute].get(track_id, -math.inf)
        return max(0.0, last_run + self._refresh[attribute] - now)

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget all other tracks."""
        for attribute, last_runs in self._last_runs.items():
            self._last_runs[attribute] = {
                track_id: time for track_id, time in last_runs.items() if track_id in track_ids
            }


def choose_refresh(own: Mapping[str, float], options: StreamOptions) -> dict[str, float]:
    """Return the seconds between runs of each analyzer on one face, 0 for every frame.

    Args:
        own: Name of each attribute to its analyzer's own `refresh`.
        options: Options of the stream.

    Raises:
        OptionError: A refresh is given for an attribute that is not read.
    """
    seconds, chosen = options.time_threshold, options.chosen_refresh
    for name in chosen.keys() - own.keys():
        raise OptionError(f"refresh of {name!r}, which is not read; it can be {', '.join(own)}")
    if options.freeze == "off":
        return dict.fromkeys(own, 0.0)
    if options.freeze == "frame":
        return dict.fromkeys(own, HOLD if seconds is None else seconds)
    common = {
        name: seconds if refresh and seconds is not None else refresh
        for name, refresh in own.items()
    }
    return {**common, **chosen}
