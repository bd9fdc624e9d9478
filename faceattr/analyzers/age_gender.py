"""Age and gender by one small network of our own, which ships with faceattr."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.builtin import BuiltinAnalyzer
from faceattr.forms import Labels, Unit
from faceattr.labels import GENDERS
from faceattr.types import Classification, Estimate

UTKFACE_TEMPLATE = (  # median of 300 images; models/age_gender/README.md says how
    (0.288, 0.288),
    (0.687, 0.288),
    (0.489, 0.516),
    (0.309, 0.680),
    (0.671, 0.681),
)
LICENSE = "no open license; trained on UTKFace, All-Age-Faces and APPA-REAL, research data"
CROP = CropSpec(size=(96, 96), color="bgr", template=UTKFACE_TEMPLATE)


class AgeAnalyzer(BuiltinAnalyzer):
    """Apparent age in years, with its standard deviation, from a 96×96 crop."""

    attribute = "age"
    output = Unit("years")
    crop = CROP
    refresh = 1.0
    license = LICENSE
    card = "models/age_gender/README.md"
    network = "age_gender"
    layer = "age_logits"

    def interpret(self, scores: NDArray[np.float32]) -> Estimate:
        """See the base class."""
        return to_age(scores)


class GenderAnalyzer(BuiltinAnalyzer):
    """Apparent gender, woman or man, from a 96×96 crop."""

    attribute = "gender"
    output = Labels(GENDERS)
    crop = CROP
    refresh = 1.0
    license = LICENSE
    card = "models/age_gender/README.md"
    network = "age_gender"
    layer = "gender_logits"

    def interpret(self, scores: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return self.output.classify(scores)
