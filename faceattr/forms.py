"""The forms that an attribute can have, as an analyzer declares them: labels, unit or vector.

Tables, groups of labels and checks are made from these declarations, so nothing has to run
before they are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained, is_finite
from faceattr.errors import OptionError
from faceattr.types import (
    TOLERANCE,
    Attribute,
    Classification,
    Descriptor,
    Estimate,
    Identification,
)

NUMBERS = (float, int, np.floating, np.integer)


@dataclass(frozen=True, slots=True, init=False)
class Labels:
    """A classification over fixed labels.

    Attributes:
        names: The labels, in the order of the model's output.

    Args:
        names: Distinct, non-empty strings, in the order of the model's output.

    Raises:
        OptionError: The names are empty, repeated or not strings.
    """

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        listed = [] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
        if not (listed and all(isinstance(name, str) and name for name in listed)):
            raise OptionError(f"labels are {names!r}; give a list of non-empty strings")
        if len(set(listed)) < len(listed):
            raise OptionError(f"labels are {names!r}; name each of them once")
        object.__setattr__(self, "names", tuple(listed))

    @explained
    def classify(self, scores: Sequence[float] | NDArray[np.floating]) -> Classification:
        """Return a classification with these labels.

        Args:
            scores: Probability of each label, in their order.

        Raises:
            OptionError: There are more or fewer of them than labels.
        """
        values = scores.tolist() if isinstance(scores, np.ndarray) else scores
        if len(values) != len(self.names):
            raise OptionError(f"{len(values)} scores for the {len(self.names)} labels {self}")
        return Classification(dict(zip(self.names, values, strict=True)))

    def columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that an attribute of that name takes in a table."""
        return (name, f"{name}_confidence", *(f"{name}_{label}" for label in self.names))

    def problem(self, attribute: object) -> str | None:
        """Return what is wrong with an analyzer's result, or None."""
        if not isinstance(attribute, Classification):
            return f"{attribute!r:.100} instead of a Classification"
        scores = attribute.scores
        if not isinstance(scores, Mapping):
            return f"the scores {scores!r:.100}; they must be a mapping from label to probability"
        if tuple(scores) != self.names:
            return f"the labels {list(scores)!r:.200}; it declares {list(self.names)}"
        # NaN fails every comparison
        if not all(
            is_number(score) and -TOLERANCE <= score <= 1 + TOLERANCE for score in scores.values()
        ):
            return f"scores that are not probabilities in [0, 1]: {dict(scores)}"
        return None

    def __str__(self) -> str:
        return ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class Unit:
    """An estimate in a fixed unit.

    Attributes:
        name: The unit, for example ``"years"``.

    Raises:
        OptionError: The name is empty or not a string.
    """

    name: str

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name):
            raise OptionError(f"unit is {self.name!r}; it must be a non-empty string")

    @explained
    def estimate(self, value: float, std: float | None = None) -> Estimate:
        """Return an estimate in this unit."""
        return Estimate(float(value), self.name, None if std is None else float(std))

    def columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that an attribute of that name takes in a table."""
        return name, f"{name}_std"

    def problem(self, attribute: object) -> str | None:
        """Return what is wrong with an analyzer's result, or None."""
        if not isinstance(attribute, Estimate):
            return f"{attribute!r:.100} instead of an Estimate"
        if attribute.unit != self.name:
            return f"an estimate in {attribute.unit!r}; it declares {self.name!r}"
        value, std = attribute.value, 0.0 if attribute.std is None else attribute.std
        if not (is_number(value) and is_number(std)):
            return f"an estimate that is not a number: {attribute!r:.100}"
        if not (is_finite(value) and is_finite(std) and std >= 0):
            return f"an estimate that is not finite: {attribute!r:.100}"
        return None

    def __str__(self) -> str:
        return f"in {self.name}"


@dataclass(frozen=True, slots=True)
class Vector:
    """A descriptor with a fixed number of dimensions.

    Attributes:
        size: Number of dimensions.
        private: Whether tables leave it out, as people can be found again by it; the descriptors
            must say the same.

    Raises:
        OptionError: The size is not a positive integer.
    """

    size: int
    private: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise OptionError(f"size of a vector is {self.size!r}; it must be a positive integer")

    def columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that an attribute of that name takes in a table."""
        return () if self.private else tuple(f"{name}_{index}" for index in range(self.size))

    def problem(self, attribute: object) -> str | None:
        """Return what is wrong with an analyzer's result, or None."""
        if not isinstance(attribute, Descriptor):
            return f"{attribute!r:.100} instead of a Descriptor"
        vector = attribute.vector
        if not (isinstance(vector, np.ndarray) and np.issubdtype(vector.dtype, np.floating)):
            return f"the vector {vector!r:.100}; it must be a NumPy array of floats"
        if attribute.private != self.private:
            return f"a Descriptor with private={attribute.private}; it declares {self.private}"
        if vector.shape != (self.size,):
            return f"a vector of shape {vector.shape}; it declares ({self.size},)"
        if not abs(float(np.linalg.norm(vector)) - 1) <= TOLERANCE:
            return "a vector whose length is not 1"
        return None

    def __str__(self) -> str:
        return f"a vector of {self.size}"


@dataclass(frozen=True, slots=True)
class Names:
    """Who a face is, among the people of a gallery: what a private descriptor is turned into."""

    def columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that an attribute of that name takes in a table."""
        return name, f"{name}_confidence", f"{name}_score"

    def problem(self, attribute: object) -> str | None:
        """Return what is wrong with a result, or None."""
        if not isinstance(attribute, Identification):
            return f"{attribute!r:.100} instead of an Identification"
        return None

    def __str__(self) -> str:
        return "names of a gallery"


Output: TypeAlias = Labels | Unit | Vector | Names
"""What an analyzer declares that it gives for each face; never `Names`, which a gallery gives."""


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number of Python or NumPy; a bool is not."""
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def to_cells(attribute: Attribute, name: str, *, uncertain: bool = False) -> dict[str, object]:
    """Return an attribute as cells of a table, by column.

    Args:
        attribute: What was read.
        name: Name of the attribute.
        uncertain: Leave the cell of the label empty.
    """
    if isinstance(attribute, Identification):
        return {
            name: None if uncertain else attribute.label,
            f"{name}_confidence": round(float(attribute.confidence), 4),
            f"{name}_score": round(float(attribute.score), 3),
        }
    if isinstance(attribute, Classification):
        return {
            name: None if uncertain else attribute.label,
            f"{name}_confidence": round(float(attribute.confidence), 4),
            **{
                f"{name}_{label}": round(float(score), 4)
                for label, score in attribute.scores.items()
            },
        }
    if isinstance(attribute, Estimate):
        std = None if attribute.std is None else round(float(attribute.std), 2)
        return {name: round(float(attribute.value), 2), f"{name}_std": std}
    if attribute.private:
        return {}
    return {f"{name}_{index}": float(value) for index, value in enumerate(attribute.vector)}
