"""The functions of the front door, each a few lines over `Pipeline` or `LiveAnalysis`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from faceattr.analyzers import analyzers
from faceattr.detectors import detectors
from faceattr.errors import FaceattrError
from faceattr.images import ImageSource, find_images
from faceattr.options import Actions, PipelineOptions, StreamOptions
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline, require_many
from faceattr.recognition.faces import READER, describe
from faceattr.recognition.gallery import with_gallery
from faceattr.recognition.verification import ODDS, Match, compare
from faceattr.results import ImageResult
from faceattr.types import Detection, Face

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from faceattr.analyzers.base import Analyzer
    from faceattr.detectors.base import Detector
    from faceattr.evaluation.datasets import LabelledSet
    from faceattr.options import PipelineKeywords, StreamKeywords
    from faceattr.streaming.analysis import Results
    from faceattr.streaming.sinks import Sink
    from faceattr.streaming.sources import FrameSource
    from faceattr.training.training import Priors, Training


def analyze(
    image: ImageSource, actions: Actions = ("emotion",), **options: Unpack[PipelineKeywords]
) -> list[Face]:
    """Return the faces of an image and their attributes, the most confident first.

    What was loaded stays loaded, so that the next call with the same arguments is fast.

    Args:
        image: Path, http(s) URL, bytes, base64 text, binary file, PIL image or BGR array; an RGB
            array with ``color="rgb"``.
        actions: Analyzers, or their names: ``["emotion", "age"]`` or ``"emotion,age"``.
        options: As in `PipelineOptions`: ``detector``, ``threshold``, ``min_face``, ``max_faces``,
            ``tile_size``, ``labels``, ``min_confidence``, ``engine``, ``precision``, ``threads``,
            ``features``, ``color``, ``gallery``.

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
    are the same at any speed, unless a `WindowSink` plays it at its own.

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
    from faceattr.streaming.analysis import LiveAnalysis, play, require_sinks  # SciPy is slow
    from faceattr.streaming.sources import open_source, paced_for

    require_sinks(sinks)
    chosen = with_gallery(StreamOptions(actions=actions, **options))
    frames = paced_for(sinks, open_source(source, color=chosen.color))
    return play(LiveAnalysis.from_options(replace(chosen, color="bgr")), frames, sinks)


def report(
    source: str | os.PathLike[str] | Iterable[ImageSource],
    to: str | os.PathLike[str],
    actions: Actions = ("emotion", "age", "gender"),
    *,
    thumbnails: int = 2000,
    overwrite: bool = False,
    **options: Unpack[PipelineKeywords],
) -> Path:
    """Write an HTML page that shows what was read off the faces of pictures or of a video.

    The page holds everything in itself: counts, the distribution of each attribute, thumbnails of
    the faces, a table; of a video, each face over time. It loads nothing from the network.

    Args:
        source: A picture, folder, glob or video by its path, or several images as in `analyze`.
        to: File to write; its name ends in ``.html``.
        actions: As in `analyze`.
        thumbnails: Show at most this many faces of pictures; 0 for a page without faces.
        overwrite: Replace the file if it exists.
        options: As in `analyze`.

    Returns:
        The path of the page.

    Raises:
        ImageError: There are no images.
        OptionError: ``source`` is a single image that is no path; give ``[image]``.
        SinkError: The file exists, is one of the images, or cannot be written.
        FaceattrError: As in `analyze`, except for errors of single images, which the page names.
    """
    from faceattr.reporting.pictures import PictureReport
    from faceattr.reporting.video import VideoReport
    from faceattr.streaming.sources import VIDEOS

    if isinstance(source, str | os.PathLike):
        if Path(source).suffix.lower() in VIDEOS:
            outputs = Outputs(inputs=[source], overwrite=overwrite)
            settings = shared_pipeline(actions, options).settings
            sink = VideoReport(
                to, video=source, settings=settings, thumbnails=thumbnails > 0, outputs=outputs
            )
            deque(stream(os.fspath(source), actions, sinks=[sink], **options), maxlen=0)
            return Path(to)
        source = find_images([source])
    require_many(source, "report([image], …)")
    images = list(source)
    pipeline = shared_pipeline(actions, options)
    outputs = Outputs(inputs=images, overwrite=overwrite)
    with PictureReport(
        to,
        pipeline.outputs,
        settings=pipeline.settings,
        thumbnails=thumbnails,
        total=len(images),
        outputs=outputs,
    ) as page:
        for image, result in zip(images, pipeline.analyze_each(images), strict=True):
            page.add(result, image)
    return Path(to)


def train(
    data: str | os.PathLike[str] | LabelledSet,
    attribute: str,
    *,
    to: str | os.PathLike[str] | None = None,
    unit: str | None = None,
    trunk: str = "auto",
    split: str | None = None,
    crops: bool | None = None,
    group: str | int | None = None,
    priors: Priors | None = None,
    mirror: bool | None = None,
    full: bool = False,
    minutes: float = 60.0,
    overwrite: bool = False,
    **options: Unpack[PipelineKeywords],
) -> Training:
    """Learn an attribute from labelled pictures: fit a head to the features of a built-in network.

    What was seen in the pictures is remembered, so that the next call with them begins at once.

    Args:
        data: A folder with a folder of pictures per label, a CSV file with the columns ``path``
            and ``label``, or another set that `faceattr eval` reads.
        attribute: Name for what the analyzer reads.
        to: File to write, whose name ends in ``.faceattr``; None to keep the result in memory.
        unit: Unit of the values to learn, such as ``"years"``; None to learn labels.
        trunk: ``"emotion"``, ``"age_gender"``, or ``"auto"`` for the better in cross-validation;
            or ``"identity"``, whose features are not remembered, as people can be found by them.
        split: Part of the set; None for all of it.
        crops: Whether the pictures are crops of faces; None for what the kind of set says.
        group: Column of a CSV file, or level of the folders below the set's, 1 for the labels':
            pictures of one group, such as a person, are never on both sides of the
            cross-validation.
        priors: ``"equal"``, or the share of each label where the analyzer will be used; None for
            the shares in ``data``.
        mirror: Whether to learn from mirror images too; None for what is better in
            cross-validation.
        full: Whether to train all layers of the network as well, by Keras, and to keep them if
            they do better; for thousands of pictures. Run again, it goes on from its last epoch.
        minutes: Longest time of that.
        overwrite: Replace the file if it exists.
        options: As in `analyze`: those of the detector and of the engine.

    Returns:
        The head, which `Training.save` writes and `Training.analyzer` makes an analyzer of, and
        what is known about its answers.

    Raises:
        OptionError: The set is too small or of another form, or an option does not fit it.
        SinkError: The file exists or cannot be written.
        MissingDependencyError: All layers are to be trained, and Keras is not installed.
        FaceattrError: As in `analyze`.
    """
    from faceattr.evaluation.datasets import LabelledSet, load_labelled_set
    from faceattr.training.training import check_name, train_head  # SciPy takes a moment

    path = None if isinstance(data, LabelledSet) else Path(data)
    labelled = (
        data
        if isinstance(data, LabelledSet)
        else load_labelled_set(data, attribute=attribute, split=split)
    )
    if crops is not None:
        labelled = replace(labelled, are_crops=crops)
    if to is not None:  # before the work, as much can be wrong with it
        Outputs(inputs=[path, *labelled.pictures], overwrite=overwrite).file(check_name(to))
    training = train_head(
        labelled,
        attribute,
        pipeline=shared_pipeline((), options),
        unit=unit,
        trunk=trunk,
        group=group,
        priors=priors,
        mirror=mirror,
        full=full,
        minutes=minutes,
        path=path,
    )
    if to is not None:
        training.save(to, overwrite=overwrite)
    return training


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
        name: One of those that `list_analyzers` returns, or the path of a file that `train` wrote.
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
    return _remembered(chosen, _states_of_files(chosen.chosen))


@lru_cache(maxsize=8)
def _remembered(options: PipelineOptions, files: tuple[object, ...]) -> Pipeline:
    return Pipeline.from_options(options)


def _states_of_files(actions: Iterable[str | Analyzer]) -> tuple[object, ...]:
    """Return what changes when the file of a trained analyzer is written anew."""
    states: list[object] = []
    for action in actions:
        if isinstance(action, str) and "." in action:
            with suppress(OSError, ValueError):
                found = os.stat(action)
                states.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(states)
