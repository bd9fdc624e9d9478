"""The report on a video: when each face was there, what was read off it over time, its looks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceattr import __version__
from faceattr.alignment import crop_faces
from faceattr.outputs import Outputs
from faceattr.palette import FACE_COLOR
from faceattr.reporting import charts
from faceattr.reporting.markup import Html, element, link_to
from faceattr.reporting.page import (
    claim,
    encode_thumbnail,
    figures,
    folder_of,
    image_of,
    plural,
    privacy,
    section,
    settings_list,
    warning,
    write_page,
)
from faceattr.reporting.pictures import THUMBNAIL_CROP
from faceattr.reporting.tracks import Look, Track
from faceattr.streaming.quality import face_quality
from faceattr.streaming.sinks.base import Sink, require_time
from faceattr.types import Detection, Face, Frame

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_TRACKS = 50  # on the page, those seen longest
ENOUGH = 2  # frames; a face that was seen in fewer is not shown


class VideoReport(Sink):
    """Follows the faces of a video, and writes the page when it is closed.

    The page shows the tracks that were seen longest. It is written in full or not at all; if the
    stream ends early, by an error or Ctrl-C, it shows what was seen until then and says so.

    Args:
        path: File to write; its name ends in ``.html``.
        video: Path of the video, for the title and the links into it.
        settings: How the results came about, by name.
        thumbnails: Whether the page shows faces.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Attributes:
        num_frames: Frames so far.
        tracks: What is known of each face, by its number.

    Raises:
        SinkError: The file cannot be written, or its name has another ending.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        video: str | os.PathLike[str] | None = None,
        settings: Mapping[str, object] | None = None,
        thumbnails: bool = True,
        outputs: Outputs | None = None,
    ) -> None:
        self._output = claim(path, outputs)
        self.paths = (self._output.path,)
        self._name = "a video" if video is None else os.path.basename(os.fspath(video))
        self._link = link_to(video, folder_of(self._output))
        self._settings = dict(settings or {})
        self._has_thumbnails = thumbnails
        self._stopped = False
        self._is_closed = False
        self._start: float | None = None
        self._end = 0.0
        self.num_frames = 0
        self.tracks: dict[int, Track] = {}

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        now = require_time(frame)
        self._start = now if self._start is None else self._start
        self._end = max(self._end, now)
        self.num_frames += 1
        for face in faces:
            number = face.track_id or 0
            track = self.tracks.setdefault(number, Track(number, now, now))
            track.add(face, now)
        if self._has_thumbnails and faces:
            self._look(frame, faces)

    def close(self) -> None:
        """See the base class."""
        if self._is_closed or not self.num_frames:
            return
        self._is_closed = True
        write_page(self._output, title=f"Faces in {self._name}", body=self._body())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = any(error)
        self.close()

    def _look(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Keep the faces that can be seen better than before."""
        found = [Detection(face.bbox, face.confidence, face.landmarks) for face in faces]
        for face, quality in zip(faces, face_quality(frame.image, found), strict=True):
            track = self.tracks[face.track_id or 0]
            if track.wants(face, quality):
                crop = crop_faces(frame.image, [face], THUMBNAIL_CROP)[0]
                texts = [face.text(name) for name in track.readings if name in face.attributes]
                said = ", ".join(texts)
                track.keep(face, Look(quality, frame.timestamp, encode_thumbnail(crop), said))

    @property
    def _shown(self) -> list[Track]:
        """The tracks of the page, in the order of their numbers."""
        lasting = [track for track in self.tracks.values() if track.num_frames >= ENOUGH]
        longest = sorted(lasting, key=lambda track: -track.num_frames)[:MOST_TRACKS]
        return sorted(longest, key=lambda track: track.track_id)

    def _body(self) -> Iterator[Html]:
        shown = self._shown
        yield Html("<main>")
        title = element("a", self._name, href=self._link) if self._link else self._name
        yield element("h1", "Faces in ", title)
        yield element("p", f"As faceattr {__version__} read them, frame by frame.", class_="lead")
        if self._stopped:
            until = _clock(self._end)
            yield warning(f"This report is incomplete: the run was stopped {until} into the video.")
        yield figures(dict(self._figures()))
        if not shown:
            yield section("Nobody", element("p", "No face was found in this video."))
        else:
            yield self._overview(shown)
            tracks = (self._track(track) for track in shown)
            yield section("Face by face", element("div", *tracks, class_="tracks"))
        yield settings_list(self._settings) if self._settings else Html("")
        yield Html("</main>")
        yield privacy(has_faces=any(track.looks for track in shown))

    def _figures(self) -> Iterator[tuple[str, str]]:
        yield "long", _clock(self._end - (self._start or 0.0))
        yield "frames", f"{self.num_frames:,}"
        yield "face" if len(self.tracks) == 1 else "faces", f"{len(self.tracks):,}"
        if self.tracks:
            longest = max(track.num_frames for track in self.tracks.values())
            share = f"{longest / self.num_frames:.0%}"
            yield "of the frames show the face seen longest", share

    def _overview(self, shown: Sequence[Track]) -> Html:
        start = self._start or 0.0
        span = (start, max(self._end, start + 1e-3))
        rows = [list(_colored(track)) for track in shown]
        said = "; ".join(
            f"face {one.track_id} from {_clock(one.first)} to {_clock(one.last)}" for one in shown
        )
        numbers = [element("li", f"#{track.track_id}") for track in shown]
        note = "A row per face, in the colors of its first attribute."
        if len(shown) < len(self.tracks):
            left = len(self.tracks) - len(shown)
            note += f" Left out: {plural(left, 'face')} seen only briefly."
        return section(
            "Who was there when",
            element(
                "div",
                element("ol", *numbers),
                charts.lanes(rows, span, said),
                _times(*span),
                class_="lanes-list",
            ),
            note=note,
        )

    def _track(self, track: Track) -> Html:
        seen = f"{_clock(track.first)} to {_clock(track.last)}, {plural(track.num_frames, 'frame')}"
        heading = element("header", element("h3", f"Face #{track.track_id}"), element("p", seen))
        looks = sorted(track.looks.values(), key=lambda look: look.timestamp)
        readings = [self._reading(track, name) for name in track.readings]
        return element(
            "article",
            heading,
            element("ul", *map(self._show, looks), class_="looks") if looks else element("div"),
            element("div", *readings),
            class_="track",
        )

    def _show(self, look: Look) -> Html:
        when = _clock(look.timestamp)
        picture = image_of(look.jpeg, f"{look.said or 'the face'} at {when}")
        if self._link:
            picture = element("a", picture, href=f"{self._link}#t={look.timestamp:.1f}")
        return element("li", picture, element("p", f"{when} · {look.said}" if look.said else when))

    def _reading(self, track: Track, name: str) -> Html:
        readings = track.readings[name]
        times, rows = readings.series()
        span = (track.first, max(track.last, track.first + 1e-3))
        if isinstance(readings.labels, str):
            values, std = rows[:, 0], rows[:, 1]
            low, high = float((values - std).min()), float((values + std).max())
            scale = (low, max(high, low + 1.0))
            told = f"median {np.median(values):.0f} {readings.labels}"
            said = f"{name} over time, {told}"
            drawn = charts.band(times, values, std, span, scale, said)
            parts = [
                element("p", element("b", name), f" {told}"),
                drawn,
                _times(*span),
                element(
                    "p",
                    f"Drawn from {scale[0]:.0f} to {scale[1]:.0f} {readings.labels}; "
                    "the band is one standard deviation.",
                    class_="note",
                ),
            ]
            return element("div", *parts[: 4 if std.any() else 3], class_="reading")
        shares = track.shares(name)
        keys = [
            element(
                "span",
                charts.dot(charts.label_color(label, readings.labels)),
                f"{label} {share:.0%}",
                class_="key",
            )
            for label, share in shares.items()
            if share >= 0.005
        ]
        said = f"{name} over time: {', '.join(f'{one} {part:.0%}' for one, part in shares.items())}"
        drawn = charts.areas(times, rows, readings.labels, span, said)
        return element(
            "div",
            element("p", element("b", name, class_="key"), *keys),
            charts.shares_bar(shares, readings.labels),
            *([drawn, _times(*span)] if len(keys) > 1 else []),  # else it has one color
            class_="reading",
        )


def _colored(track: Track) -> Iterator[tuple[float, float, str]]:
    """Yield (from, to, color) in seconds, by the first classification of a track."""
    for name, readings in track.readings.items():
        if not isinstance(readings.labels, str):
            labels = readings.labels
            for start, end, label in track.segments(name):
                yield start, end, charts.label_color(label, labels)
            return
    yield track.first, track.last, FACE_COLOR


def _times(start: float, end: float) -> Html:
    """Return what stands below a timeline: its first second, the middle, the last one."""
    middle = (start + end) / 2
    spans = [element("span", _clock(one)) for one in (start, middle, end)]
    return element("div", *spans, class_="times")


def _clock(seconds: float) -> str:
    """Return a time as ``0:07``, or ``1:02:03`` if it has hours."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
