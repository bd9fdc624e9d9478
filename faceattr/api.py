"""The functions of the front door, each a few lines over `Pipeline` or `LiveAnalysis`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, overload

from faceattr.analyzers import analyzers
from faceattr.detectors import detectors
from faceattr.errors import FaceattrError
from faceattr.images import ImageSource
from faceattr.options import Actions, PipelineOptions, StreamOptions
from faceattr.pipeline import Pipeline
from faceattr.recognition.faces import READER, describe
from faceattr.recognition.gallery import with_gallery
from faceattr.recognition.verification import ODDS, Match, compare
from faceattr.results import ImageResult
from faceattr.types import Detection, Face

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from faceattr.analyzers.base import Analyzer
    from faceattr.detectors.base import Detector
    from faceattr.options import PipelineKeywords, StreamKeywords
    from faceattr.streaming.analysis import Results
    from faceattr.streaming.sinks import Sink
    from faceattr.streaming.sources import FrameSource


def analyze(
    image: ImageSource, actions: Actions = ("emotion",), **options: Unpack[PipelineKeywords]
) -> list[Face]:
    """Return the faces of an image and their attributes, the most confident first.

    What was loaded stays loaded, so that the next call with the same arguments is fast.

    Args:
        image: Path, http(s) URL, bytes, base64 text, binary file, PIL image or BGR array.
        actions: Analyzers, or their names: ``["emotion", "age"]`` or ``"emotion,age"``.
        options: As in `PipelineOptions`: ``detector``, ``threshold``, ``min_face``, ``max_faces``,
            ``tile_size``, ``labels``, ``min_confidence``, ``engine``, ``precision``, ``threads``,
            ``features``, ``gallery``.

    Raises:
        ImageError: The image cannot be read.
        UnknownNameError: A name is not in the registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, none has these labels, or an option
            is out of range.
        WeightsError: Weights are missing and cannot be downloaded.
        PluginError: The detector or an analyzer fails.
    """
    return shared_pipeline(actions, options).analyze(image)


@overload
def analyze_many(
    images: Iterable[ImageSource],
    actions: Actions = ...,
    *,
    errors: Literal["raise"] = ...,
    **options: Unpack[PipelineKeywords],
) -> list[list[Face]]: ...


@overload
def analyze_many(
    images: Iterable[ImageSource],
    actions: Actions = ...,
    *,
    errors: str,
    **options: Unpack[PipelineKeywords],
) -> list[list[Face] | FaceattrError]: ...


def analyze_many(
    images: Iterable[ImageSource],
    actions: Actions = ("emotion",),
    *,
    errors: str = "raise",
    **options: Unpack[PipelineKeywords],
) -> list[list[Face]] | list[list[Face] | FaceattrError]:
    """Return the faces of each image, in the order of the images.

    The faces of several images go through the networks together.

    Args:
        images: Each as in `analyze`.
        actions: As in `analyze`.
        errors: ``"raise"`` the first error, or ``"report"`` it in the image's place.
        options: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    return shared_pipeline(actions, options).analyze_many(images, errors=errors)


def analyze_each(
    images: Iterable[ImageSource],
    actions: Actions = ("emotion",),
    **options: Unpack[PipelineKeywords],
) -> Iterator[ImageResult]:
    """Yield one result per image, in the order of the images, as they are done.

    An image that cannot be read does not stop the others: its result carries the error.

    Args:
        images: Each as in `analyze`; they are read as they are needed.
        actions: As in `analyze`.
        options: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`, except for errors of single images.
    """
    return shared_pipeline(actions, options).analyze_each(images)


def detect(image: ImageSource, **options: Unpack[PipelineKeywords]) -> list[Detection]:
    """Return the faces of an image without attributes, the most confident first.

    Args:
        image: As in `analyze`.
        options: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    return shared_pipeline((), options).detect(image)


def stream(
    source: FrameSource = 0,
    actions: Actions = ("emotion",),
    *,
    sinks: Sequence[Sink] = (),
    **options: Unpack[StreamKeywords],
) -> Results:
    """Yield the frames of a camera, stream or video with their faces, which keep their track ids.

    A live source gives its newest frame, and slow analyzers run in the background: their results
    appear on later frames than the one that they read. A file gives every frame, and the results
    are the same at any speed.

    Args:
        source: Number of a camera; address like ``rtsp://…``; path of a video, or of a folder or
            glob of images; images as in `analyze`.
        actions: As in `analyze`.
        sinks: Where results go as well, such as `JsonLinesSink`; closed at the end.
        options: As in `StreamOptions`: those of `analyze`, and ``freeze``, ``frame_threshold``,
            ``time_threshold``, ``refresh``, ``smoothing``, ``detect_every``, ``budget``,
            ``max_frames``, ``max_fps``.

    Raises:
        SourceError: The source cannot be opened, or is lost.
        SinkError: A sink cannot show or write a result.
        FaceattrError: As in `analyze`.
    """
    from faceattr.streaming.analysis import LiveAnalysis, play  # SciPy takes a moment
    from faceattr.streaming.sources import open_source

    live = LiveAnalysis.from_options(with_gallery(StreamOptions(actions=actions, **options)))
    return play(live, open_source(source), sinks)


def verify(
    first: ImageSource | Face,
    second: ImageSource | Face,
    *,
    odds: float = ODDS,
    **options: Unpack[PipelineKeywords],
) -> Match:
    """Return whether two pictures show one person.

    Of several faces in a picture, the one that the detector is most confident of counts.

    Args:
        first: As in `analyze`; or a face that was read with ``actions=["identity"]``.
        second: The same.
        odds: Of one person before the pictures are looked at: 0.1 means one to ten. With that,
            one in a thousand pairs of different people is taken for one person (measured on LFW).
        options: As in `analyze`.

    Raises:
        NoFaceError: Nobody is on a picture; the message names it.
        FaceattrError: As in `analyze`.
    """
    pipeline = shared_pipeline((READER,), options)
    return compare(describe(first, pipeline), describe(second, pipeline), odds=odds)


def list_analyzers(pattern: str = "*") -> list[str]:
    """Return the names of the analyzers, sorted.

    Args:
        pattern: With ``*`` and ``?``, as in ``"*-vgg"``.
    """
    return analyzers.matching(pattern)


def list_detectors(pattern: str = "*") -> list[str]:
    """Return the names of the detectors, sorted.

    Args:
        pattern: With ``*`` and ``?``, as in ``"dlib-*"``.
    """
    return detectors.matching(pattern)


def create_analyzer(name: str, **options: Any) -> Analyzer:
    """Return a new analyzer.

    Args:
        name: One of those that `list_analyzers` returns.
        options: Arguments of its class.

    Raises:
        UnknownNameError: There is no such analyzer; the message suggests the nearest.
        PluginLoadError: It cannot be imported or created.
    """
    return analyzers.create(name, **options)


def create_detector(name: str, **options: Any) -> Detector:
    """Return a new detector.

    Args:
        name: One of those that `list_detectors` returns.
        options: Arguments of its class; all have those of `SearchOptions`.

    Raises:
        UnknownNameError: There is no such detector; the message suggests the nearest.
        PluginLoadError: It cannot be imported or created.
    """
    return detectors.create(name, **options)


def register_analyzer(name: str, analyzer: type[Analyzer]) -> None:
    """Give an analyzer class a name, in this process.

    Raises:
        DuplicateNameError: The name is taken by another class.
        PluginLoadError: It is not an analyzer class, or was written for another plugin API.
    """
    analyzers.register(name, analyzer)


def register_detector(name: str, detector: type[Detector]) -> None:
    """Give a detector class a name, in this process.

    Raises:
        DuplicateNameError: The name is taken by another class.
        PluginLoadError: It is not a detector class, or was written for another plugin API.
    """
    detectors.register(name, detector)


def shared_pipeline(actions: Actions, options: PipelineKeywords) -> Pipeline:
    """Return a pipeline with these options, that of an earlier call if there was one."""
    chosen = with_gallery(PipelineOptions(actions=actions, **options))
    try:
        hash(chosen)
    except TypeError:  # a plugin without a hash, such as a plain dataclass
        return Pipeline.from_options(chosen)
    return _remembered(chosen)


_remembered = lru_cache(maxsize=8)(Pipeline.from_options)
