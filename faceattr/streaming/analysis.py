"""Frames to tracked faces with their attributes, over time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import fields, replace
from functools import partial
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from faceattr.arguments import explained
from faceattr.errors import OptionError, UnknownNameError, describe_unknown
from faceattr.options import AUTO, Actions, PipelineOptions, StreamOptions
from faceattr.outputs import Outputs
from faceattr.pipeline import IDENTITY, Pipeline, uncertain_of
from faceattr.streaming.appearance import describe_appearance
from faceattr.streaming.background import Worker
from faceattr.streaming.quality import face_quality
from faceattr.streaming.reunion import Reunion
from faceattr.streaming.schedule import Schedule, choose_refresh
from faceattr.streaming.sinks import Sink
from faceattr.streaming.smoothing import Averages
from faceattr.streaming.sources import Source, thin_out
from faceattr.streaming.tracking import IouTracker
from faceattr.types import Attribute, Descriptor, Detection, Face, Frame

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from faceattr.options import StreamKeywords

Results: TypeAlias = Generator[tuple[Frame, list[Face]], None, None]
"""Frames with their faces, most confident first; close it, or read it to its end."""

LOW_CONFIDENCE = 0.75  # as a share of the threshold for a new track; enough to continue one
_SHARED = fields(PipelineOptions)
MIN_RUNS = 2  # runs of a slow analyzer before its result may count half


class LiveAnalysis:
    """Follows the faces of one stream, and runs each analyzer on each face when it is due.

    Fast analyzers run on every face in every frame. Slow ones, those with a `refresh`, run on a
    face that was seen in `frame_threshold` frames in a row; their result then stands for a while.

    With the action ``"identity"``, somebody who leaves and comes back gets the old track id again,
    as soon as the new track's identity is read.

    Args:
        actions: Analyzers, or their names; empty to follow faces only.
        options: As in `StreamOptions`. ``max_frames`` and ``max_fps`` are for `play`, which reads a
            source, and so is holding the frame (``freeze="frame"``). ``color`` is for `stream`
            alone, as the image of a `Frame` is BGR.

    Attributes:
        options: All options, as a value.
        refresh: Seconds between runs of each analyzer on one face, by attribute; 0 for every frame.
        columns: Columns that the attributes take in a table.
        num_runs: On how many faces each analyzer has run, by the name of its attribute.
        num_frames: Frames so far.

    Raises:
        UnknownNameError: A name is not in the registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, or an option is out of range.
    """

    def __init__(self, actions: Actions = ("emotion",), **options: Unpack[StreamKeywords]) -> None:
        self._set_up(StreamOptions(actions=actions, **options))

    @classmethod
    @explained
    def from_options(cls, options: StreamOptions) -> Self:
        """Return an analysis with these options."""
        live = cls.__new__(cls)
        live._set_up(options)
        return live

    @classmethod
    @explained
    def sharing(cls, pipeline: Pipeline, **options: Unpack[StreamKeywords]) -> Self:
        """Return an analysis of one stream by a pipeline that others use at the same time.

        Each has tracks and averages of its own; the networks are there once. `close` leaves the
        pipeline as it is.

        Args:
            pipeline: Its options take the place of those that `PipelineOptions` has too.
            options: The others of `StreamOptions`.
        """
        chosen: dict[str, Any] = {**options}
        chosen |= {field.name: getattr(pipeline.options, field.name) for field in _SHARED}
        live = cls.__new__(cls)
        live._set_up(StreamOptions(**chosen), pipeline)
        return live

    def _set_up(self, options: StreamOptions, pipeline: Pipeline | None = None) -> None:
        if options.color != "bgr":
            raise OptionError(
                f"color is {options.color!r}, but the image of a Frame is BGR; turn an RGB array "
                "round, image[..., ::-1], or give color to stream() or open_source()"
            )
        self.options = options
        self._is_shared = pipeline is not None
        self._pipeline = pipeline or Pipeline.from_options(options)
        self.columns = self._pipeline.columns
        self.refresh = choose_refresh(self._pipeline.refresh, options)
        self._chosen = tuple(self.refresh)
        self._tracker = IouTracker(min_confidence=self._pipeline.threshold)
        self._schedule = Schedule(self.refresh, frame_threshold=options.frame_threshold)
        smooth = options.smoothing if options.freeze != "off" else 0.0
        self._known = Averages(
            {
                name: max(smooth, MIN_RUNS * seconds) if smooth else 0.0
                for name, seconds in self.refresh.items()
            }
        )
        self._detector: Worker[_Found] = Worker(None)
        self._reader: Worker[list[_Result]] = Worker(None)

        self.num_runs = Counter(dict.fromkeys(self.refresh, 0))
        self.num_frames = 0
        self._reunion = Reunion()
        self._names: dict[int, tuple[Descriptor, Attribute]] = {}  # by track id
        self._shape: tuple[int, ...] | None = None  # of the last frame
        self._faces: dict[int, Detection] = {}  # by track id
        self._frames_to_predict = 0  # before the next detection

    @property
    def num_tracks(self) -> int:
        """Number of tracks so far; those that were joined count once."""
        return self._tracker.num_started - self._reunion.num_joined

    def load(self) -> None:
        """Load everything now rather than with the first frame."""
        self._pipeline.load()

    def close(self) -> None:
        """Release what was loaded, unless others use it too."""
        if not self._is_shared:
            self._pipeline.close()

    @explained
    def choose(self, attributes: Collection[str]) -> None:
        """Read only these attributes from the next frame on; tracks go on.

        Args:
            attributes: Names of attributes; empty to follow faces only.

        Raises:
            UnknownNameError: There is no analyzer of an attribute; the message suggests one.
        """
        for name in attributes:
            if name not in self.refresh:
                raise UnknownNameError(describe_unknown("attribute", name, list(self.refresh)))
        self._chosen = tuple(name for name in self.refresh if name in attributes)

    @explained
    def run(self, frames: Iterable[Frame], *, background: bool = False) -> Results:
        """Yield each frame with its faces, the most confident first.

        Args:
            frames: Frames of the stream, in the order of their timestamps.
            background: Run slow analyzers on a thread of their own and go on with what is known;
                the same for the detector, if ``detect_every`` is ``"auto"``. Otherwise each
                frame waits for them, and the results depend on nothing but the frames.

        Raises:
            PluginError: The detector or an analyzer fails.
        """
        self.load()
        share = self.options.budget if background else None
        detects_beside = self.options.detect_every == AUTO
        self._detector = Worker(share if detects_beside else None)
        self._reader = Worker(share)
        with self._detector, self._reader:
            try:
                for frame in frames:
                    yield frame, self.step(frame)
            finally:
                self._detector, self._reader = Worker(None), Worker(None)

    @explained
    def step(self, frame: Frame) -> list[Face]:
        """Return the faces of the next frame, the most confident first.

        Args:
            frame: Its timestamp must not be less than that of the frame before.

        Raises:
            PluginError: The detector or an analyzer fails.
        """
        self._faces = self._follow(frame)
        self._shape = frame.image.shape
        self._schedule.see(self._faces)
        self._run_analyzers(frame)
        self._schedule.keep(self._tracker.track_ids)
        self._known.keep(self._tracker.track_ids)
        for track_id in self._names.keys() - self._tracker.track_ids:
            del self._names[track_id]
        self._join_tracks(frame.timestamp)
        self.num_frames += 1
        return [self._describe(*face, frame.timestamp) for face in self._faces.items()]

    def start_over(self) -> None:
        """Count frames in a row from zero, and detect in the next frame."""
        self._schedule.start_over()
        self._frames_to_predict = 0

    def _follow(self, frame: Frame) -> dict[int, Detection]:
        """Return the faces of the frame by track id: detected, or predicted from their motion."""
        shape = frame.image.shape
        if self._shape is not None and self._shape != shape:
            y, x, _ = np.divide(shape, self._shape)
            self._tracker.rescale(x, y)
        if self._frames_to_predict:
            self._frames_to_predict -= 1
        elif self._detector.is_free:
            every = self.options.detect_every
            self._frames_to_predict = every - 1 if isinstance(every, int) else 0
            self._detector.start(partial(self._detect, frame, self.num_frames))
        found = self._detector.poll()
        if found is None or found.frame.image.shape != shape:
            return self._tracker.predict()
        appearances = None
        if len(found.detections) > 1 or len(self._tracker.track_ids) > 1:
            appearances = describe_appearance(found.frame.image, found.detections)
        return self._tracker.update(
            found.detections, delay=self.num_frames - found.number, appearances=appearances
        )

    def _detect(self, frame: Frame, number: int) -> _Found:
        """Detect the faces of a frame; may run on the detector's own thread."""
        threshold = self._pipeline.threshold * LOW_CONFIDENCE
        return _Found(frame, number, self._pipeline.detect(frame.image, threshold=threshold))

    def _run_analyzers(self, frame: Frame) -> None:
        """Run the analyzers on the faces that are due, and learn from what is ready."""
        fast = [name for name in self._chosen if not self.refresh[name]]
        slow = [name for name in self._chosen if self.refresh[name]]
        self._learn(self._read(self._plan(frame, fast)))
        if self._reader.is_free and (runs := self._plan(frame, slow)):
            self._reader.start(partial(self._read, runs))
        self._learn(self._reader.poll() or ())

    def _plan(self, frame: Frame, names: Sequence[str]) -> list[_Run]:
        """Return the runs that are due, one for all analyzers that run on the same faces."""
        together: dict[tuple[int, ...], list[str]] = {}
        for name in names:
            due = self._schedule.due(name, self._faces, now=frame.timestamp)
            if due:
                self._schedule.mark(name, due, now=frame.timestamp)
                self.num_runs[name] += len(due)
                together.setdefault(tuple(due), []).append(name)
        return [
            _Run(frame, {track_id: self._faces[track_id] for track_id in due}, names)
            for due, names in together.items()
        ]

    def _read(self, runs: Sequence[_Run]) -> list[_Result]:
        """Return what the analyzers read; may run on the reader's own thread."""
        results: list[_Result] = []
        for frame, faces, names in runs:
            detections = list(faces.values())
            read = self._pipeline.read(frame.image, detections, names, identify=False)
            attributes = (face.attributes for face in read)
            qualities = face_quality(frame.image, detections)
            results += map(_Result, faces, attributes, qualities, repeat(frame.timestamp))
        return results

    def _learn(self, results: Iterable[_Result]) -> None:
        for track_id, attributes, quality, timestamp in results:
            for name, attribute in attributes.items():
                self._known.add(track_id, name, attribute, quality=quality, now=timestamp)

    def _join_tracks(self, now: float) -> None:
        """Let tracks go on under the number of one that ended, if it was the same person."""
        if IDENTITY not in self._chosen:
            return
        descriptors = {
            track_id: known
            for track_id in self._faces
            if isinstance(known := self._known.of(track_id).get(IDENTITY), Descriptor)
        }
        alive = self._tracker.track_ids
        self._reunion.update(self._faces, descriptors, alive=alive, now=now)

    def _describe(self, track_id: int, detection: Detection, now: float) -> Face:
        """Return a face with what is known about it."""
        known = self._known.of(track_id)
        attributes = {name: known[name] for name in self._chosen if name in known}
        attributes = self._identify(track_id, attributes)
        frozen = {
            name: self._schedule.frozen(name, track_id, now=now)
            for name in attributes
            if self.refresh[name]
        }
        return Face(
            detection.bbox,
            detection.confidence,
            detection.landmarks,
            attributes,
            self._reunion.number_of(track_id),
            frozen,
            uncertain_of(attributes, self.options.min_confidence),
        )

    def _identify(self, track_id: int, attributes: dict[str, Attribute]) -> dict[str, Attribute]:
        """Return the attributes with a name from the gallery; search it for new means only."""
        mean = attributes.get(IDENTITY)
        if self.options.gallery is None or not isinstance(mean, Descriptor):
            return attributes
        known = self._names.get(track_id)
        if known is None or known[0] is not mean:
            (named,) = self._pipeline.identify([attributes])
            known = self._names[track_id] = mean, named[IDENTITY]
        return {**attributes, IDENTITY: known[1]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LiveAnalysis of {self._pipeline!r}>"


@explained
def play(live: LiveAnalysis, source: Source, sinks: Sequence[Sink] = ()) -> Results:
    """Yield each frame of a source with its faces, after all sinks have got them.

    At the end, also after an error or Ctrl-C, the source and every sink are closed.

    Args:
        live: Analyzes the frames; in the background if the source is live.
        source: Read to its end, or until a sink is done.
        sinks: Where results go.

    Raises:
        SourceError: The source is lost.
        SinkError: A sink cannot show or write a result, or would write to a file of the source or
            of another sink.
        PluginError: The detector or an analyzer fails.
    """
    options = live.options
    require_sinks(sinks)
    with ExitStack() as stack:
        stack.enter_context(source)
        outputs = Outputs(inputs=source.paths, overwrite=True)  # sinks check what exists
        for path in [path for sink in sinks for path in sink.paths]:
            outputs.file(path)
        for sink in sinks:
            sink.begin(live.columns)
            stack.enter_context(sink)
        live.load()  # before the first frame is read, as it takes seconds
        frames = thin_out(source, options.max_fps)
        if options.freeze == "frame":
            results = hold(live, frames)
        else:
            results = live.run(frames, background=source.live)
        stack.enter_context(closing(results))
        for frame, faces in islice(results, options.max_frames):
            for sink in sinks:
                sink.write(frame, faces)
            yield frame, faces
            if any(sink.done for sink in sinks):
                return


def require_sinks(sinks: Sequence[Sink]) -> None:
    """Refuse what is not a sequence of sinks.

    Raises:
        OptionError: The message says what to give.
    """
    if not isinstance(sinks, Sequence) or not all(isinstance(one, Sink) for one in sinks):
        raise OptionError(
            f"sinks are {sinks!r:.100}; give a list of sinks: [JsonLinesSink('faces.jsonl')]"
        )


def hold(live: LiveAnalysis, frames: Iterable[Frame]) -> Results:
    """Yield each frame with its faces; hold the picture for a while after slow analyzers ran.

    This is what deepface's stream does. While the picture is held, nothing is detected or read.
    """
    seconds = max(live.refresh.values(), default=0.0)
    held_until, shown, faces = -math.inf, None, []
    for frame in frames:
        if shown is None or frame.timestamp >= held_until:
            before = sum(live.num_runs.values())
            shown, faces = frame, live.step(frame)
            if sum(live.num_runs.values()) > before:
                held_until = frame.timestamp + seconds
                live.start_over()
        elapsed = frame.timestamp - shown.timestamp
        yield replace(frame, image=shown.image), [_later(face, elapsed) for face in faces]


def _later(face: Face, seconds: float) -> Face:
    """Return the face with the seconds of its frozen attributes counted down."""
    frozen = {name: max(0.0, left - seconds) for name, left in face.frozen.items()}
    return replace(face, frozen=frozen)


class _Found(NamedTuple):
    """The detections in a frame, and how many frames came before it."""

    frame: Frame
    number: int
    detections: list[Detection]


class _Run(NamedTuple):
    """Faces of a frame, by track id, on which some analyzers run together."""

    frame: Frame
    faces: Mapping[int, Detection]
    attributes: Sequence[str]


class _Result(NamedTuple):
    """What was read off a face, and how well the face could be seen."""

    track_id: int
    attributes: Mapping[str, Attribute]
    quality: float
    timestamp: float
