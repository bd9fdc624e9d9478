"""Age, gender and race by heads on VGG-Face, with the weights that deepface uses.

Each published file holds a whole network. Those of age and gender were trained with VGG-Face
frozen up to the last pooling layer: what is the same bytes is one trunk for all of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.readings import AGES, GENDERS, age_of, gender_of
from faceattr.engines.base import Engine
from faceattr.errors import OptionError
from faceattr.networks.architectures import vgg_face
from faceattr.networks.graph import Network
from faceattr.networks.published import deepface_urls, load_published, shared_part
from faceattr.types import Attribute, Classification, Estimate, Features
from faceattr.weights import GoogleDrive, Weights

Color: TypeAlias = Literal["bgr", "rgb"]
Fit: TypeAlias = Literal["letterbox", "stretch"]

AGE_VGG = Weights(
    filename="age_model_weights.h5",
    sources=deepface_urls("age_model_weights.h5", GoogleDrive("1YCox_4kJ-BYeXq27uUbasu--yz28zUMV")),
    sha256="0aeff75734bfe794113756d2bfd0ac823d51e9422c8961125b570871d3c2b114",
    num_bytes=538_771_776,
    license="MIT; trained on VGG-Face and WIKI, research data",
    card="models/vgg-face/README.md",
)

GENDER_VGG = Weights(
    filename="gender_model_weights.h5",
    sources=deepface_urls(
        "gender_model_weights.h5", GoogleDrive("1wUXRVlbsni2FN9-jkS_f4UTUrm1bRLyk")
    ),
    sha256="45513ce5678549112d25ab85b1926fb65986507d49c674a3d04b2ba70dba2eb5",
    num_bytes=537_000_000,
    license="MIT; trained on VGG-Face and WIKI, research data",
    card="models/vgg-face/README.md",
)

RACE_VGG = Weights(
    filename="race_model_single_batch.h5",
    sources=deepface_urls("race_model_single_batch.h5"),
    sha256="eb22b28b1f6dfce65b64040af4e86003a5edccb169a1a338470dde270b6f5e54",
    num_bytes=537_000_000,
    license="MIT; trained on VGG-Face and FairFace, research data",
    card="models/vgg-face/README.md",
)

RACES = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")


class VggFaceAnalyzer(HeadAnalyzer):
    """A published head on VGG-Face.

    The defaults show faces as deepface does, so that its users get the answers they know. The
    networks were trained with ``color="rgb", fit="stretch"``. Which of them is right more often
    has not been measured here.

    Args:
        color: Order of the channels of the crops.
        fit: How the face's box fills the crop, as in `CropSpec`.

    Raises:
        OptionError: An argument is another word.
    """

    refresh = 5.0
    weights: ClassVar[Weights]
    num_classes: ClassVar[int]

    def __init__(self, *, color: Color = "bgr", fit: Fit = "letterbox") -> None:
        if color not in get_args(Color):
            raise OptionError(f"color is {color!r}; it can be 'bgr' or 'rgb'")
        if fit not in get_args(Fit):
            raise OptionError(f"fit is {fit!r}; it can be 'letterbox' or 'stretch'")
        self.crop = CropSpec(size=(224, 224), color=color, mode=fit)

    def load(self, engine: Engine) -> None:
        """See the base class."""
        trunk, head = trunk_and_head(self.weights, self.num_classes)
        self.trunk = engine.compile(trunk)
        self._head = engine.compile(head)

    def predict_from(self, features: Features) -> Sequence[Attribute]:
        """See the base class."""
        return [self.read(scores) for scores in self._head(features)]

    @abstractmethod
    def read(self, scores: NDArray[np.float32]) -> Attribute:
        """Return what the (C,) probabilities say."""


class VggFaceHead(HeadAnalyzer):
    """A head of your own on the trunk that the published age and gender models have in common.

    A subclass declares its attribute and reads it off the features in `predict_from`, which are
    (N, 7, 7, 512) float32, at least 0. What it has to load itself, it loads in its `load` after
    this one. Asked for together with ``age-vgg`` or ``gender-vgg``, it costs only its head.
    """

    crop = CropSpec(size=(224, 224), color="bgr", mode="letterbox")
    refresh = 5.0
    weights = AGE_VGG

    def load(self, engine: Engine) -> None:
        """See the base class."""
        trunk, _ = trunk_and_head(AGE_VGG, len(AGES))
        self.trunk = engine.compile(trunk)


class AgeVggAnalyzer(VggFaceAnalyzer):
    """Apparent age in years, by the VGG-Face model of deepface."""

    attribute = "age"
    unit = "years"
    weights = AGE_VGG
    num_classes = len(AGES)

    def read(self, scores: NDArray[np.float32]) -> Estimate:
        """See the base class."""
        return age_of(scores)


class GenderVggAnalyzer(VggFaceAnalyzer):
    """Woman or man, by the VGG-Face model of deepface."""

    attribute = "gender"
    labels = GENDERS
    weights = GENDER_VGG
    num_classes = len(GENDERS)

    def read(self, scores: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return gender_of(scores)


class RaceVggAnalyzer(VggFaceAnalyzer):
    """Six groups of looks, by the VGG-Face model of deepface."""

    attribute = "race"
    labels = RACES
    weights = RACE_VGG
    num_classes = len(RACES)

    def read(self, scores: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return Classification(dict(zip(RACES, scores.tolist(), strict=True)))


def trunk_and_head(weights: Weights, num_classes: int) -> tuple[Network, Network]:
    """Return the two halves of a published network.

    Heads of other packages may use the trunk: that of `AGE_VGG` is the one of `GENDER_VGG` too.

    Args:
        weights: A file with VGG-Face and a head.
        num_classes: Number of probabilities that the head gives.

    Raises:
        WeightsError: The file cannot be had, is damaged or made for another graph.
    """
    name = weights.filename.removesuffix(".h5")
    whole = load_published(name, vgg_face.vgg_face(num_classes), weights)
    trunk = shared_part(whole, "VGG-Face", vgg_face.trunk())
    return trunk, replace(whole, layers=vgg_face.head(num_classes))
