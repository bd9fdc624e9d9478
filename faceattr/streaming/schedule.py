"""Which tracked faces an analyzer looks at now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from faceattr.errors import OptionError

FREEZE = ("face", "frame", "off")  # what may stand still: what is known, the picture, or nothing
HOLD = 5.0  # s for which the picture stands still
TOLERANCE = 1e-6  # s, so that rounding of timestamps does not cost a frame


class Schedule:
    """Says which faces are due for an analyzer, by the name of its attribute.

    An analyzer with no refresh looks at each face in every frame. Another one looks at a
    face that has been seen in several frames in a row, and then its answer stands for a while.

    Args:
        refresh: Name of each attribute to the seconds between two looks at a face, or 0.
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
        self._looks: dict[str, dict[int, float]] = {name: {} for name in refresh}

    def see(self, track_ids: Iterable[int]) -> None:
        """Count one more frame, in which these faces were seen."""
        self._num_frames = {
            track_id: self._num_frames.get(track_id, 0) + 1 for track_id in track_ids
        }

    def start_over(self) -> None:
        """Count frames in a row from here on."""
        self._num_frames = {}

    def due(self, attribute: str, track_ids: Collection[int], *, now: float) -> list[int]:
        """Return the tracks to look at: new ones first, then those that have waited longest."""
        if not self._refresh[attribute]:
            return list(track_ids)
        waiting = [
            track_id
            for track_id in track_ids
            if self._num_frames.get(track_id, 0) >= self._frame_threshold
            and self.frozen(attribute, track_id, now=now) <= TOLERANCE
        ]
        looks = self._looks[attribute]
        waiting.sort(key=lambda track_id: looks.get(track_id, -math.inf))
        return waiting[: self._max_faces]

    def mark(self, attribute: str, track_ids: Iterable[int], *, now: float) -> None:
        """Note that the analyzer looks at these faces."""
        self._looks[attribute].update(dict.fromkeys(track_ids, now))

    def frozen(self, attribute: str, track_id: int, *, now: float) -> float:
        """Return the seconds until the analyzer may look at the face again."""
        look = self._looks[attribute].get(track_id, -math.inf)
        return max(0.0, look + self._refresh[attribute] - now)

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget all other tracks."""
        for attribute, looks in self._looks.items():
            self._looks[attribute] = {
                track_id: look for track_id, look in looks.items() if track_id in track_ids
            }


def choose_refresh(
    own: Mapping[str, float],
    freeze: str,
    time_threshold: float | None = None,
    chosen: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the seconds between two looks of each analyzer at a face, 0 for every frame.

    Args:
        own: Name of each attribute to its analyzer's own `refresh`.
        freeze: What stands still: ``"face"``, ``"frame"`` or ``"off"``.
        time_threshold: Seconds for all analyzers that have a refresh; None for their own.
        chosen: Seconds for single attributes; only if what is known stands still.

    Raises:
        OptionError: An option is out of range, contradicts another or names no attribute.
    """
    chosen = chosen or {}
    if freeze not in FREEZE:
        raise OptionError(f"freeze is {freeze!r}; it can be 'face', 'frame' or 'off'")
    if chosen and freeze != "face":
        raise OptionError(f"refresh is for freeze='face', not {freeze!r}; leave one of them out")
    for name in chosen.keys() - own.keys():
        raise OptionError(f"refresh of {name!r}, which is not read; it can be {', '.join(own)}")
    for seconds in (time_threshold or 0.0, *chosen.values()):
        if not 0 <= seconds < math.inf:
            raise OptionError(f"a refresh or time_threshold of {seconds} s; it must be at least 0")
    if freeze == "off":
        return dict.fromkeys(own, 0.0)
    if freeze == "frame":
        return dict.fromkeys(own, HOLD if time_threshold is None else time_threshold)
    common = {
        name: time_threshold if seconds and time_threshold is not None else seconds
        for name, seconds in own.items()
    }
    return {**common, **chosen}
