"""Probabilities of ages to an estimate, whichever network gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceattr.labels import NUM_AGES
from faceattr.types import Estimate

AGES = np.arange(NUM_AGES)  # years


def to_age(scores: NDArray[np.floating]) -> Estimate:
    """Return mean and standard deviation of (101,) probabilities of the ages from 0 to 100."""
    mean = scores @ AGES
    variance = scores @ (AGES - mean) ** 2
    return Estimate(float(mean), unit="years", std=float(np.sqrt(variance)))
