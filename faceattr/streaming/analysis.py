"""Frames to faces over time: who is who, and what is known of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from typing import NamedTuple, TypeAlias

import numpy as np

from faceattr.analyzers.base import Analyzer
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.errors import OptionError
from faceattr.labels import LabelChoice
from faceattr.pipeline import Pipeline
from faceattr.streaming.background import Worker
from faceattr.streaming.schedule import Schedule, choose_refresh
from faceattr.streaming.sinks import Sink
from faceattr.streaming.smoothing import Averages, rate
from faceattr.streaming.sources import Source, thin_out
from faceattr.streaming.tracking import IouTracker
from faceattr.types import Attribute, Detection, Face, Frame

Results: TypeAlias = Generator[tuple[Frame, list[Face]], None, None]
"""Frames with their faces, most confident first; to be closed, as by reading it to its end."""

AUTO = "auto"  # for what is done as often as the budget allows
FAINT = 0.75  # of the confidence that starts a track is enough to continue one
FEW_LOOKS = 2  # after which the answer of a heavy analyzer counts half


class LiveAnalysis:
    """Follows the faces of one stream, and lets each analyzer look at each when it is due.

    Light analyzers look at every face in every frame. Heavy ones, those with a `refresh`, look
    at a face once it was seen in `frame_threshold` frames in a row; then their answer stands
    for `time_threshold` seconds.

    Args:
        actions: Names of analyzers, or analyzers; none of them to follow faces only.
        detector: Name of a detector, or a detector.
        freeze: ``"face"`` as above; ``"frame"`` to treat all analyzers as heavy, and to hold
            the picture while their answer stands; ``"off"`` to treat all as light, without
            smoothing.
        frame_threshold: Frames in a row before a heavy analyzer looks at a face.
        time_threshold: Seconds between two of its looks; None for each analyzer's `refresh`.
        refresh: The same for single attributes, as in ``{"age": 2.0}``; 0 makes one light.
        smoothing: Seconds after which an answer counts half in the average that is given,
            or two looks of a heavy analyzer; 0 to give the last answer as it is.
        detect_every: Look for faces in every n-th frame, and carry the boxes in between; or
            ``"auto"`` to look in the background too, as often as the budget allows.
        budget: Largest share of the time that heavy analyzers work in the background, and the
            same for the detector if it does.
        engine: As in `Pipeline`.
        precision: As in `Pipeline`.
        threads: As in `Pipeline`.
        labels: As in `Pipeline`.
        min_confidence: As in `Pipeline`, of what is averaged over time.

    Attributes:
        looks: How many faces were looked at, by name of the attribute.
        num_frames: Frames so far.

    Raises:
        UnknownNameError: A name is in no registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, or an option is out of range.
    """

    def __init__(
        self,
        actions: str | Sequence[str | Analyzer] = ("emotion",),
        *,
        detector: str | Detector = "mtcnn",
        freeze: str = "face",
        frame_threshold: int = 5,
        time_threshold: float | None = None,
        refresh: Mapping[str, float] | None = None,
        smoothing: float = 0.5,
        detect_every: int | str = 1,
        budget: float = 0.5,
        engine: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
        labels: LabelChoice | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        _check("frame_threshold", frame_threshold, smallest=1)
        _check("smoothing", smoothing, smallest=0)
        if isinstance(detect_every, str) and detect_every != AUTO:
            raise OptionError(f"detect_every is {detect_every!r}; it can be a number or {AUTO!r}")
        self._finds_beside = detect_every == AUTO
        self._detect_every = 1 if isinstance(detect_every, str) else detect_every
        _check("detect_every", self._detect_every, smallest=1)
        _check("budget", budget, smallest=0.01, largest=1)
        finder = copy(detectors.get(detector)() if isinstance(detector, str) else detector)
        self._tracker = IouTracker(min_confidence=finder.threshold)
        finder.threshold *= FAINT
        self._pipeline = Pipeline(
            actions,
            detector=finder,
            engine=engine,
            precision=precision,
            threads=threads,
            labels=labels,
            min_confidence=min_confidence,
        )
        self._refresh = choose_refresh(self._pipeline.refresh, freeze, time_threshold, refresh)
        self._schedule = Schedule(self._refresh, frame_threshold=frame_threshold)
        self._known = Averages(
            {
                name: max(smoothing, FEW_LOOKS * seconds) if smoothing and freeze != "off" else 0
                for name, seconds in self._refresh.items()
            }
        )
        self._hold = max(self._refresh.values(), default=0.0) if freeze == "frame" else 0.0
        self._budget = budget

        self.looks = Counter(dict.fromkeys(self._refresh, 0))
        self.num_frames = 0
        self._shown: Frame | None = None
        self._faces: dict[int, Detection] = {}  # by track id
        self._num_to_carry = 0
        self._held_until = -math.inf

    @property
    def num_tracks(self) -> int:
        """Faces so far."""
        return self._tracker.num_started

    @property
    def status(self) -> str:
        """Faces, and looks of each analyzer, in one line."""
        looks = (f"{name} {count}x" for name, count in self.looks.items())
        count = len(self._faces)
        return "   ".join([f"{count} face{'s' * (count != 1)}", *looks])

    def load(self) -> None:
        """Make everything ready; else the first frame does it."""
        self._pipeline.load()

    def run(self, frames: Iterable[Frame], *, background: bool = False) -> Results:
        """Yield each frame with its faces, the most confident first.

        Args:
            frames: Of the stream.
            background: Let heavy analyzers work on a thread of their own, and go on with what
                is known; the same for the detector, if it looks as often as the budget allows.
                Else each frame waits for them, and the results depend on nothing but the frames.

        Raises:
            PluginError: The detector or an analyzer fails.
        """
        self.load()
        share = self._budget if background and not self._hold else None
        finder: Worker[_Found] = Worker(share if self._finds_beside else None)
        reader: Worker[list[_Answer]] = Worker(share)
        with finder, reader:
            for frame in frames:
                yield self._step(frame, finder, reader)

    def _step(
        self, frame: Frame, finder: Worker[_Found], reader: Worker[list[_Answer]]
    ) -> tuple[Frame, list[Face]]:
        if self._shown is None or frame.timestamp >= self._held_until:
            self._faces = self._follow(frame, finder)
            self._shown = frame
            self._schedule.see(self._faces)
            self._look(frame, reader)
            self._forget_lost()
        self.num_frames += 1
        faces = [self._describe(*face, frame.timestamp) for face in self._faces.items()]
        return replace(frame, image=self._shown.image), faces

    def _follow(self, frame: Frame, finder: Worker[_Found]) -> dict[int, Detection]:
        """Find the faces of the frame, or tell where they are from where they were going."""
        if self._shown is not None and self._shown.image.shape != frame.image.shape:
            y, x, _ = np.divide(frame.image.shape, self._shown.image.shape)
            self._tracker.rescale(x, y)
        if self._num_to_carry:
            self._num_to_carry -= 1
        elif finder.is_free:
            self._num_to_carry = self._detect_every - 1
            finder.start(partial(self._find, frame, self.num_frames))
        found = finder.take()
        if found is None or found.frame.image.shape != frame.image.shape:
            return self._tracker.carry()
        return self._tracker.update(found.detections, late=self.num_frames - found.number)

    def _find(self, frame: Frame, number: int) -> _Found:
        """Return the faces of a frame; on another thread, if there is one."""
        return _Found(frame, number, self._pipeline.detect(frame.image))

    def _look(self, frame: Frame, reader: Worker[list[_Answer]]) -> None:
        """Let the analyzers look at the faces that are due."""
        light = [name for name, seconds in self._refresh.items() if not seconds]
        heavy = [name for name, seconds in self._refresh.items() if seconds]
        self._learn(self._carry_out(self._plan(frame, light)))
        if reader.is_free and (looks := self._plan(frame, heavy)):
            reader.start(partial(self._carry_out, looks))
        answers = reader.take()
        if answers is not None:
            self._learn(answers)
            if self._hold:
                self._held_until = frame.timestamp + self._hold
                self._schedule.start_over()
                self._num_to_carry = 0

    def _plan(self, frame: Frame, names: Sequence[str]) -> list[_Look]:
        """Return the looks that are due, one for all the analyzers that look at the same faces."""
        together: dict[tuple[int, ...], list[str]] = {}
        for name in names:
            due = self._schedule.due(name, self._faces, now=frame.timestamp)
            if due:
                self._schedule.mark(name, due, now=frame.timestamp)
                self.looks[name] += len(due)
                together.setdefault(tuple(due), []).append(name)
        return [
            _Look(frame, {track_id: self._faces[track_id] for track_id in due}, names)
            for due, names in together.items()
        ]

    def _carry_out(self, looks: Sequence[_Look]) -> list[_Answer]:
        """Return what the analyzers say; on another thread, if there is one."""
        answers: list[_Answer] = []
        for frame, faces, names in looks:
            detections = list(faces.values())
            read = self._pipeline.read(frame.image, detections, names)
            qualities = rate(frame.image, detections)
            answers += map(_Answer, faces, read, qualities, repeat(frame.timestamp))
        return answers

    def _learn(self, answers: Iterable[_Answer]) -> None:
        for track_id, attributes, quality, timestamp in answers:
            for name, attribute in attributes.items():
                self._known.add(track_id, name, attribute, quality=quality, now=timestamp)

    def _forget_lost(self) -> None:
        self._schedule.keep(self._tracker.track_ids)
        self._known.keep(self._tracker.track_ids)

    def _describe(self, track_id: int, detection: Detection, now: float) -> Face:
        """Return a face with what is known of it."""
        known = self._known.of(track_id)
        attributes = {name: known[name] for name in self._refresh if name in known}
        frozen = {
            name: self._schedule.frozen(name, track_id, now=now)
            for name in attributes
            if self._refresh[name]
        }
        bbox, confidence, landmarks = detection.bbox, detection.confidence, detection.landmarks
        return Face(bbox, confidence, landmarks, attributes, track_id, frozen)


def play(
    live: LiveAnalysis,
    source: Source,
    sinks: Sequence[Sink] = (),
    *,
    max_frames: int | None = None,
    max_fps: float | None = None,
) -> Results:
    """Yield each frame of a source with its faces, after all sinks have got them.

    At the end, also that by an error or Ctrl-C, the source and every sink are closed.

    Args:
        live: Analyzes the frames; in the background if the source is live.
        source: Read to its end, or until a sink is done.
        sinks: Where results go.
        max_frames: Stop after so many.
        max_fps: Leave frames out that come faster.

    Raises:
        SourceError: The source is lost.
        SinkError: A sink cannot show or write a result.
        PluginError: The detector or an analyzer fails.
    """
    with ExitStack() as stack:
        stack.enter_context(source)
        for sink in sinks:
            stack.enter_context(sink)
        live.load()  # before a camera begins to count
        results = live.run(thin_out(source, max_fps), background=source.live)
        stack.enter_context(closing(results))
        for frame, faces in islice(results, max_frames):
            for sink in sinks:
                sink.write(frame, faces)
            yield frame, faces
            if any(sink.done for sink in sinks):
                return


class _Found(NamedTuple):
    """Where the faces of a frame are, and how many frames came before it."""

    frame: Frame
    number: int
    detections: list[Detection]


class _Look(NamedTuple):
    """Faces of a frame, by track id, that some analyzers look at together."""

    frame: Frame
    faces: Mapping[int, Detection]
    attributes: Sequence[str]


class _Answer(NamedTuple):
    """What was read off a face, and how much there was to see of it."""

    track_id: int
    attributes: Mapping[str, Attribute]
    quality: float
    timestamp: float


def _check(name: str, value: float, *, smallest: float, largest: float = math.inf) -> None:
    if not smallest <= value <= largest:
        limits = f"at least {smallest}" + f" and at most {largest}" * (largest < math.inf)
        raise OptionError(f"{name} is {value}; it must be {limits}")
