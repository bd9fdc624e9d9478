"""How far apart two descriptors are, in deepface's metrics, and what it makes of the distance.

The numbers are those of deepface 0.0.103 for its model Dlib.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import OptionError

Metric: TypeAlias = str | Callable[..., Any]
"""Name of a metric, or a function of two descriptors."""

Vectors: TypeAlias = NDArray[np.float64]
"""(N, D) descriptors, one a row."""

THRESHOLDS = {"cosine": 0.07, "euclidean": 0.6, "euclidean_l2": 0.4, "angular": 0.12}
DIGITS = 6  # to which deepface rounds distances
TINY = 1e-10  # added to lengths


class Curve(NamedTuple):
    """A logistic regression of "the same person" on the distance.

    Attributes:
        weight: Factor of the distance.
        bias: What is added to it.
        same: Percentages at the ends of the distances of the same person.
        different: Percentages at the ends of the distances of different people.
    """

    weight: float
    bias: float
    same: tuple[float, float]
    different: tuple[float, float]


CURVES = {
    "cosine": Curve(
        weight=-3.7618087798972293,
        bias=-0.6908814404797111,
        same=(27.84268789569509, 32.289077089161594),
        different=(19.061842082779275, 27.803329512485526),
    ),
    "euclidean": Curve(
        weight=-7.494007964438609,
        bias=3.9696154227506937,
        same=(37.63548146988899, 89.6022157357575),
        different=(5.474065355413035, 36.791885490113046),
    ),
    "euclidean_l2": Curve(
        weight=-7.104640497107913,
        bias=2.3288632189212457,
        same=(37.84998375132765, 76.39948218795206),
        different=(10.222692344960938, 36.56103592414769),
    ),
    "angular": Curve(
        weight=-3.2116944601651727,
        bias=-0.5970349913114966,
        same=(27.2527288169969, 31.79313619700238),
        different=(22.163871613552466, 27.18852931051015),
    ),
}


def choose_threshold(metric: Metric, threshold: float | None) -> float:
    """Return the largest distance of one person.

    Args:
        metric: Name of a metric, or a function.
        threshold: Takes the place of deepface's own.

    Raises:
        OptionError: There is no such metric, or it is a function and has no threshold.
    """
    if isinstance(metric, str) and metric not in THRESHOLDS:
        raise OptionError(
            f"distance_metric is {metric!r}; it can be {', '.join(THRESHOLDS)}, or a function"
        )
    if threshold is not None:
        return threshold
    if not isinstance(metric, str):
        raise OptionError("a distance_metric of your own needs a threshold")
    return THRESHOLDS[metric]


def find_distances(known: Vectors, query: Vectors, metric: str) -> NDArray[np.float64]:
    """Return the distances of N known descriptors from one.

    Args:
        known: (N, D) descriptors.
        query: (D,) descriptor.
        metric: Name of the metric.
    """
    if metric == "euclidean":
        distances = np.linalg.norm(known - query, axis=1)
    else:
        known = known / (np.linalg.norm(known, axis=1, keepdims=True) + TINY)
        query = query / (np.linalg.norm(query) + TINY)
        if metric == "euclidean_l2":
            distances = np.linalg.norm(known - query, axis=1)
        elif metric == "cosine":
            distances = 1 - known @ query
        else:
            distances = np.arccos(np.clip(known @ query, -1, 1)) / np.pi
    return np.round(distances, DIGITS)


def find_confidence(distance: float, metric: Metric, *, verified: bool) -> float:
    """Return deepface's confidence: 51 to 100 if it is one person, 0 to 49 if it is not."""
    if distance <= 0:
        return 100.0 if verified else 0.0
    if not isinstance(metric, str):
        return 51 if verified else 49
    curve = CURVES[metric]
    percentage = 100 * _sigmoid(curve.weight * distance + curve.bias)
    if verified:
        low, high = curve.same
        spread = (percentage - low) / (high - low) * (100 - 51) + 51
        return round(min(max(spread, 51), 100), 2)
    low, high = curve.different
    spread = (percentage - low) / (high - low) * min(49, int(high))
    return round(min(max(spread, 0), 49), 2)


def _sigmoid(z: float) -> float:
    power = math.exp(-abs(z))
    return 1 / (1 + power) if z >= 0 else power / (1 + power)
