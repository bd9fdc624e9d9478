"""Age and gender by one small network of our own, which ships with faceattr."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faceattr.alignment import CropSpec
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.builtin import load_builtin, load_builtin_trunk
from faceattr.engines.base import Engine
from faceattr.forms import Labels, Unit
from faceattr.labels import GENDERS
from faceattr.networks.heads import SoftmaxHead
from faceattr.types import Attribute, Features, Trunk

UTKFACE_TEMPLATE = (  # median of 300 images; models/age_gender/README.md says how
    (0.288, 0.288),
    (0.687, 0.288),
    (0.489, 0.516),
    (0.309, 0.680),
    (0.671, 0.681),
)
CROP = CropSpec(size=(96, 96), color="bgr", template=UTKFACE_TEMPLATE)
NETWORK = "age_gender"


class AgeAnalyzer(HeadAnalyzer):
    """Apparent age in years, with its standard deviation, from a 96×96 crop."""

    attribute = "age"
    output = Unit("years")
    crop = CROP
    refresh = 1.0
    card = "models/age_gender/README.md"

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        return load_builtin_trunk(NETWORK, engine)

    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """See the base class."""
        head = SoftmaxHead.from_network(load_builtin(NETWORK), "age_logits")
        return lambda features: [to_age(row) for row in head(features)]


class GenderAnalyzer(HeadAnalyzer):
    """Woman or man, by looks, from a 96×96 crop."""

    attribute = "gender"
    output = Labels(GENDERS)
    crop = CROP
    refresh = 1.0
    card = "models/age_gender/README.md"

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        return load_builtin_trunk(NETWORK, engine)

    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """See the base class."""
        head = SoftmaxHead.from_network(load_builtin(NETWORK), "gender_logits")
        return lambda features: [self.output.classify(row) for row in head(features)]
