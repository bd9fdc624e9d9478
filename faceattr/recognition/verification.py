"""Whether two faces are of one person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.recognition.faces import vector_of
from faceattr.recognition.scores import score, shipped_cohort
from faceattr.types import Descriptor, Face

ODDS = 0.1  # with which one in a thousand pairs of different people passes, on LFW


@dataclass(frozen=True, slots=True)
class Match:
    """How two faces compare.

    Attributes:
        same: Whether they are more probably of one person than not.
        score: Normalized score; that of two different people is about 0 or less.
        probability: That they are of one person, in [0, 1], at the odds that were given.
        first: One face.
        second: The other.
    """

    same: bool
    score: float
    probability: float
    first: Face
    second: Face

    def to_dict(self) -> dict[str, Any]:
        """Return the match in JSON's own types, the faces without their descriptors."""
        return {
            "same": self.same,
            "score": self.score,
            "probability": self.probability,
            "first": _without_descriptors(self.first),
            "second": _without_descriptors(self.second),
        }


@explained
def compare(first: Face, second: Face, *, odds: float = ODDS) -> Match:
    """Return how two faces compare.

    Args:
        first: A face with an identity.
        second: The same.
        odds: Of one person before the faces are looked at: 0.1 means one to ten.

    Raises:
        OptionError: A face has no identity, or the odds are not above 0.
    """
    if not 0 < odds < math.inf:
        raise OptionError(f"odds is {odds!r}; it must be above 0: 1 for as likely as not")
    cohort = shipped_cohort()
    vectors = np.stack([vector_of(first), vector_of(second)])
    norms = cohort.norms(vectors)
    value = float(score(vectors[0] @ vectors[1], norms[0], norms[1]))
    logit = float(cohort.calibration.evidence(np.float64(value))) + math.log(odds)
    probability = float(1 / (1 + np.exp(-np.clip(logit, -500, 500))))
    return Match(probability > 0.5, value, probability, first, second)


def _without_descriptors(face: Face) -> dict[str, Any]:
    described = face.to_dict()
    for name, attribute in face.attributes.items():
        if isinstance(attribute, Descriptor):
            del described["attributes"][name]
    return described
