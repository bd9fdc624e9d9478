"""Probabilities of ages to an estimate, whichever network gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.labels import NUM_AGES
from faceattr.types import Estimate

AGES = np.arange(NUM_AGES)  # years


def to_age(scores: NDArray[np.floating], *, ages: NDArray[Any] = AGES) -> Estimate:
    """Return mean and standard deviation of a distribution of ages.

    Args:
        scores: (C,) probabilities.
        ages: (C,) age of each class in years; by default those from 0 to 100.
    """
    mean = scores @ ages
    variance = scores @ (ages - mean) ** 2
    return Estimate(float(mean), unit="years", std=float(np.sqrt(variance)))
