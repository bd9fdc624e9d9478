"""The functions of the front door, each a few lines over `Pipeline`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from faceattr.analyzers.base import Analyzer
from faceattr.detectors.base import Detector
from faceattr.errors import FaceattrError
from faceattr.images import ImageSource
from faceattr.labels import LabelChoice, to_groups
from faceattr.pipeline import Pipeline
from faceattr.types import Detection, Face

if TYPE_CHECKING:
    from faceattr.streaming.analysis import Results
    from faceattr.streaming.sinks import Sink
    from faceattr.streaming.sources import FrameSource


def analyze(
    image: ImageSource,
    actions: str | Sequence[str | Analyzer] = ("emotion",),
    *,
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    labels: LabelChoice | None = None,
    min_confidence: float = 0.0,
) -> list[Face]:
    """Return the faces of an image and their attributes, the most confident first.

    What was loaded stays loaded, so that the next call with the same arguments is fast.

    Args:
        image: Path, http(s) URL, bytes, base64 text, binary file, PIL image or BGR array.
        actions: Names of analyzers, or analyzers.
        detector: Name of a detector, or a detector.
        engine: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"`` or ``"f32"``; None for ``FACEATTR_PRECISION``, else ``"auto"``.
        threads: Processor threads of the networks; None for as many as are fast.
        labels: Labels to keep, ``["happy", "sad"]``, their probabilities summing to 1 again,
            or groups of labels by new names, ``{"good": ["happy", "surprise"], …}``; for every
            classification that has them all. None for all labels.
        min_confidence: Confidence below which a classification has no label, in [0, 1].

    Raises:
        ImageError: The image cannot be read.
        UnknownNameError: A name is in no registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, none has these labels, or an option
            is out of range.
    """
    pipeline = _pipeline(actions, detector, engine, precision, threads, labels, min_confidence)
    return pipeline.analyze(image)


def analyze_many(
    images: Iterable[ImageSource],
    actions: str | Sequence[str | Analyzer] = ("emotion",),
    *,
    errors: str = "raise",
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    labels: LabelChoice | None = None,
    min_confidence: float = 0.0,
) -> list[list[Face] | FaceattrError]:
    """Return the faces of each image, in the order of the images.

    Faces of several images go through the networks together.

    Args:
        images: Each as in `analyze`.
        actions: As in `analyze`.
        errors: ``"raise"`` the first error, or ``"report"`` it in the image's place.
        detector: As in `analyze`.
        engine: As in `analyze`.
        precision: As in `analyze`.
        threads: As in `analyze`.
        labels: As in `analyze`.
        min_confidence: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    pipeline = _pipeline(actions, detector, engine, precision, threads, labels, min_confidence)
    return pipeline.analyze_many(images, errors=errors)


def detect(
    image: ImageSource,
    *,
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[Detection]:
    """Return the faces of an image without attributes, the most confident first.

    Args:
        image: As in `analyze`.
        detector: As in `analyze`.
        engine: As in `analyze`.
        precision: As in `analyze`.
        threads: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    return _pipeline((), detector, engine, precision, threads).detect(image)


def stream(
    source: FrameSource = 0,
    actions: str | Sequence[str | Analyzer] = ("emotion",),
    *,
    sinks: Sequence[Sink] = (),
    max_frames: int | None = None,
    max_fps: float | None = None,
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
) -> Results:
    """Yield the frames of a camera, stream or video with their faces, who keep their track ids.

    Of a live source the newest frame is taken, and heavy analyzers work in the background.
    Of a file each frame is taken, and the results are the same at any speed.

    Args:
        source: Number of a camera; address like ``rtsp://…``; path of a video, or of a folder or
            glob of pictures; pictures as in `analyze`.
        actions: As in `analyze`.
        sinks: Where results go as well, such as `JsonLinesSink`; closed at the end.
        max_frames: Stop after so many.
        max_fps: Leave out frames that come faster.
        detector: As in `analyze`.
        freeze: As in `LiveAnalysis`, like all options up to ``budget``.
        frame_threshold: Frames in a row before a heavy analyzer looks at a face.
        time_threshold: Seconds between two of its looks; None for each analyzer's own.
        refresh: The same for single attributes, as in ``{"age": 2.0}``.
        smoothing: Seconds after which an answer counts half in the average that is given.
        detect_every: Look for faces in every n-th frame, and carry the boxes in between; or
            ``"auto"`` to look in the background of a live source, as often as the budget allows.
        budget: Largest share of a live source's time in which heavy analyzers are at work, and
            the same for a detector in the background.
        engine: As in `analyze`.
        precision: As in `analyze`.
        threads: As in `analyze`.
        labels: As in `analyze`.
        min_confidence: As in `analyze`, of what is averaged over time.

    Raises:
        SourceError: The source cannot be opened, or is lost.
        SinkError: A sink cannot show or write a result.
        FaceattrError: As in `analyze`.
    """
    from faceattr.streaming.analysis import (  # SciPy takes a moment, for streams only
        LiveAnalysis,
        play,
    )
    from faceattr.streaming.sources import open_source

    live = LiveAnalysis(
        actions,
        detector=detector,
        freeze=freeze,
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
        refresh=refresh,
        smoothing=smoothing,
        detect_every=detect_every,
        budget=budget,
        engine=engine,
        precision=precision,
        threads=threads,
        labels=labels,
        min_confidence=min_confidence,
    )
    return play(live, open_source(source), sinks, max_frames=max_frames, max_fps=max_fps)


def _pipeline(
    actions: str | Sequence[str | Analyzer],
    detector: str | Detector,
    engine: str | None,
    precision: str | None,
    threads: int | None,
    labels: LabelChoice | None = None,
    min_confidence: float = 0.0,
) -> Pipeline:
    actions = actions if isinstance(actions, str) else tuple(actions)
    groups = None if labels is None else tuple(to_groups(labels).items())
    return _remembered(actions, detector, engine, precision, threads, groups, min_confidence)


@lru_cache(maxsize=8)
def _remembered(
    actions: str | tuple[str | Analyzer, ...],
    detector: str | Detector,
    engine: str | None,
    precision: str | None,
    threads: int | None,
    groups: tuple[tuple[str, tuple[str, ...]], ...] | None,
    min_confidence: float,
) -> Pipeline:
    return Pipeline(
        actions,
        detector=detector,
        engine=engine,
        precision=precision,
        threads=threads,
        labels=None if groups is None else dict(groups),
        min_confidence=min_confidence,
    )
