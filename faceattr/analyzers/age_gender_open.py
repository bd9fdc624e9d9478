"""Age and gender by dlib's networks, whose weights are in the public domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.builtin import BuiltinAnalyzer
from faceattr.forms import Labels, Unit
from faceattr.labels import GENDERS
from faceattr.networks.architectures.dlib_attributes import AGE_CLASSES
from faceattr.types import Classification, Estimate

DLIB_TEMPLATE = (  # median of dlib's own chips; models/age_gender_open/README.md says how
    (0.309, 0.289),
    (0.691, 0.289),
    (0.500, 0.509),
    (0.339, 0.675),
    (0.661, 0.675),
)
LICENSE = "CC0-1.0; trained on pictures that its authors do not name"
AGES = np.array([0.25, *range(1, AGE_CLASSES)], np.float32)  # years, as published


class AgeOpenAnalyzer(BuiltinAnalyzer):
    """Apparent age, from a 64×64 crop, by a network in the public domain."""

    attribute = "age"
    output = Unit("years")
    crop = CropSpec(size=(64, 64), color="rgb", template=DLIB_TEMPLATE)
    refresh = 1.0
    license = LICENSE
    card = "models/age_gender_open/README.md"
    network = "age_open"
    layer = "age_logits"

    def interpret(self, scores: NDArray[np.float32]) -> Estimate:
        """See the base class."""
        return to_age(scores, ages=AGES)


class GenderOpenAnalyzer(BuiltinAnalyzer):
    """Apparent gender, woman or man, from a 32×32 crop, by a network in the public domain."""

    attribute = "gender"
    output = Labels(GENDERS)
    crop = CropSpec(size=(32, 32), color="rgb", template=DLIB_TEMPLATE)
    refresh = 1.0
    license = LICENSE
    card = "models/age_gender_open/README.md"
    network = "gender_open"
    layer = "gender_logits"

    def interpret(self, scores: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return self.output.classify(scores)
