"""Cosines to scores that mean the same for everybody, and scores to probabilities.

The cosine of two descriptors is no measure by itself: those of strangers of one group are far
larger where the network has seen few of that group. A score says how far a cosine is above what
each of both faces has with strangers who look like it, in standard deviations (s-norm), so that
one threshold is as strict for everybody.

Reference: Matějka et al., Analysis of Score Normalization in Multilingual Speaker Recognition,
Interspeech 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from io import BytesIO
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import LicenseError
from faceattr.weights import only_open
from faceattr.weights.licenses import refusal

Vectors: TypeAlias = NDArray[np.float32]
"""(N, D) descriptors of length 1."""

Norms: TypeAlias = NDArray[np.float32]
"""(N, 2) mean and standard deviation of each face's cosines with strangers who look like it."""

BLOCK = 4096  # faces that are normalized at once
MIN_STD = 1e-3
RIDGE = 1e-4  # added to the variance of each number of a descriptor
TEMPERATURE = 2.0  # by which the logits of a face's groups are divided
SHARE = 1 / 32  # of a gallery's own cohort, those most like a face
COHORT_LICENSE = "no open license; statistics of UTKFace, research data"
MAX_COHORT = 2048  # people of a gallery that make its cohort


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores to the probability that two faces are of one person.

    Attributes:
        slope: Of the logit over the score.
        offset: Logit of a score of 0, where either is as likely beforehand.
    """

    slope: float
    offset: float

    def evidence(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return by which factor each score raises the odds of one person, as its logarithm."""
        return self.slope * np.asarray(scores, np.float64) + self.offset


GROUPS = Calibration(slope=4.884, offset=-13.107)
OWN = Calibration(slope=1.385, offset=-2.329)
"""Made by models/identity/norms.py: true pairs of LFW against strangers of one group of UTKFace."""


class Cohort(Protocol):
    """Strangers with whom faces are compared."""

    @property
    def calibration(self) -> Calibration:
        """Of the scores that this cohort gives."""

    def norms(self, vectors: Vectors) -> Norms:
        """Return mean and standard deviation of the cosines of each face with those like it."""


def score(cosines: NDArray[np.floating], first: Norms, second: Norms) -> NDArray[np.float32]:
    """Return the scores of pairs.

    Args:
        cosines: Of the descriptors of each pair.
        first: Norms of one face of each.
        second: Norms of the other.
    """
    scores = (cosines - first[..., 0]) / first[..., 1] + (cosines - second[..., 0]) / second[..., 1]
    return np.asarray(scores / 2, np.float32)


@dataclass(frozen=True, eq=False)
class GroupNorms:
    """Strangers of several groups, of whom only statistics are known.

    A face belongs to each group by a share, which follows from its distance to the means. The
    cosines with the strangers of a group have a mean and a variance that follow from the group's.

    Attributes:
        means: (G, D) mean descriptor of each group.
        covariances: (G, D, D) of the descriptors of each group.
        offsets: (G,) standard deviations to add to the mean, so that strangers of each group
            pass a threshold equally often.
        calibration: As in `Cohort`.
    """

    means: NDArray[np.float32]
    covariances: NDArray[np.float32]
    offsets: NDArray[np.float32]
    calibration: Calibration = GROUPS

    def norms(self, vectors: Vectors) -> Norms:
        """See `Cohort`."""
        norms = np.empty((len(vectors), 2), np.float32)
        weights, biases = self._membership
        for start in range(0, len(vectors), BLOCK):
            block = vectors[start : start + BLOCK]
            logits = (block @ weights.T - biases) / TEMPERATURE
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            means = block @ self.means.T
            squares = np.stack([((block @ one) * block).sum(axis=1) for one in self.covariances], 1)
            mean = (shares * means).sum(axis=1)
            variance = (shares * (squares + means**2)).sum(axis=1) - mean**2
            std = np.sqrt(np.maximum(variance, MIN_STD**2))
            norms[start : start + BLOCK, 0] = mean + std * (shares @ self.offsets)
            norms[start : start + BLOCK, 1] = std
        return norms

    @cached_property
    def _membership(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The (G, D) weights and (G,) biases of the logits of belonging to each group."""
        pooled = self.covariances.mean(axis=0, dtype=np.float64)
        precision = np.linalg.inv(pooled + RIDGE * np.eye(len(pooled)))
        weights = (self.means @ precision).astype(np.float32)
        return weights, 0.5 * (weights * self.means).sum(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class OwnCohort:
    """People of a gallery, who are strangers to each other.

    Attributes:
        vectors: Descriptors of different people.
        calibration: As in `Cohort`.
    """

    vectors: Vectors
    calibration: Calibration = OWN

    def norms(self, vectors: Vectors) -> Norms:
        """See `Cohort`."""
        norms = np.empty((len(vectors), 2), np.float32)
        count = max(round(SHARE * len(self.vectors)), 2)
        for start in range(0, len(vectors), BLOCK):
            cosines = vectors[start : start + BLOCK] @ self.vectors.T
            # the nearest of all may be the same person, and is left out
            nearest = -np.partition(-cosines, (0, count), axis=1)[:, 1 : count + 1]
            norms[start : start + BLOCK, 0] = nearest.mean(axis=1)
            norms[start : start + BLOCK, 1] = np.maximum(nearest.std(axis=1), MIN_STD)
        return norms


def own_cohort(people: Vectors) -> OwnCohort:
    """Return a cohort of the people of a gallery, at most 2048 of them.

    Args:
        people: One descriptor of each.
    """
    if len(people) > MAX_COHORT:
        people = people[np.random.default_rng(0).permutation(len(people))[:MAX_COHORT]]
    return OwnCohort(people)


def shipped_cohort() -> GroupNorms:
    """Return the statistics that ship with faceattr; models/identity says of whom.

    Raises:
        LicenseError: ``FACEATTR_LICENSES=open`` is set.
    """
    if only_open():
        raise LicenseError(refusal("scores of identity", COHORT_LICENSE, alternative=""))
    return _read_cohort()


@lru_cache(maxsize=1)
def _read_cohort() -> GroupNorms:
    content = resources.files("faceattr.assets").joinpath("identity_norms.npz").read_bytes()
    with np.load(BytesIO(content)) as archive:
        means = archive["means"].astype(np.float32)
        packed = archive["covariances"].astype(np.float32)
        offsets = archive["offsets"].astype(np.float32)
    return GroupNorms(means, unpack(packed, means.shape[1]), offsets)


def unpack(packed: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return (G, D, D) symmetric matrices from the (G, D (D + 1) / 2) numbers of their halves."""
    rows, columns = np.tril_indices(size)
    matrices = np.zeros((len(packed), size, size), np.float32)
    matrices[:, rows, columns] = packed
    matrices[:, columns, rows] = packed
    return matrices
