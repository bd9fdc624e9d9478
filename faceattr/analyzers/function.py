"""Analyzers from plain functions of one crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.errors import OptionError
from faceattr.registry import CONTRACT
from faceattr.types import Attribute, Classification, Crops, Estimate

Reading: TypeAlias = Callable[[NDArray[np.uint8]], float | Mapping[str, float]]
"""One crop, (H, W, C) uint8, to a number, or to the probability of each label."""


def function_analyzer(
    attribute: str,
    *,
    crop: CropSpec,
    labels: Sequence[str] = (),
    unit: str = "",
    refresh: float = 0.0,
    contract: int = CONTRACT,
) -> Callable[[Reading], type[Analyzer]]:
    """Return a decorator that makes a function of one crop an analyzer class.

    Args:
        attribute: As in `Analyzer`, like all the rest.
        crop: Form of the crop that the function takes.
        labels: Those that it gives probabilities of.
        unit: That of the number that it gives instead.
        refresh: Seconds between two looks at the same face on a stream.
        contract: Number of the contract that it was made for.

    Raises:
        OptionError: There are neither labels nor a unit, or both.
    """
    if bool(labels) == bool(unit):
        raise OptionError(f"{attribute!r} needs labels or a unit, and not both")

    def decorate(function: Reading) -> type[Analyzer]:
        def predict(self: Analyzer, crops: Crops) -> Sequence[Attribute]:
            return [_to_attribute(function(crop), unit) for crop in crops]

        declared: dict[str, Any] = {
            "attribute": attribute,
            "crop": crop,
            "labels": tuple(labels),
            "unit": unit,
            "refresh": refresh,
            "contract": contract,
            "predict": predict,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        return type(function.__name__, (Analyzer,), declared)

    return decorate


def _to_attribute(answer: float | Mapping[str, float], unit: str) -> Attribute:
    if isinstance(answer, Mapping):
        return Classification({label: float(score) for label, score in answer.items()})
    return Estimate(float(answer), unit)
