"""What probabilities of ages and genders say, whichever network gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceattr.types import Classification, Estimate

AGES = np.arange(101)  # years
GENDERS = ("woman", "man")


def age_of(scores: NDArray[np.floating]) -> Estimate:
    """Return mean and standard deviation of (101,) probabilities of the ages from 0 to 100."""
    mean = scores @ AGES
    variance = scores @ (AGES - mean) ** 2
    return Estimate(float(mean), unit="years", std=float(np.sqrt(variance)))


def gender_of(scores: NDArray[np.floating]) -> Classification:
    """Return (2,) probabilities of woman and man as a classification."""
    return Classification(dict(zip(GENDERS, scores.tolist(), strict=True)))
