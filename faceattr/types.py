"""The values that flow through faceattr: images, frames, detections, crops, attributes, faces."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import describe_value, explained
from faceattr.errors import (
    OptionError,
    PluginError,
    UnknownAttributeError,
    UnknownNameError,
    describe_unknown,
)
from faceattr.images import ChannelOrder, ImageSource, load_image
from faceattr.notebook import NUM_BARS, Line, to_table

if TYPE_CHECKING:
    from faceattr.alignment import CropSpec

BGRImage: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) image in BGR order."""

Crops: TypeAlias = NDArray[np.uint8]
"""(N, H, W, C) aligned face crops, one row per face."""

Features: TypeAlias = NDArray[np.float32]
"""(N, …) features that a trunk computes from crops, one row per face."""

BBox: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

Landmarks: TypeAlias = NDArray[np.float32]
"""(5, 2) x and y in pixels: left eye, right eye, nose tip, left and right mouth corner.

Left and right are the viewer's.
"""

TOLERANCE = 1e-3  # half precision may move a probability or the length of a vector by that
SCORE_DIGITS, PIXEL_DIGITS = 5, 2  # decimals of probabilities and pixels in `to_dict`
NUM_SHOWN = 3  # labels in the repr of a classification


@dataclass(frozen=True, slots=True)
class Frame:
    """An image of a stream.

    Attributes:
        image: (H, W, 3) BGR uint8.
        index: Number in the source, from 0; numbers are missing where frames were dropped.
        timestamp: Seconds since the source began; never less than that of the frame before.
    """

    image: BGRImage = field(compare=False)
    index: int
    timestamp: float

    def __repr__(self) -> str:
        size = "×".join(str(side) for side in getattr(self.image, "shape", ())[1::-1])
        return f"Frame({self.index} at {_in_short(self.timestamp, '.3f')} s, {size} pixels)"


@runtime_checkable
class Located(Protocol):
    """What alignment needs to know about a face; `Detection` and `Face` have both."""

    @property
    def bbox(self) -> BBox:
        """x1, y1, x2, y2 in pixels of the image."""

    @property
    def landmarks(self) -> Landmarks | None:
        """(5, 2) pixels as in `Landmarks`, or None."""


class _Boxed:
    """What follows from a face's box: its size, and the part of the image that it shows."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def bbox(self) -> BBox: ...

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.bbox[2] - self.bbox[0])

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return float(self.bbox[3] - self.bbox[1])

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.width * self.height

    @explained
    def crop(
        self, image: ImageSource, *, margin: float = 0.0, color: ChannelOrder = "bgr"
    ) -> BGRImage:
        """Return the part of an image that the box shows, as far as it lies inside.

        Args:
            image: As in `load_image`; the one in which the face was found.
            margin: Space added on each side of the box, as a share of its longer side.
            color: As in `load_image`.

        Returns:
            (H, W, 3) BGR uint8, a copy of at least one pixel.

        Raises:
            ImageError: The image cannot be read.
            OptionError: The box lies outside the image, or the margin is out of range.
        """
        if not 0 <= margin < math.inf:
            raise OptionError(f"margin is {margin!r}; it must be at least 0")
        pixels = load_image(image, color=color)
        space = margin * max(self.width, self.height)
        x1, y1, x2, y2 = self.bbox
        columns = _inside(x1 - space, x2 + space, pixels.shape[1])
        rows = _inside(y1 - space, y2 + space, pixels.shape[0])
        if not (columns and rows):
            raise OptionError(
                f"the box {_corners(self.bbox)} lies outside the image of {pixels.shape[1]} x "
                f"{pixels.shape[0]} pixels; give the image in which the face was found"
            )
        return pixels[rows.start : rows.stop, columns.start : columns.stop].copy()


def _inside(low: float, high: float, size: int) -> range:
    """Return the pixels from low to high that are among the first `size`, at least one if any."""
    if high < 0 or low >= size:
        return range(0)
    first = math.floor(max(low, 0.0))
    return range(first, max(math.ceil(min(high, size)), first + 1))


@dataclass(frozen=True, slots=True)
class Detection(_Boxed):
    """A face that a detector has found.

    Attributes:
        bbox: x1, y1, x2, y2 in pixels of the image given to the detector.
        confidence: Confidence of the detector, in [0, 1].
        landmarks: (5, 2) pixels as in `Landmarks`, or None if the detector gives none.
    """

    bbox: BBox
    confidence: float
    landmarks: Landmarks | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the detection in JSON's own types, rounded as `Face.to_dict` rounds."""
        return _describe_box(self.bbox, self.confidence, self.landmarks)

    def __repr__(self) -> str:
        return f"Detection({_corners(self.bbox)} {_in_short(self.confidence, '.0%')})"


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """How a face lies in its crop.

    Attributes:
        landmarks: (5, 2) pixels of the crop as in `Landmarks`, or None if they are not known.
        scale: Crop pixels per image pixel, the larger of both axes where a crop is stretched.
    """

    landmarks: Landmarks | None = field(default=None, compare=False)
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Trunk:
    """Layers that several analyzers have in common.

    Trunks with the same `run` are one: `Engine.compile` returns one function for networks whose
    weights are the same bytes, so heads share a trunk without knowing of each other.

    Attributes:
        name: Under which its features are reported in `Face.features`.
        run: Maps (N, H, W, C) uint8 crops to (N, …) float32 features.
    """

    name: str
    run: Callable[[Crops], Features]


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """The crops of several faces, all in one form, and what was computed from them.

    Attributes:
        crops: (N, H, W, C) uint8, N ≥ 1; not to be written to, as other analyzers read them too.
        geometry: How each face lies in its crop.
    """

    crops: Crops
    geometry: Sequence[CropGeometry]
    _features: dict[Trunk, Features] = field(default_factory=dict, repr=False)
    _forms: Mapping[CropSpec, CropBatch] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: slice) -> CropBatch:
        """Return some of the faces, nothing computed from them yet."""
        forms = {spec: batch[rows] for spec, batch in self._forms.items()}
        return CropBatch(self.crops[rows], self.geometry[rows], _forms=forms)

    def in_form(self, spec: CropSpec) -> CropBatch:
        """Return the same faces in another form; what is computed from them is kept there too.

        Args:
            spec: One of the forms that the analyzer declares: `Analyzer.crop` or one of
                `Analyzer.more_crops`.

        Raises:
            PluginError: The analyzer does not declare it.
        """
        if spec not in self._forms:
            raise PluginError(
                f"an analyzer asks for its faces in the form {spec}, which it does not declare; "
                "list it in `more_crops`"
            )
        return self._forms[spec]

    def with_forms(self, forms: Mapping[CropSpec, CropBatch]) -> CropBatch:
        """Return the batch, from which `in_form` reaches the same faces in these forms."""
        return replace(self, _forms=forms)

    def features(self, trunk: Trunk) -> Features:
        """Return (N, …) features of the crops; a trunk runs once, however many heads ask.

        Raises:
            PluginError: The trunk gives another number of rows.
        """
        known = next((known for known in self._features if known.run is trunk.run), trunk)
        if known not in self._features:
            features = known.run(self.crops)
            if len(features) != len(self):
                raise PluginError(
                    f"trunk {known.name!r} gave {len(features)} features for {len(self)} faces"
                )
            self._features[known] = features
        return self._features[known]

    @property
    def known_features(self) -> dict[str, Features]:
        """The features computed so far, by the name of their trunk."""
        return {trunk.name: features for trunk, features in self._features.items()}


@dataclass(frozen=True, slots=True)
class Classification:
    """Which of several classes a face belongs to.

    Attributes:
        scores: Probability of each label, in [0, 1], in the order of the model's output.
    """

    scores: Mapping[str, float]

    @property
    def label(self) -> str:
        """The most probable label."""
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability of the most probable label, in [0, 1]."""
        return max(self.scores.values())

    @explained
    def is_certain(self, threshold: float) -> bool:
        """Return whether the confidence is at least the threshold, in [0, 1]."""
        return self.confidence >= threshold

    @explained
    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the most probable labels with their probabilities, the most probable first.

        Args:
            count: How many; all labels if there are fewer.

        Raises:
            OptionError: The count is negative.
        """
        if count < 0:
            raise OptionError(f"count is {count}; it must be at least 0")
        ranked = sorted(self.scores.items(), key=lambda pair: pair[1], reverse=True)
        return ranked[:count]

    def to_dict(self) -> dict[str, Any]:
        """Return label, confidence and scores in JSON's own types, with 5 decimals."""
        label = self.label
        scores = {name: round(float(score), SCORE_DIGITS) for name, score in self.scores.items()}
        if max(scores, key=scores.__getitem__) != label:  # a tie by rounding
            scores = {name: float(score) for name, score in self.scores.items()}
        return {"label": label, "confidence": scores[label], "scores": scores}

    @explained
    def __getitem__(self, label: str) -> float:
        """Return the probability of a label.

        Raises:
            UnknownNameError: There is no such label; the message suggests the nearest.
        """
        if label not in self.scores:
            raise UnknownNameError(describe_unknown("label", label, list(self.scores)))
        return self.scores[label]

    __iter__ = None  # or Python would count through __getitem__

    def __hash__(self) -> int:
        return hash(frozenset(self.scores.items()))

    def __repr__(self) -> str:
        try:
            parts = [f"{label} {score:.0%}" for label, score in self.top(NUM_SHOWN)]
        except Exception:  # a plugin may have put anything there, and a message shows it
            return f"Classification({describe_value(self.scores)})"
        more = ", …" if len(self.scores) > NUM_SHOWN else ""
        return f"Classification({', '.join(parts)}{more})"

    def __str__(self) -> str:
        return f"{self.label} {self.confidence:.0%}"


UNKNOWN = "unknown"  # who a face is that nobody in a gallery has


@dataclass(frozen=True, slots=True)
class Identification(Classification):
    """Who a face is, among the people of a gallery.

    Attributes:
        scores: Probability of the likeliest people, and of ``"unknown"``.
        score: Normalized score of the likeliest person; that of two different people is about 0.
    """

    score: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return label, confidence, score and candidates in JSON's own types."""
        return {
            "label": self.label,
            "confidence": float(self.confidence),
            "score": _significant(self.score),
            "candidates": {label: float(score) for label, score in self.scores.items()},
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with a unit.

    Attributes:
        value: Expected value.
        unit: Unit of value and std, for example ``"years"``.
        std: Standard deviation in the same unit, if the model gives one.
    """

    value: float
    unit: str
    std: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return value, unit and std in JSON's own types, with 6 significant digits."""
        return {
            "value": _significant(self.value),
            "unit": self.unit,
            "std": None if self.std is None else _significant(self.std),
        }

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        std = "" if self.std is None else f" ± {_in_short(self.std, '.2g')}"
        return f"Estimate({_in_short(self.value, '.4g')}{std} {self.unit})"

    def __str__(self) -> str:
        return f"{self.value:.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A direction in a space in which similar faces lie close together.

    Attributes:
        vector: (D,) float32 of length 1.
        private: Whether tables leave it out, as people can be found again by it.
    """

    vector: NDArray[np.float32] = field(repr=False)
    private: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the vector in JSON's own types, each float32 in the fewest digits it needs."""
        return {"vector": _shortest(self.vector), **({"private": True} if self.private else {})}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descriptor) and np.array_equal(self.vector, other.vector)

    def __hash__(self) -> int:
        return hash(self.vector.tobytes())

    def __repr__(self) -> str:
        return f"Descriptor({np.size(self.vector)} numbers)"

    def __str__(self) -> str:
        return f"{len(self.vector)} numbers"


Attribute: TypeAlias = Classification | Estimate | Descriptor
"""What an analyzer says about one face."""

Form = TypeVar("Form", Classification, Estimate, Descriptor)

UNCERTAIN = "uncertain"  # shown instead of a label below `min_confidence`


@dataclass(frozen=True, slots=True)
class Face(_Boxed):
    """A detected face and what the analyzers read off it.

    Each attribute that was read is an attribute of the face too: ``face.emotion``, ``face.age``.
    Type checkers know those of the built-in analyzers; for others they want
    ``face.classification(name)``, ``face.estimate(name)`` or ``face.descriptor(name)``. Where a
    field or method of `Face` has the same name, ``face[name]`` is the attribute.

    Attributes:
        bbox: x1, y1, x2, y2 in pixels of the original image.
        confidence: Confidence of the detector, in [0, 1].
        landmarks: (5, 2) pixels as in `Landmarks`, or None.
        attributes: Attribute name (``"emotion"``) to what was read.
        track_id: Number of the face's track on a stream, None elsewhere.
        frozen: Name of each attribute that a slow analyzer reads on a stream, to the seconds until
            it may be read again.
        uncertain: Names of the classifications less confident than `min_confidence`.
        features: Name of each trunk that ran to its (…) float32 features, where they were asked
            for with ``features=True``.
    """

    bbox: BBox
    confidence: float
    landmarks: Landmarks | None = field(default=None, compare=False)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    track_id: int | None = None
    frozen: Mapping[str, float] = field(default_factory=dict)
    uncertain: frozenset[str] = frozenset()
    features: Mapping[str, Features] = field(default_factory=dict, compare=False, repr=False)

    if TYPE_CHECKING:

        @property
        def emotion(self) -> Classification:
            """What `emotion` or `emotion-cnn` read."""

        @property
        def age(self) -> Estimate:
            """What `age` or `age-vgg` read."""

        @property
        def gender(self) -> Classification:
            """What `gender` or `gender-vgg` read."""

        @property
        def race(self) -> Classification:
            """What `race-vgg` read."""

    else:  # for type checkers, every name would exist

        def __getattr__(self, name: str) -> Attribute:
            if name.startswith("_") or name in Face.__slots__:  # not there before unpickling
                raise AttributeError(f"a Face has no {name!r}")
            if name in self.attributes:
                return self.attributes[name]
            raise _unknown_attribute(self, name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.attributes]

    @explained
    def __getitem__(self, name: str) -> Attribute:
        """Return the attribute of that name.

        Raises:
            UnknownAttributeError: It was not read.
        """
        return _named(self.attributes, name)

    __iter__ = None  # or Python would count through __getitem__

    def __hash__(self) -> int:
        return hash((tuple(self.bbox), self.confidence, self.track_id))

    def __repr__(self) -> str:
        track = "" if self.track_id is None else f"#{self.track_id} "
        box = f"{track}{_corners(self.bbox)} {_in_short(self.confidence, '.0%')}"
        try:
            read = [f"{name} {self.text(name)}" for name in self.attributes]
        except Exception:  # a plugin may have put anything there, and a message shows it
            read = [describe_value(self.attributes)]
        return f"Face({', '.join([box, *read])})"

    @explained
    def classification(self, name: str) -> Classification:
        """Return the attribute of that name, which is a classification.

        Raises:
            UnknownNameError: It was not read.
            OptionError: It has another form.
        """
        return _in_form(self.attributes, name, Classification)

    @explained
    def estimate(self, name: str) -> Estimate:
        """Return the attribute of that name, which is an estimate.

        Raises:
            UnknownNameError: It was not read.
            OptionError: It has another form.
        """
        return _in_form(self.attributes, name, Estimate)

    @explained
    def descriptor(self, name: str) -> Descriptor:
        """Return the attribute of that name, which is a descriptor.

        Raises:
            UnknownNameError: It was not read.
            OptionError: It has another form.
        """
        return _in_form(self.attributes, name, Descriptor)

    @explained
    def text(self, name: str) -> str:
        """Return an attribute in words: ``"happy 93%"``, ``"31 years"`` or ``"uncertain"``.

        Raises:
            UnknownNameError: It was not read.
        """
        if name in self.uncertain:
            return UNCERTAIN
        return str(_named(self.attributes, name))

    def to_dict(self) -> dict[str, Any]:
        """Return the face in JSON's own types, from which `from_dict` makes it again.

        Probabilities have 5 decimals, pixels 2, estimates 6 significant digits, seconds 3
        decimals. The label of an uncertain attribute is None.
        """
        attributes = {name: attribute.to_dict() for name, attribute in self.attributes.items()}
        for name in self.uncertain & attributes.keys():
            attributes[name]["label"] = None
        described = _describe_box(self.bbox, self.confidence, self.landmarks)
        described |= {
            "attributes": attributes,
            "track_id": self.track_id,
            "frozen": {name: round(float(left), 3) for name, left in self.frozen.items()},
        }
        if self.features:
            described["features"] = {name: _shortest(own) for name, own in self.features.items()}
        return described

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Face:
        """Return the face that `to_dict` described; other keys than its own are ignored.

        Raises:
            OptionError: A value is missing, or cannot be one of a face; the message names it.
        """
        described = _to_mapping(described, "a face")
        landmarks = described.get("landmarks")
        read = _to_mapping(described.get("attributes", {}), "attributes")
        frozen = _to_mapping(described.get("frozen", {}), "frozen")
        features = _to_mapping(described.get("features", {}), "features")
        return cls(
            _to_bbox(_entry(described, "bbox", "a face")),
            _to_probability(_entry(described, "confidence", "a face"), "confidence"),
            None if landmarks is None else _to_array(landmarks, "landmarks", shape=(5, 2)),
            {name: _to_attribute(own, name) for name, own in read.items()},
            _to_track_id(described.get("track_id")),
            {name: _to_number(left, f"frozen {name!r}") for name, left in frozen.items()},
            frozenset(name for name, own in read.items() if own.get("label", "") is None),
            {name: _to_array(own, f"features {name!r}") for name, own in features.items()},
        )

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows: what was read, with a bar for each score."""
        return to_html(self)


def _in_form(attributes: Mapping[str, Attribute], name: str, form: type[Form]) -> Form:
    attribute = _named(attributes, name)
    if not isinstance(attribute, form):
        own = type(attribute).__name__
        raise OptionError(f"{name!r} is not a {form.__name__}; call face.{own.lower()}({name!r})")
    return attribute


def _named(attributes: Mapping[str, Attribute], name: str) -> Attribute:
    if name not in attributes:
        raise UnknownAttributeError(describe_unknown("attribute", name, list(attributes)))
    return attributes[name]


def _unknown_attribute(face: Face, name: str) -> UnknownAttributeError:
    """Return an error that says what a face has instead of that attribute."""
    nearest = difflib.get_close_matches(name, dir(face), n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    known = ", ".join(face.attributes) or "nothing"
    error = UnknownAttributeError(
        f"a Face has no {name!r}; {hint}read were: {known}; `actions` says what to read"
    )
    error.name = name  # or Python would add a suggestion of its own
    return error


def to_html(face: Face, image: BGRImage | None = None) -> str:
    """Return a face as a notebook shows it: what was read, with a bar for each score.

    Args:
        face: The face.
        image: The image in which it was found, for a thumbnail.
    """
    lines: list[Line] = []
    for name, attribute in face.attributes.items():
        if name in face.uncertain or not isinstance(attribute, Classification):
            lines.append(Line(name, face.text(name)))
            name = ""
        if isinstance(attribute, Classification):
            for label, score in attribute.top(NUM_BARS):
                lines.append(Line(name, f"{label} {score:.0%}", float(score)))
                name = ""
    track = "" if face.track_id is None else f"#{face.track_id} "
    title = f"{track}{_corners(face.bbox)}, {face.confidence:.0%}"
    thumbnail = None
    if image is not None:
        with suppress(OptionError):  # the face lies outside the image
            thumbnail = face.crop(image, margin=0.1)
    return to_table(title, lines, thumbnail)


# Numbers in few digits


def _describe_box(bbox: BBox, confidence: float, landmarks: Landmarks | None) -> dict[str, Any]:
    return {
        "bbox": [round(float(value), PIXEL_DIGITS) for value in bbox],
        "confidence": round(float(confidence), SCORE_DIGITS),
        "landmarks": None
        if landmarks is None
        else [[round(x, PIXEL_DIGITS), round(y, PIXEL_DIGITS)] for x, y in landmarks.tolist()],
    }


def _significant(value: float) -> float:
    return float(f"{value:.6g}")


def _shortest(array: NDArray[np.floating]) -> Any:
    """Return nested lists with as few digits as tell numbers of this precision apart."""
    return array.astype(str).astype(np.float64).tolist()


def _in_short(value: object, form: str) -> str:
    """Return a number in a format; a message may show something else instead of it."""
    try:
        return format(float(value), form)  # type: ignore[arg-type]  # refused here
    except (TypeError, ValueError, OverflowError):
        return describe_value(value)


def _corners(bbox: BBox) -> str:
    try:
        return f"({', '.join(_in_short(value, '.0f') for value in bbox)})"
    except TypeError:
        return describe_value(bbox)


# Values from JSON


def _entry(described: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in described:
        raise OptionError(f"{what} has no {key!r}; its keys are {describe_value(list(described))}")
    return described[key]


def _to_mapping(value: object, what: str) -> Mapping[str, Any]:
    if not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise OptionError(
            f"{what}: {describe_value(value)}; it must be a mapping with names as keys, as "
            "Face.to_dict() returns it"
        )
    return value


def _to_number(value: object, what: str) -> float:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise OptionError(f"{what} is {describe_value(value)}; it must be a finite number")
    return number


def _to_probability(value: object, what: str) -> float:
    number = _to_number(value, what)
    if not -TOLERANCE <= number <= 1 + TOLERANCE:
        raise OptionError(f"{what} is {number:g}; it must be in [0, 1]")
    return number


def _to_bbox(value: object) -> BBox:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    corners = list(value) if isinstance(value, Sequence) else []
    if len(corners) != 4:
        raise OptionError(f"bbox is {describe_value(value)}; it must be x1, y1, x2, y2")
    x1, y1, x2, y2 = (_to_number(corner, "a corner of bbox") for corner in corners)
    return x1, y1, x2, y2


def _to_track_id(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise OptionError(f"track_id is {describe_value(value)}; it must be a whole number or None")
    return int(value)


def _to_array(
    value: object, what: str, *, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    """Return nested lists as an array of finite numbers."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RecursionError):  # not all rows are as long
        array = np.empty((), object)
    if array.dtype.kind in "iuf" and array.ndim and array.shape == (shape or array.shape):
        with np.errstate(over="ignore"):
            numbers = array.astype(np.float32)
        if np.isfinite(numbers).all():
            return numbers
    form = " × ".join(map(str, shape)) + " " if shape else ""
    raise OptionError(f"{what}: {describe_value(value)}; it must be a list of {form}finite numbers")


def _to_attribute(value: object, name: str) -> Attribute:
    """Return an attribute from what its own `to_dict` returned."""
    what = f"attribute {name!r}"
    described = _to_mapping(value, what)
    key = "candidates" if "candidates" in described else "scores"
    if key in described:
        scores = {
            label: _to_probability(score, f"score {label!r} of {what}")
            for label, score in _to_mapping(described[key], f"{key} of {what}").items()
        }
        label = described.get("label")
        if not scores or not (label is None or (isinstance(label, str) and label in scores)):
            raise OptionError(
                f"{what}: the label {describe_value(label)} is not among the labels of its {key}, "
                f"{describe_value(list(scores))}"
            )
        if key == "candidates":
            score = _to_number(_entry(described, "score", what), f"score of {what}")
            return Identification(scores, score)
        return Classification(scores)
    if "vector" in described:
        vector = _to_array(described["vector"], f"vector of {what}")
        if vector.ndim != 1:
            raise OptionError(f"vector of {what} has {vector.ndim} dimensions; it must have one")
        return Descriptor(vector, private=described.get("private") is True)
    unit, std = _entry(described, "unit", what), described.get("std")
    if not isinstance(unit, str):
        raise OptionError(f"unit of {what} is {describe_value(unit)}; it must be text")
    return Estimate(
        _to_number(_entry(described, "value", what), f"value of {what}"),
        unit,
        None if std is None else _to_number(std, f"std of {what}"),
    )
