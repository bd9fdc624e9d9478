"""Images to faces: detect, align, analyze; the faces of many images together."""

from __future__ import annotations

import glob
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, overload

from faceattr.alignment import CropSpec, crop_batch, resize_crops
from faceattr.analyzers import analyzers as registered_analyzers
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.declaration import (
    check_declaration,
    columns_of,
    forms_of,
    outputs_of,
)
from faceattr.analyzers.loaded import LoadedAnalyzer, batch_for
from faceattr.arguments import explained
from faceattr.detectors import detectors as registered_detectors
from faceattr.detectors.base import Detector, LoadedDetector, resolve_search
from faceattr.detectors.landmarks import LandmarkFinder
from faceattr.engines import create_engine
from faceattr.errors import FaceattrError, OptionError
from faceattr.forms import Labels, Names, Output
from faceattr.images import ImageSource, describe_source, is_single_image, load_image
from faceattr.labels import check_groups
from faceattr.options import Actions, PipelineOptions, SearchOptions
from faceattr.registry import check_api_version
from faceattr.results import ImageResult
from faceattr.types import (
    Attribute,
    BGRImage,
    Classification,
    CropBatch,
    Descriptor,
    Detection,
    Face,
    Features,
)
from faceattr.weights import require_open

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from faceattr.options import PipelineKeywords
    from faceattr.recognition.gallery import Gallery

logger = logging.getLogger(__name__)

BATCH_IMAGES, BATCH_PIXELS = 16, 8_000_000  # most images, and pixels, that make one batch
IDENTITY = "identity"  # the attribute that a gallery names
CROP_PIXELS = 4 * 224**2  # in one batch of crops; larger batches only take more memory


class Pipeline:
    """A detector and analyzers, loaded once and used on any number of images.

    Safe to use from several threads, and after a fork. It can be pickled and copied: the options
    travel, the networks are loaded anew. As a context manager it closes itself.

    Args:
        actions: Analyzers, or their names; empty to detect only.
        options: As in `PipelineOptions`.

    Attributes:
        options: All options, as a value.
        threshold: Smallest confidence of a face, in [0, 1].
        outputs: Form of each attribute that is read, by its name.
        columns: Columns that the attributes take in a table, in their order.

    Raises:
        UnknownNameError: A name is not in the registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, no classification has all the labels
            that were asked for, or an option is out of range.
        LicenseError: ``FACEATTR_LICENSES=open`` is set, and the weights of the detector or of an
            analyzer are not open.
    """

    def __init__(
        self, actions: Actions = ("emotion",), **options: Unpack[PipelineKeywords]
    ) -> None:
        self._set_up(PipelineOptions(actions=actions, **options))

    @classmethod
    @explained
    def from_options(cls, options: PipelineOptions) -> Self:
        """Return a pipeline with these options."""
        pipeline = cls.__new__(cls)
        pipeline._set_up(options)
        return pipeline

    def _set_up(self, options: PipelineOptions) -> None:
        self.options = options
        self._analyzers = _find_analyzers(options.chosen)
        self._detector = _find_detector(options.detector)
        self._engine = create_engine(
            options.engine, precision=options.precision, threads=options.threads
        )
        check_groups(
            options.groups,
            {
                analyzer.attribute: analyzer.output.names
                for analyzer in self._analyzers
                if isinstance(analyzer.output, Labels)
            },
        )
        self.threshold = resolve_search(self._detector, options.search).threshold or 0.0
        self._gallery = _check_gallery(options.gallery, self._analyzers)
        self.outputs = outputs_of(self._analyzers, options.groups)
        if self._gallery is not None:
            self.outputs[IDENTITY] = Names()
        self.columns = columns_of(self.outputs)
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()
        self._process_id = os.getpid()

    def load(self) -> None:
        """Load everything now rather than with the first image.

        Raises:
            FaceattrError: The detector or an analyzer cannot be loaded.
        """
        self._load()

    def close(self) -> None:
        """Release what was loaded; the next image loads it again."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded.process_id == os.getpid():
            loaded.detector.close()

    def detect(self, image: ImageSource, *, threshold: float | None = None) -> list[Detection]:
        """Return the faces of an image, the most confident first; maybe none.

        Args:
            image: As in `load_image`.
            threshold: Smallest confidence, in [0, 1], in this call only; None for that of the
                options.

        Raises:
            ImageError: The image cannot be read.
            PluginError: The detector fails.
        """
        SearchOptions(threshold=threshold)  # refuses a wrong one
        return self._detect(self._load(), self._read_image(image), threshold)

    def analyze(self, image: ImageSource) -> list[Face]:
        """Return the faces of an image and their attributes, the most confident first.

        Args:
            image: As in `load_image`.

        Raises:
            ImageError: The image cannot be read.
            PluginError: The detector or an analyzer fails.
        """
        return self._analyze([self._read_image(image)])[0]

    @explained
    def analyze_crops(self, images: Iterable[ImageSource]) -> list[dict[str, Attribute]]:
        """Return the attributes of images that are face crops already, without detection.

        Each is stretched to the size that an analyzer takes, however it is framed.

        Raises:
            ImageError: An image cannot be read.
            PluginError: An analyzer fails.
        """
        crops = [self._read_image(image) for image in images]
        readings = self._read(
            self._load().analyzers, len(crops), lambda spec, rows: resize_crops(crops[rows], spec)
        )
        return self.identify([reading.attributes for reading in readings])

    @explained
    def read_crops(self, crops: Mapping[CropSpec, CropBatch]) -> list[dict[str, Attribute]]:
        """Return the attributes of faces that were cut out elsewhere.

        Args:
            crops: The same faces in each form of `crop_specs`; uint8, or float32 in [0, 255] if
                the analyzers accept that, as the built-in ones do.
        """
        num_faces = len(next(iter(crops.values()), ()))
        readings = self._read(
            self._load().analyzers, num_faces, lambda spec, rows: crops[spec][rows]
        )
        return self.identify([reading.attributes for reading in readings])

    @property
    def crop_specs(self) -> list[CropSpec]:
        """The forms of crops that the analyzers take, each once."""
        return forms_of(*self._analyzers)

    @property
    def declared(self) -> dict[str, Output]:
        """Form of each attribute as its analyzer declares it, before labels are grouped."""
        return outputs_of(self._analyzers, {})

    @property
    def settings(self) -> dict[str, Any]:
        """What the results depend on, in JSON's own types: the options, defaults filled in."""
        return {
            "actions": [
                f"{_name_of(action)} {analyzer.digest}".strip()
                for action, analyzer in zip(self.options.chosen, self._analyzers, strict=True)
            ],
            "detector": _name_of(self.options.detector),
            **asdict(resolve_search(self._detector, self.options.search)),
            "labels": {name: list(members) for name, members in self.options.groups.items()},
            "min_confidence": self.options.min_confidence,
            "features": self.options.features,
            "color": self.options.color,
            "gallery": None if self._gallery is None else repr(self._gallery),
            "engine": type(self._engine).__name__,
            "precision": self._engine.precision,
        }

    @property
    def refresh(self) -> dict[str, float]:
        """Name of each attribute that is read, to its analyzer's `refresh` in seconds."""
        return {analyzer.attribute: analyzer.refresh for analyzer in self._analyzers}

    @explained
    def read(
        self,
        image: ImageSource,
        detections: Sequence[Detection],
        attributes: Collection[str] | None = None,
        *,
        identify: bool = True,
    ) -> list[Face]:
        """Return these faces of an image with their attributes, in the same order.

        Args:
            image: As in `load_image`.
            detections: The faces.
            attributes: Names of the attributes to read; None for all.
            identify: Name faces by the gallery, if there is one, rather than give descriptors.

        Raises:
            ImageError: The image cannot be read.
            PluginError: An analyzer fails.
        """
        loaded = self._load()
        pixels = self._read_image(image)
        complete = loaded.landmarks.complete(pixels, detections)
        return self._read_faces(loaded, [pixels], [complete], attributes, identify=identify)[0]

    @explained
    def identify(self, attributes: Sequence[dict[str, Attribute]]) -> list[dict[str, Attribute]]:
        """Return the attributes of faces with names from the gallery instead of descriptors.

        Args:
            attributes: Those of each face; without a gallery they are returned as they are.
        """
        read = [own.get(IDENTITY) for own in attributes]
        descriptors = [one for one in read if isinstance(one, Descriptor)]
        if self._gallery is None or not descriptors:
            return list(attributes)
        found = iter(self._gallery.identify(descriptors))
        return [
            {**own, IDENTITY: next(found)} if isinstance(one, Descriptor) else own
            for own, one in zip(attributes, read, strict=True)
        ]

    @overload
    def analyze_many(
        self, images: Iterable[ImageSource], *, errors: Literal["raise"] = "raise"
    ) -> list[list[Face]]: ...

    @overload
    def analyze_many(
        self, images: Iterable[ImageSource], *, errors: str
    ) -> list[list[Face] | FaceattrError]: ...

    def analyze_many(
        self, images: Iterable[ImageSource], *, errors: str = "raise"
    ) -> list[list[Face]] | list[list[Face] | FaceattrError]:
        """Return the faces of each image, in the order of the images.

        Args:
            images: May be longer than memory; they are read as they are needed.
            errors: ``"raise"`` the first error, or ``"report"`` it in the image's place.

        Raises:
            OptionError: ``errors`` is another word, or ``images`` is a single image.
            ImageError: An image cannot be read, and errors are to be raised.
        """
        if not (isinstance(errors, str) and errors in ("raise", "report")):
            raise OptionError(f"errors is {errors!r}; it can be 'raise' or 'report'")
        found: list[list[Face] | FaceattrError] = []
        for result in self.analyze_each(images):
            if result.error is not None and errors == "raise":
                raise result.error
            found.append(result.error or result.faces)
        return found

    def analyze_each(self, images: Iterable[ImageSource]) -> Iterator[ImageResult]:
        """Yield one result per image, in the order of the images.

        Raises:
            OptionError: ``images`` is a single image.
        """
        require_many(images, "analyze()")
        self._load()
        return self._analyze_each(images)

    def _analyze_each(self, images: Iterable[ImageSource]) -> Iterator[ImageResult]:
        for batch in _batches(self._begin_result(image) for image in images):
            yield from self._analyze_batch(batch)

    def _begin_result(self, source: ImageSource) -> ImageResult:
        """Return a result with the image, or with the error of reading it."""
        name = describe_source(source)
        try:
            image = self._read_image(source)
        except FaceattrError as error:
            return ImageResult(name, error=error)
        return ImageResult(name, image, width=image.shape[1], height=image.shape[0])

    def _read_image(self, source: ImageSource) -> BGRImage:
        return load_image(source, color=self.options.color)

    def _analyze_batch(self, batch: Sequence[ImageResult]) -> list[ImageResult]:
        """Add the faces to the images that could be read; if one fails, do them one by one."""
        readable = [result.image for result in batch if result.image is not None]
        if not readable:
            return list(batch)
        try:
            faces = iter(self._analyze(readable))
        except FaceattrError as error:
            if len(batch) == 1:
                return [replace(batch[0], error=error)]
            return [done for result in batch for done in self._analyze_batch([result])]
        return [
            result if result.image is None else replace(result, faces=next(faces))
            for result in batch
        ]

    def _load(self) -> _Loaded:
        """Return what this process has loaded; load it first if need be."""
        if self._process_id != os.getpid():  # a thread of the parent may have held the lock
            self._lock, self._process_id = threading.Lock(), os.getpid()
        loaded = self._loaded
        if loaded is not None and loaded.process_id == self._process_id:
            return loaded
        with self._lock:
            loaded = self._loaded
            if loaded is None or loaded.process_id != self._process_id:
                loaded = self._loaded = self._load_all()
        return loaded

    def _load_all(self) -> _Loaded:
        logger.info(
            "engine %s, precision %s, threads: %s",
            *(type(self._engine).__name__.removesuffix("Engine"), self._engine.precision),
            self._engine.threads or "as many as are fast",
        )
        name = _name_of(self.options.detector)
        with _timed(f"detector {name}, threshold {self.threshold:.3g}"):
            detector = LoadedDetector(self._detector, self._engine, self.options.search)
        analyzers = []
        for action, analyzer in zip(self.options.chosen, self._analyzers, strict=True):
            with _timed(f"analyzer {_name_of(action)}"):
                analyzers.append(LoadedAnalyzer(analyzer, self._engine, self.options.groups))
        return _Loaded(detector, analyzers, LandmarkFinder(self._engine), self._process_id)

    def _analyze(self, images: Sequence[BGRImage]) -> list[list[Face]]:
        loaded = self._load()
        begun = time.perf_counter()
        found = [self._detect(loaded, image) for image in images]
        detected = time.perf_counter()
        faces = self._read_faces(loaded, images, found)
        logger.debug(
            "%d images: %d faces detected in %.3f s, read in %.3f s",
            *(len(images), sum(map(len, found)), detected - begun, time.perf_counter() - detected),
        )
        return faces

    def _detect(
        self, loaded: _Loaded, image: BGRImage, threshold: float | None = None
    ) -> list[Detection]:
        return loaded.landmarks.complete(image, loaded.detector.detect(image, threshold=threshold))

    def _read_faces(
        self,
        loaded: _Loaded,
        images: Sequence[BGRImage],
        found: Sequence[Sequence[Detection]],
        attributes: Collection[str] | None = None,
        *,
        identify: bool = True,
    ) -> list[list[Face]]:
        """Return the faces of each image with their attributes."""
        asked = [
            one for one in loaded.analyzers if attributes is None or one.attribute in attributes
        ]
        pairs = [
            (image, face) for image, there in zip(images, found, strict=True) for face in there
        ]

        def cut(spec: CropSpec, rows: slice) -> CropBatch:
            chosen = pairs[rows]
            return crop_batch([image for image, _ in chosen], [[face] for _, face in chosen], spec)

        read = self._read(asked, len(pairs), cut)
        if identify:
            named = self.identify([reading.attributes for reading in read])
            read = [one._replace(attributes=own) for one, own in zip(read, named, strict=True)]
        readings = iter(read)
        return [
            [self._to_face(detection, next(readings)) for detection in detections]
            for detections in found
        ]

    def _read(
        self,
        analyzers: Sequence[LoadedAnalyzer],
        num_faces: int,
        cut: Callable[[CropSpec, slice], CropBatch],
    ) -> list[_Reading]:
        """Return what the analyzers read off each face, in the order of the analyzers.

        Args:
            analyzers: Those to run.
            num_faces: Number of faces.
            cut: Returns the crops of some of the faces in one form.
        """
        specs = forms_of(*analyzers)
        readings = [_Reading({}, {}) for _ in range(num_faces)]
        size = _batch_size(specs)
        for start in range(0, num_faces, size):
            rows = slice(start, start + size)
            batches = {spec: cut(spec, rows) for spec in specs}
            for analyzer in analyzers:
                attributes = analyzer.read(batch_for(analyzer, batches))
                for reading, attribute in zip(readings[rows], attributes, strict=True):
                    reading.attributes[analyzer.attribute] = attribute
            for batch in batches.values() if self.options.features else ():
                for name, features in batch.known_features.items():
                    for reading, own in zip(readings[rows], features, strict=True):
                        reading.features[name] = own
        return readings

    def _to_face(self, detection: Detection, reading: _Reading) -> Face:
        return Face(
            detection.bbox,
            detection.confidence,
            detection.landmarks,
            reading.attributes,
            uncertain=uncertain_of(reading.attributes, self.options.min_confidence),
            features=reading.features,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_options, (self.options,)

    def __repr__(self) -> str:
        actions = list(map(_name_of, self.options.chosen))
        name = _name_of(self.options.detector)
        state = "loaded" if self._loaded else "not loaded"
        return f"<Pipeline {actions} detector={name!r} {self._engine!r} {state}>"


def _check_gallery(gallery: object, analyzers: Sequence[Analyzer]) -> Gallery | None:
    """Return the gallery, if it can name what the analyzers read.

    Raises:
        OptionError: It is something else, or no analyzer reads the identity.
    """
    if gallery is None:
        return None
    if not hasattr(gallery, "identify"):
        raise OptionError(
            f"gallery is {gallery!r:.100}; give a Gallery here: Gallery.open({gallery!r:.100})"
        )
    if IDENTITY not in [analyzer.attribute for analyzer in analyzers]:
        raise OptionError("a gallery names what the action 'identity' reads; add that action")
    return cast("Gallery", gallery)


class _Loaded(NamedTuple):
    """What a pipeline has loaded in one process."""

    detector: LoadedDetector
    analyzers: list[LoadedAnalyzer]
    landmarks: LandmarkFinder
    process_id: int


class _Reading(NamedTuple):
    """What was read off one face."""

    attributes: dict[str, Attribute]
    features: dict[str, Features]


def _batch_size(specs: Sequence[CropSpec]) -> int:
    """Return how many faces are read at once: `CROP_PIXELS` in the mean of their forms."""
    num_pixels = sum(math.prod(spec.size) for spec in specs)
    return max(CROP_PIXELS * len(specs) // max(num_pixels, 1), 1)


def uncertain_of(attributes: Mapping[str, Attribute], min_confidence: float) -> frozenset[str]:
    """Return the names of the classifications below a confidence, in [0, 1]."""
    return frozenset(
        name
        for name, attribute in attributes.items()
        if isinstance(attribute, Classification) and not attribute.is_certain(min_confidence)
    )


def require_many(images: object, single: str) -> None:
    """Refuse one image where several are expected: iterating over it would take it apart.

    Args:
        images: What was given.
        single: Call that takes one image, for the message.

    Raises:
        OptionError: It is a single image, or cannot be iterated over.
    """
    if is_single_image(images) or not isinstance(images, Iterable):
        advice = (
            f"use {single} for one, pass a list, or list the images of a folder with find_images()"
        )
        if isinstance(images, str | os.PathLike):
            path = os.fspath(images)
            if os.path.isdir(path) or (glob.has_magic(path) and not os.path.exists(path)):
                advice = f"list those that it stands for: find_images({path!r})"
        raise OptionError(f"{describe_source(images)} is not several images; {advice}")


def _find_analyzers(actions: Sequence[str | Analyzer]) -> list[Analyzer]:
    """Return the analyzers of these names, at most one of each attribute."""
    found: dict[str, tuple[str, Analyzer]] = {}
    for action in actions:
        if isinstance(action, str):
            name, analyzer = action, registered_analyzers.create(action)
        else:
            name, analyzer = type(action).__name__, action
        check_declaration(analyzer, name)
        require_open(analyzer, name, _analyzers_of(analyzer.attribute))
        other, known = found.setdefault(analyzer.attribute, (name, analyzer))
        if known is not analyzer:
            raise OptionError(
                f"{other!r} and {name!r} both read the attribute {analyzer.attribute!r}; "
                "choose one of them"
            )
    return [analyzer for _, analyzer in found.values()]


def _analyzers_of(attribute: str) -> Iterator[tuple[str, type[Analyzer]]]:
    for name, analyzer in registered_analyzers.load_all():
        if getattr(analyzer, "attribute", None) == attribute:
            yield name, analyzer


def _name_of(plugin: str | Analyzer | Detector) -> str:
    return plugin if isinstance(plugin, str) else type(plugin).__name__


def _find_detector(detector: str | Detector) -> Detector:
    if isinstance(detector, str):
        found = registered_detectors.create(detector)
        require_open(found, detector, registered_detectors.load_all())
        return found
    if isinstance(detector, type):
        raise OptionError(f"{detector.__name__} is a class; give an object: {detector.__name__}()")
    name = type(detector).__name__
    check_api_version(detector, name)
    if not isinstance(detector, Detector):
        raise OptionError(f"detector is {detector!r}; give the name of a detector, or a Detector")
    require_open(detector, name, registered_detectors.load_all())
    return detector


@contextmanager
def _timed(what: str) -> Iterator[None]:
    """Log that something was loaded, and how long that took."""
    begun = time.perf_counter()
    yield
    logger.info("%s, loaded in %.2f s", what, time.perf_counter() - begun)


def _batches(results: Iterable[ImageResult]) -> Iterator[list[ImageResult]]:
    """Group the images that fit into memory together."""
    batch: list[ImageResult] = []
    for result in results:
        batch.append(result)
        num_pixels = sum(one.image.size // 3 for one in batch if one.image is not None)
        if len(batch) == BATCH_IMAGES or num_pixels >= BATCH_PIXELS:
            yield batch
            batch = []
    if batch:
        yield batch
