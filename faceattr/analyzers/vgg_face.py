"""Age, gender and race by heads on VGG-Face, with the weights that deepface uses.

Each published file holds a whole network. Those of age and gender were trained with VGG-Face
frozen up to the last pooling layer, so these layers are the same bytes and make one trunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias, get_args

from faceattr.alignment import CropSpec
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.arguments import explained
from faceattr.engines.base import Engine
from faceattr.errors import OptionError
from faceattr.forms import Labels, Unit
from faceattr.labels import GENDERS, NUM_AGES, RACES
from faceattr.networks.architectures import vgg_face
from faceattr.networks.graph import Network
from faceattr.networks.published import deepface_urls, load_published, shared_part
from faceattr.types import Attribute, Features, Trunk
from faceattr.weights import GoogleDrive, Weights

Color: TypeAlias = Literal["bgr", "rgb"]
Fit: TypeAlias = Literal["letterbox", "stretch"]

AGE_VGG = Weights(
    filename="age_model_weights.h5",
    sources=deepface_urls("age_model_weights.h5", GoogleDrive("1YCox_4kJ-BYeXq27uUbasu--yz28zUMV")),
    sha256="0aeff75734bfe794113756d2bfd0ac823d51e9422c8961125b570871d3c2b114",
    num_bytes=538_771_776,
    license="research only, as VGG-Face is; offered under MIT, trained on WIKI",
    card="models/vgg-face/README.md",
)

GENDER_VGG = Weights(
    filename="gender_model_weights.h5",
    sources=deepface_urls(
        "gender_model_weights.h5", GoogleDrive("1wUXRVlbsni2FN9-jkS_f4UTUrm1bRLyk")
    ),
    sha256="45513ce5678549112d25ab85b1926fb65986507d49c674a3d04b2ba70dba2eb5",
    num_bytes=537_000_000,
    license="research only, as VGG-Face is; offered under MIT, trained on WIKI",
    card="models/vgg-face/README.md",
)

RACE_VGG = Weights(
    filename="race_model_single_batch.h5",
    sources=deepface_urls("race_model_single_batch.h5"),
    sha256="eb22b28b1f6dfce65b64040af4e86003a5edccb169a1a338470dde270b6f5e54",
    num_bytes=537_000_000,
    license="research only, as VGG-Face is; offered under MIT, trained on FairFace",
    card="models/vgg-face/README.md",
)

TRUNK = "vgg-face"  # the one that age and gender share


class VggFaceHead(HeadAnalyzer):
    """A head of your own on the trunk that the published age and gender models share.

    A subclass declares its attribute and defines `load_head`; its features are (N, 7, 7, 512)
    float32, at least 0. Next to ``age-vgg`` or ``gender-vgg`` it costs only its head.
    """

    crop = CropSpec(size=(224, 224), color="bgr", mode="letterbox")
    refresh = 5.0
    weights = AGE_VGG

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        trunk, _ = trunk_and_head(AGE_VGG, NUM_AGES)
        return Trunk(TRUNK, engine.compile(trunk))


@explained
class VggFaceAnalyzer(HeadAnalyzer):
    """A published head on VGG-Face.

    By default crops are made as deepface makes them, so that its users get the results they
    know. The networks were trained with ``color="rgb", fit="stretch"``. Which of the two is
    more accurate has not been measured here.

    Args:
        color: Order of the channels of the crops.
        fit: How the face's box fills the crop, as in `CropSpec`.

    Raises:
        OptionError: An argument has another value.
    """

    refresh = 5.0
    weights: ClassVar[Weights]
    num_classes: ClassVar[int]
    trunk_name: ClassVar[str] = TRUNK

    def __init__(self, *, color: Color = "bgr", fit: Fit = "letterbox") -> None:
        if color not in get_args(Color):
            raise OptionError(f"color is {color!r}; it can be 'bgr' or 'rgb'")
        if fit not in get_args(Fit):
            raise OptionError(f"fit is {fit!r}; it can be 'letterbox' or 'stretch'")
        self.crop = CropSpec(size=(224, 224), color=color, mode=fit)

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        trunk, _ = trunk_and_head(self.weights, self.num_classes)
        return Trunk(self.trunk_name, engine.compile(trunk))

    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """See the base class."""
        _, head = trunk_and_head(self.weights, self.num_classes)
        scores = engine.compile(head)
        if isinstance(self.output, Labels):
            classify = self.output.classify
            return lambda features: [classify(row) for row in scores(features)]
        return lambda features: [to_age(row) for row in scores(features)]


class AgeVggAnalyzer(VggFaceAnalyzer):
    """Apparent age in years, by the VGG-Face model of deepface."""

    attribute = "age"
    output = Unit("years")
    weights = AGE_VGG
    num_classes = NUM_AGES


class GenderVggAnalyzer(VggFaceAnalyzer):
    """Apparent gender, woman or man, by the VGG-Face model of deepface."""

    attribute = "gender"
    output = Labels(GENDERS)
    weights = GENDER_VGG
    num_classes = len(GENDERS)


class RaceVggAnalyzer(VggFaceAnalyzer):
    """Six perceived-race categories, by the VGG-Face model of deepface."""

    attribute = "race"
    output = Labels(RACES)
    weights = RACE_VGG
    num_classes = len(RACES)
    trunk_name = "vgg-face-race"  # trained apart from the other two


def trunk_and_head(weights: Weights, num_classes: int) -> tuple[Network, Network]:
    """Return the two halves of a published network.

    Other packages may put heads on the trunk, which `AGE_VGG` and `GENDER_VGG` have in common.

    Args:
        weights: A file with VGG-Face and a head.
        num_classes: Number of probabilities that the head gives.

    Raises:
        WeightsError: The file is missing, damaged or made for another graph.
    """
    name = weights.filename.removesuffix(".h5")
    whole = load_published(name, vgg_face.vgg_face(num_classes), weights)
    trunk = shared_part(whole, "VGG-Face", vgg_face.trunk())
    return trunk, replace(whole, layers=vgg_face.head(num_classes))
