"""The values that flow through faceattr: images, frames, detections, crops, attributes, faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import OptionError, PluginError, UnknownNameError, describe_unknown

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


@runtime_checkable
class Located(Protocol):
    """What alignment needs to know about a face; `Detection` and `Face` have both."""

    @property
    def bbox(self) -> BBox:
        """x1, y1, x2, y2 in pixels of the image."""

    @property
    def landmarks(self) -> Landmarks | None:
        """(5, 2) pixels as in `Landmarks`, or None."""


@dataclass(frozen=True, slots=True)
class Detection:
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
        """Return the detection in JSON's own types."""
        return {
            "bbox": [float(value) for value in self.bbox],
            "confidence": float(self.confidence),
            "landmarks": None if self.landmarks is None else self.landmarks.tolist(),
        }


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

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: slice) -> CropBatch:
        """Return some of the faces, nothing computed from them yet."""
        return CropBatch(self.crops[rows], self.geometry[rows])

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

    def to_dict(self) -> dict[str, Any]:
        """Return label, confidence and scores in JSON's own types."""
        return {
            "label": self.label,
            "confidence": float(self.confidence),
            "scores": {label: float(score) for label, score in self.scores.items()},
        }

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
            "score": float(self.score),
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
        """Return value, unit and std in JSON's own types."""
        return {
            "value": float(self.value),
            "unit": self.unit,
            "std": None if self.std is None else float(self.std),
        }

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
        """Return the vector in JSON's own types."""
        return {"vector": self.vector.tolist(), **({"private": True} if self.private else {})}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descriptor) and np.array_equal(self.vector, other.vector)

    def __hash__(self) -> int:
        return hash(self.vector.tobytes())

    def __str__(self) -> str:
        return f"{len(self.vector)} numbers"


Attribute: TypeAlias = Classification | Estimate | Descriptor
"""What an analyzer says about one face."""

Form = TypeVar("Form", Classification, Estimate, Descriptor)

UNCERTAIN = "uncertain"  # shown instead of a label below `min_confidence`


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face and what the analyzers read off it.

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
        """Return the face in JSON's own types; the label of an uncertain attribute is None."""
        attributes = {name: attribute.to_dict() for name, attribute in self.attributes.items()}
        for name in self.uncertain & attributes.keys():
            attributes[name]["label"] = None
        described = {
            "bbox": [float(value) for value in self.bbox],
            "confidence": float(self.confidence),
            "landmarks": None if self.landmarks is None else self.landmarks.tolist(),
            "attributes": attributes,
            "track_id": self.track_id,
            "frozen": {name: float(seconds) for name, seconds in self.frozen.items()},
        }
        if self.features:
            described["features"] = {
                name: features.tolist() for name, features in self.features.items()
            }
        return described


def _in_form(attributes: Mapping[str, Attribute], name: str, form: type[Form]) -> Form:
    attribute = _named(attributes, name)
    if not isinstance(attribute, form):
        own = type(attribute).__name__
        raise OptionError(f"{name!r} is not a {form.__name__}; call face.{own.lower()}({name!r})")
    return attribute


def _named(attributes: Mapping[str, Attribute], name: str) -> Attribute:
    if name not in attributes:
        raise UnknownNameError(describe_unknown("attribute", name, list(attributes)))
    return attributes[name]
