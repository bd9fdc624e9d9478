"""What a server has loaded, and what it reads off a picture for a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from faceattr.drawing import annotate
from faceattr.errors import FaceattrError, OptionError, UnknownNameError, describe_unknown
from faceattr.forms import Labels
from faceattr.images import load_image
from faceattr.labels import Groups, check_groups, narrow, to_groups
from faceattr.options import DrawOptions, PipelineOptions, SearchOptions
from faceattr.pipeline import IDENTITY, Pipeline, uncertain_of
from faceattr.recognition.faces import READER
from faceattr.recognition.gallery import Candidate, Gallery, with_gallery
from faceattr.recognition.verification import Match, compare
from faceattr.results import encode_image
from faceattr.serving.errors import RequestError, to_request_error
from faceattr.types import BGRImage, Classification, Detection, Face, Identification

PIXELS = 1_000_000  # in a megapixel
JPEG = ".jpg"


class Picture(NamedTuple):
    """An encoded picture of a request, and its name."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """What a request wants to know, checked against what was loaded.

    Attributes:
        attributes: Names of the attributes to read; empty to find faces only.
        detector: Name of the detector.
        threshold: Smallest confidence of a face, in [0, 1]; None for the server's own.
        max_faces: Keep at most this many faces; None for the server's own limit.
        groups: New labels with those that they merge; empty for the server's own.
        min_confidence: Labels less confident are uncertain; None for the server's own.
        annotated: Whether to draw the faces.
    """

    attributes: tuple[str, ...]
    detector: str
    threshold: float | None = None
    max_faces: int | None = None
    groups: Groups | None = None
    min_confidence: float | None = None
    annotated: bool = False


class Reading(NamedTuple):
    """What became of a picture: its faces, or an error."""

    name: str
    width: int = 0
    height: int = 0
    faces: Sequence[Face] = ()
    annotated: bytes | None = None
    error: RequestError | None = None


class Reader:
    """Pipelines that all requests share: one that reads, and one for each further detector.

    Args:
        options: What to load.
        detectors: Names of further detectors.
        max_megapixels: Largest picture.

    Raises:
        FaceattrError: An option is wrong, or the gallery cannot be opened.
    """

    def __init__(
        self, options: PipelineOptions, *, detectors: Sequence[str] = (), max_megapixels: float
    ) -> None:
        options = with_gallery(options)
        self.options = options
        self.max_pixels = int(max_megapixels * PIXELS)
        self.pipeline = Pipeline.from_options(options)
        self.detector = str(self.pipeline.settings["detector"])
        self._detecting = {self.detector: self.pipeline}
        for name in detectors:
            own = replace(options, actions=(), labels=None, gallery=None, detector=name)
            self._detecting.setdefault(name, Pipeline.from_options(own))
        self.actions = dict(
            zip(self.pipeline.settings["actions"], self.pipeline.refresh, strict=True)
        )
        self.gallery = options.gallery if isinstance(options.gallery, Gallery) else None
        self._identifying: Pipeline | None = None
        if IDENTITY in self.pipeline.refresh:
            own = replace(options, actions=(READER,), labels=None, gallery=None)
            self._identifying = Pipeline.from_options(own)

    @property
    def detectors(self) -> list[str]:
        """Names of the detectors, the usual one first."""
        return list(self._detecting)

    @property
    def identifies(self) -> bool:
        """Whether people can be compared."""
        return self._identifying is not None

    def load(self) -> None:
        """Load everything.

        Raises:
            FaceattrError: The detector or an analyzer cannot be loaded.
        """
        self.pipeline.load()
        for pipeline in self._detecting.values():
            pipeline.load()
        if self._identifying is not None:
            self._identifying.load()

    def close(self) -> None:
        """Release what was loaded."""
        for pipeline in {*self._detecting.values(), *filter(None, [self._identifying])}:
            pipeline.close()

    # Checks of what a request asks for

    def ask(
        self,
        *,
        actions: str | Sequence[str] | None = None,
        detector: str | None = None,
        threshold: float | None = None,
        max_faces: int | None = None,
        labels: str | None = None,
        min_confidence: float | None = None,
        annotated: bool = False,
    ) -> Question:
        """Return the question of a request.

        Raises:
            UnknownNameError: It names what was not loaded; the message suggests the nearest.
            OptionError: An option is out of range, or no attribute has these labels.
        """
        SearchOptions(threshold=threshold, max_faces=max_faces)  # refuses wrong ones
        checked = PipelineOptions(min_confidence=min_confidence or 0.0)
        chosen = self.detector if detector is None else detector
        if chosen not in self._detecting:
            raise UnknownNameError(describe_unknown("detector", chosen, self.detectors))
        attributes = self.attributes_of(actions)
        groups = None if labels is None else to_groups(labels)
        check_groups(
            groups or {},
            {
                name: form.names
                for name, form in self.pipeline.outputs.items()
                if name in attributes and isinstance(form, Labels)
            },
        )
        return Question(
            attributes,
            chosen,
            threshold,
            max_faces,
            groups,
            None if min_confidence is None else checked.min_confidence,
            annotated,
        )

    def attributes_of(self, actions: str | Sequence[str] | None) -> tuple[str, ...]:
        """Return the attributes that actions read; None for all that were loaded.

        Raises:
            UnknownNameError: An action was not loaded.
            OptionError: It is something else than names.
        """
        known = self.actions | {name: name for name in self.pipeline.refresh}
        if actions is None:
            return tuple(self.pipeline.refresh)
        names = PipelineOptions(actions=actions).chosen
        for name in names:
            if not isinstance(name, str):
                raise OptionError(f"actions has {name!r:.100}; give names of analyzers")
            if name not in known:
                raise UnknownNameError(describe_unknown("analyzer", name, list(self.actions)))
        return tuple(dict.fromkeys(known[str(name)] for name in names))

    # Work, which happens on a worker's thread

    def decode(self, data: bytes) -> BGRImage:
        """Return an encoded picture as (H, W, 3) BGR uint8.

        Raises:
            ImageError: It cannot be read, or is too large.
        """
        return load_image(bytes(data), max_pixels=self.max_pixels)

    def read(self, picture: Picture, question: Question) -> Reading:
        """Return the faces of a picture with the attributes that were asked for."""
        try:
            image = self.decode(picture.data)
            faces = self._read(image, question)
            annotated = None
            if question.annotated:
                drawn = annotate(image, faces, DrawOptions())
                annotated = encode_image(drawn, JPEG)
        except FaceattrError as error:
            return Reading(picture.name, error=to_request_error(error, picture.data))
        height, width = image.shape[:2]
        return Reading(picture.name, width, height, faces, annotated)

    def verify(self, first: Picture, second: Picture, odds: float) -> Match:
        """Return whether two pictures show one person, by the most confident face of each.

        Raises:
            RequestError: A picture cannot be read, or shows nobody.
        """
        return compare(self._describe(first), self._describe(second), odds=odds)

    def find(
        self, picture: Picture, *, top: int, odds: float
    ) -> list[tuple[Face, Identification, list[Candidate]]]:
        """Return each face of a picture, who it is, and the people who are most like it.

        Raises:
            RequestError: The picture cannot be read.
        """
        assert self.gallery is not None  # the route is not there without one
        found = []
        for face in self._describe_all(picture):
            (named,) = self.gallery.identify([face], odds=odds)
            found.append((face, named, self.gallery.search(face, top=top, odds=odds)))
        return found

    def _read(self, image: BGRImage, question: Question) -> list[Face]:
        found = self._detect(image, question)
        faces = self.pipeline.read(image, found, question.attributes)
        return [_told(face, question) for face in faces]

    def _detect(self, image: BGRImage, question: Question) -> list[Detection]:
        pipeline = self._detecting[question.detector]
        return pipeline.detect(image, threshold=question.threshold)[: question.max_faces]

    def _describe(self, picture: Picture) -> Face:
        faces = self._describe_all(picture)
        if not faces:
            raise RequestError(422, "no_face", f"{picture.name}: no face was found")
        return faces[0]

    def _describe_all(self, picture: Picture) -> list[Face]:
        assert self._identifying is not None  # the route is not there without it
        try:
            return self._identifying.analyze(self.decode(picture.data))
        except FaceattrError as error:
            answer = to_request_error(error, picture.data)
            raise RequestError(answer.status, answer.code, f"{picture.name}: {answer}") from error


def _told(face: Face, question: Question) -> Face:
    """Return a face with the labels, and the confidence, that a request asked for."""
    attributes = dict(face.attributes)
    if question.groups is not None:
        for name, attribute in attributes.items():
            if type(attribute) is Classification:
                attributes[name] = narrow(attribute, question.groups)
    uncertain = face.uncertain
    if question.min_confidence is not None:
        uncertain = uncertain_of(attributes, question.min_confidence)
    return replace(face, attributes=attributes, uncertain=uncertain)
