"""Images to faces: detect, align, analyze; the faces of many images together."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from faceattr.alignment import (
    CropSpec,
    Placement,
    crop_faces,
    fit_crops,
    fit_placements,
    place_faces,
)
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, HeadAnalyzer, PlacedAnalyzer
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.detectors.landmarks import LandmarkFinder
from faceattr.engines import create_engine
from faceattr.engines.base import Compiled
from faceattr.errors import FaceattrError, OptionError, PluginError
from faceattr.images import ImageSource, describe_source, load_image
from faceattr.labels import LabelChoice, check_groups, narrow, to_groups
from faceattr.types import Attribute, BGRImage, Crops, Detection, Face, Features

BATCH_IMAGES, BATCH_PIXELS = 16, 8_000_000  # of the images that are worked on together
CROP_PIXELS = 4 * 224**2  # of the crops that are read together; more only take memory


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What became of one of many images: its faces, or the error that it met.

    Attributes:
        source: Where the image came from, in words.
        image: (H, W, 3) BGR uint8, or None if it could not be read or is not kept.
        width: Of the image in px, 0 if it could not be read.
        height: Of the image in px, 0 if it could not be read.
        faces: The most confident first; empty if there was an error.
        error: Why there is no answer, or None.
    """

    source: str
    image: BGRImage | None = None
    width: int = 0
    height: int = 0
    faces: list[Face] = field(default_factory=list)
    error: FaceattrError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result in JSON's own types."""
        if self.error is not None:
            return {"source": self.source, "error": str(self.error)}
        return {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
        }


class Pipeline:
    """A detector and analyzers, loaded once and used on any number of images.

    Safe to use from several threads.

    Args:
        actions: Names of analyzers, or analyzers; none of them to detect only. One that
            is named twice counts once.
        detector: Name of a detector, or a detector.
        engine: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"`` or ``"f32"``; None for ``FACEATTR_PRECISION``, else ``"auto"``.
        threads: Processor threads of the networks; None for as many as are fast.
        labels: Labels to keep, their probabilities summing to 1 again, or groups of labels by
            new names; for every classification that has them all. None for all labels.
        min_confidence: Confidence below which a classification has no label, in [0, 1].

    Raises:
        UnknownNameError: A name is in no registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, or an option is out of range.
    """

    def __init__(
        self,
        actions: str | Sequence[str | Analyzer] = ("emotion",),
        *,
        detector: str | Detector = "mtcnn",
        engine: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
        labels: LabelChoice | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise OptionError(f"min_confidence is {min_confidence}; it must lie in [0, 1]")
        self._analyzers = _find_analyzers([actions] if isinstance(actions, str) else actions)
        self._detector = detectors.create(detector) if isinstance(detector, str) else detector
        self._engine = create_engine(engine, precision=precision, threads=threads)
        self._landmarks = LandmarkFinder(self._engine)
        self._groups = {} if labels is None else to_groups(labels)
        self._min_confidence = min_confidence
        self._loaded = False
        self._lock = threading.Lock()

    def load(self) -> None:
        """Make everything ready; else the first image does it.

        Raises:
            OptionError: No classification has all the labels that were asked for.
        """
        with self._lock:
            if not self._loaded:
                with _blaming(self._detector):
                    self._detector.load(self._engine)
                for analyzer in self._analyzers:
                    with _blaming(analyzer):
                        analyzer.load(self._engine)
                if self._groups:
                    (anybody,) = self._read_crops(1, _gray_crop, _unknown, self._analyzers)
                    check_groups(self._groups, anybody)
                self._loaded = True

    def detect(self, image: ImageSource) -> list[Detection]:
        """Return the faces of an image, the most confident first; maybe none.

        Raises:
            ImageError: The image cannot be read.
        """
        self.load()
        return self._detect(load_image(image))

    def analyze(self, image: ImageSource) -> list[Face]:
        """Return the faces of an image and their attributes, the most confident first.

        Raises:
            ImageError: The image cannot be read.
        """
        self.load()
        return self._analyze([load_image(image)])[0]

    def analyze_crops(self, images: Iterable[ImageSource]) -> list[dict[str, Attribute]]:
        """Return the attributes of pictures that are face crops already, none detected.

        Each is resized to the form that an analyzer wants, however it is framed.

        Raises:
            ImageError: An image cannot be read.
        """
        self.load()
        crops = [load_image(image) for image in images]
        faces = self._read_crops(
            len(crops),
            lambda spec: fit_crops(crops, spec),
            lambda spec: fit_placements(crops, spec),
            self._analyzers,
        )
        return self._narrow(faces)

    @property
    def refresh(self) -> dict[str, float]:
        """Name of each attribute that is read, to its analyzer's `refresh` in seconds."""
        return {analyzer.attribute: analyzer.refresh for analyzer in self._analyzers}

    def read(
        self, image: ImageSource, detections: Sequence[Detection], attributes: Collection[str]
    ) -> list[dict[str, Attribute]]:
        """Return these attributes of each of these faces of an image, in their order.

        Raises:
            ImageError: The image cannot be read.
        """
        self.load()
        asked = [analyzer for analyzer in self._analyzers if analyzer.attribute in attributes]
        return self._read_attributes([load_image(image)], [detections], asked)

    def analyze_many(
        self, images: Iterable[ImageSource], *, errors: str = "raise"
    ) -> list[list[Face] | FaceattrError]:
        """Return the faces of each image, in the order of the images.

        Args:
            images: May be longer than memory; they are read as they are needed.
            errors: ``"raise"`` the first error, or ``"report"`` it in the image's place.

        Raises:
            OptionError: ``errors`` is another word.
            ImageError: An image cannot be read, and errors are to be raised.
        """
        if errors not in ("raise", "report"):
            raise OptionError(f"errors is {errors!r}; it can be 'raise' or 'report'")
        answers: list[list[Face] | FaceattrError] = []
        for result in self.analyze_each(images):
            if result.error is not None and errors == "raise":
                raise result.error
            answers.append(result.error or result.faces)
        return answers

    def analyze_each(self, images: Iterable[ImageSource]) -> Iterator[ImageResult]:
        """Yield what became of each image, in the order of the images."""
        self.load()
        for batch in _batches(_read(image) for image in images):
            yield from self._answer(batch)

    def _answer(self, batch: Sequence[ImageResult]) -> list[ImageResult]:
        """Add the faces to the images that could be read."""
        readable = [result.image for result in batch if result.image is not None]
        if not readable:
            return list(batch)
        try:
            faces = iter(self._analyze(readable))
        except FaceattrError as error:
            if len(batch) == 1:
                return [replace(batch[0], error=error)]
            return [answer for result in batch for answer in self._answer([result])]
        return [
            result if result.image is None else replace(result, faces=next(faces))
            for result in batch
        ]

    def _analyze(self, images: Sequence[BGRImage]) -> list[list[Face]]:
        found = [self._detect(image) for image in images]
        readings = iter(self._read_attributes(images, found, self._analyzers))
        return [[_to_face(one, next(readings)) for one in detections] for detections in found]

    def _detect(self, image: BGRImage) -> list[Detection]:
        with _blaming(self._detector):
            found = self._detector.detect(image)
        return self._landmarks.complete(image, found)

    def _read_attributes(
        self,
        images: Sequence[BGRImage],
        found: Sequence[Sequence[Detection]],
        analyzers: Sequence[Analyzer],
    ) -> list[dict[str, Attribute]]:
        """Return the attributes of each face of each image, in one sequence."""

        def cut(spec: CropSpec) -> Crops:
            pairs = zip(images, found, strict=True)
            return np.concatenate([crop_faces(image, faces, spec) for image, faces in pairs])

        def place(spec: CropSpec) -> list[Placement]:
            return [placement for faces in found for placement in place_faces(faces, spec)]

        return self._narrow(self._read_crops(sum(map(len, found)), cut, place, analyzers))

    def _read_crops(
        self,
        num_faces: int,
        cut: Callable[[CropSpec], Crops],
        place: Callable[[CropSpec], Sequence[Placement]],
        analyzers: Sequence[Analyzer],
    ) -> list[dict[str, Attribute]]:
        """Return all that analyzers say of each face, in the order of the analyzers.

        Args:
            num_faces: How many there are.
            cut: Gives the crops of all faces in one form.
            place: Says how they lie in their crops of that form.
            analyzers: Those to ask.
        """
        attributes: list[dict[str, Attribute]] = [{} for _ in range(num_faces)]
        for spec in dict.fromkeys(analyzer.crop for analyzer in analyzers):
            crops = cut(spec)
            readers = [analyzer for analyzer in analyzers if analyzer.crop == spec]
            asks = any(isinstance(reader, PlacedAnalyzer) for reader in readers)
            placements = place(spec) if asks else ()
            size = max(CROP_PIXELS // math.prod(spec.size), 1)
            for start in range(0, len(crops), size):
                batch = slice(start, start + size)
                for name, read in _predict(readers, crops[batch], placements[batch]):
                    for face, attribute in zip(attributes[batch], read, strict=True):
                        face[name] = attribute
        order = [analyzer.attribute for analyzer in analyzers]
        return [{name: face[name] for name in order} for face in attributes]

    def _narrow(self, faces: Iterable[dict[str, Attribute]]) -> list[dict[str, Attribute]]:
        """Return the attributes of each face with the labels that were asked for."""
        return [
            {
                name: narrow(attribute, self._groups, min_confidence=self._min_confidence)
                for name, attribute in face.items()
            }
            for face in faces
        ]


def _find_analyzers(actions: Sequence[str | Analyzer]) -> list[Analyzer]:
    """Return the analyzers of these names, at most one of each attribute."""
    found: dict[str, tuple[str, Analyzer]] = {}
    for action in dict.fromkeys(actions):
        analyzer = analyzers.create(action) if isinstance(action, str) else action
        name = action if isinstance(action, str) else type(action).__name__
        _check_analyzer(analyzer, name)
        other, known = found.setdefault(analyzer.attribute, (name, analyzer))
        if known is not analyzer:
            raise OptionError(
                f"{other!r} and {name!r} both read the attribute {analyzer.attribute!r}; "
                "choose one of them"
            )
    return [analyzer for _, analyzer in found.values()]


def _check_analyzer(analyzer: object, name: str) -> None:
    """Refuse what no pipeline can ask."""
    if isinstance(analyzer, type):
        raise OptionError(f"{analyzer.__name__} is a class; give an object: {analyzer.__name__}()")
    for declared in ("attribute", "crop"):
        if not hasattr(analyzer, declared):
            raise PluginError(f"{name} has no {declared!r}, which an analyzer has to declare")


def _gray_crop(spec: CropSpec) -> Crops:
    """Return one gray crop, to see which labels an analyzer has."""
    return np.full((1, *spec.size, spec.channels), 128, np.uint8)


def _unknown(spec: CropSpec) -> list[Placement]:
    return [Placement()]


def _read(source: ImageSource) -> ImageResult:
    name = describe_source(source)
    try:
        image = load_image(source)
    except FaceattrError as error:
        return ImageResult(name, error=error)
    return ImageResult(name, image, width=image.shape[1], height=image.shape[0])


def _batches(results: Iterable[ImageResult]) -> Iterator[list[ImageResult]]:
    """Group what fits into memory together."""
    batch: list[ImageResult] = []
    for result in results:
        batch.append(result)
        num_pixels = sum(one.image.size // 3 for one in batch if one.image is not None)
        if len(batch) == BATCH_IMAGES or num_pixels >= BATCH_PIXELS:
            yield batch
            batch = []
    if batch:
        yield batch


def _predict(
    analyzers: Sequence[Analyzer], crops: Crops, placements: Sequence[Placement]
) -> Iterator[tuple[str, Sequence[Attribute]]]:
    """Yield what each analyzer reads off the crops; a trunk works once for all its heads."""
    features: dict[Compiled, Features] = {}
    for analyzer in analyzers:
        with _blaming(analyzer):
            if isinstance(analyzer, HeadAnalyzer):
                if analyzer.trunk not in features:
                    features[analyzer.trunk] = analyzer.trunk(crops)
                read = analyzer.predict_from(features[analyzer.trunk])
            elif isinstance(analyzer, PlacedAnalyzer):
                read = analyzer.predict_placed(crops, placements)
            else:
                read = analyzer.predict(crops)
        if len(read) != len(crops):
            raise PluginError(
                f"{type(analyzer).__name__} gave {len(read)} attributes for {len(crops)} crops"
            )
        yield analyzer.attribute, read


def _to_face(detection: Detection, attributes: dict[str, Attribute]) -> Face:
    return Face(detection.bbox, detection.confidence, detection.landmarks, attributes)


@contextmanager
def _blaming(plugin: Detector | Analyzer) -> Iterator[None]:
    """Let an error that is not ours name the plugin that raised it."""
    try:
        yield
    except FaceattrError:
        raise
    except Exception as error:  # a plugin may fail in any way
        name = type(plugin).__name__
        raise PluginError(f"{name} failed: {type(error).__name__}: {error}") from error
