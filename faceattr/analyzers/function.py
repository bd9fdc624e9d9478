"""Analyzers from plain functions of one crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.errors import OptionError
from faceattr.forms import Labels, Output, Unit
from faceattr.registry import API_VERSION
from faceattr.types import Attribute, Classification, Crops, Estimate

CropFunction: TypeAlias = Callable[[NDArray[np.uint8]], float | Mapping[str, float]]
"""One crop, (H, W, C) uint8, to a number, or to the probability of each label."""


def function_analyzer(
    attribute: str,
    *,
    output: Output,
    crop: CropSpec,
    refresh: float = 0.0,
    api_version: int = API_VERSION,
) -> Callable[[CropFunction], type[Analyzer]]:
    """Return a decorator that turns a function of one crop into an analyzer class.

    Args:
        attribute: Name under which results are given.
        output: `Labels` if the function returns a probability for each, a `Unit` if it returns a
            number.
        crop: Form of the crop that the function takes.
        refresh: Seconds between runs on the same face of a stream.
        api_version: Version of the plugin API that it was written for.

    Raises:
        OptionError: The output is neither labels nor a unit.
    """
    if not isinstance(output, Labels | Unit):
        raise OptionError(f"output of {attribute!r} is {output!r}; it can be Labels or a Unit")

    def decorate(function: CropFunction) -> type[Analyzer]:
        def predict(self: Analyzer, crops: Crops) -> Sequence[Attribute]:
            return [to_attribute(function(crop)) for crop in crops]

        declared: dict[str, Any] = {
            "attribute": attribute,
            "output": output,
            "crop": crop,
            "refresh": refresh,
            "api_version": api_version,
            "predict": predict,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        return type(function.__name__, (Analyzer,), declared)

    def to_attribute(result: float | Mapping[str, float]) -> Attribute:
        if isinstance(result, Mapping):
            return Classification({label: float(score) for label, score in result.items()})
        return Estimate(float(result), output.name if isinstance(output, Unit) else "")

    return decorate
