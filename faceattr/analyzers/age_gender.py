"""Age and gender by one small network of our own, which comes with faceattr."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.readings import AGES, GENDERS, age_of, gender_of
from faceattr.engines.base import Engine
from faceattr.networks.formats import npz
from faceattr.types import Attribute, Classification, Estimate, Features

UTKFACE_TEMPLATE = (  # median of 300 pictures; models/age_gender/README.md says how
    (0.288, 0.288),
    (0.687, 0.288),
    (0.489, 0.516),
    (0.309, 0.680),
    (0.671, 0.681),
)
CROP = CropSpec(size=(96, 96), color="bgr", template=UTKFACE_TEMPLATE)


class AgeGenderAnalyzer(HeadAnalyzer):
    """A head of the network that reads both; its trunk gives (N, 103) probabilities."""

    crop = CROP
    refresh = 1.0
    card = "models/age_gender/README.md"

    def load(self, engine: Engine) -> None:
        """See the base class."""
        asset = resources.files("faceattr.assets").joinpath("age_gender.npz").read_bytes()
        self.trunk = engine.compile(npz.load(asset))  # one for both, by the digest of the file

    def predict_from(self, features: Features) -> Sequence[Attribute]:
        """See the base class."""
        return [self.read(row) for row in features]

    @abstractmethod
    def read(self, row: NDArray[np.float32]) -> Attribute:
        """Return what the (103,) probabilities say."""


class AgeAnalyzer(AgeGenderAnalyzer):
    """Apparent age in years, with its standard deviation, from a 96×96 crop."""

    attribute = "age"
    unit = "years"

    def read(self, row: NDArray[np.float32]) -> Estimate:
        """See the base class."""
        return age_of(row[: len(AGES)])


class GenderAnalyzer(AgeGenderAnalyzer):
    """Woman or man, by looks, from a 96×96 crop."""

    attribute = "gender"
    labels = GENDERS

    def read(self, row: NDArray[np.float32]) -> Classification:
        """See the base class."""
        return gender_of(row[len(AGES) :])
