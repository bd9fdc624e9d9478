r"""Compute the statistics by which scores are normalized, from descriptors of UTKFace.

    python -m models.identity.norms utkface_descriptors.npz lfw_descriptors.npz

Reads what `describe.py` has written. The groups are white, black, Asian and Indian women and men
from 16 to 50, children up to 5 and up to 15, and the four races above 50. Of the training split,
the even rows make the statistics; the odd ones, with the validation split, are left for measuring.
Writes faceattr/assets/identity_norms.npz: mean and covariance of each group, never a descriptor,
and the offsets by which strangers of each group pass one threshold equally often. Prints the
calibrations of `faceattr/recognition/scores.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from faceattr.analyzers.identity import to_unit_length
from faceattr.recognition.scores import (
    Calibration,
    Cohort,
    GroupNorms,
    Norms,
    OwnCohort,
    Vectors,
    score,
)
from models.figures import ASSETS, sha256

RACES = ("white", "black", "asian", "indian")
GENDERS = ("men", "women")
NUM_ADULT = len(RACES) * len(GENDERS)  # groups, which come first
CHILDREN = (6, 16)  # years at which the second group of children, and adults, begin
OLD = 51
SMALL_GROUP = 60  # faces whose weight the mean of all covariances has in each
PASSING = 0.004  # share of strangers of one group whose score exceeds LEVEL
LEVEL = 3.0
ROUNDS = 4
MOST = 250  # faces of a group whose pairs are counted
SAME = 0.97  # cosine above which two pictures are copies
TRAINING = 0


class Faces(NamedTuple):
    """Descriptors with the labels of UTKFace, and LFW's pairs."""

    vectors: Vectors
    labels: Mapping[str, NDArray[Any]]

    def where(self, chosen: NDArray[np.bool_]) -> Faces:
        """Return some of the faces."""
        labels = {name: values[chosen] for name, values in self.labels.items()}
        return Faces(self.vectors[chosen], labels)


def main() -> None:
    """Compute, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("utkface", type=Path)
    parser.add_argument("lfw", type=Path)
    options = parser.parse_args()
    faces = read_utkface(options.utkface)
    known = faces.where(is_known(faces))
    groups = groups_of(known)
    cohort = rounded(with_offsets(fit(known.vectors, groups), known.vectors, groups))
    rows, columns = np.tril_indices(cohort.means.shape[1])
    np.savez_compressed(
        ASSETS / "identity_norms.npz",
        means=cohort.means.astype(np.float16),
        covariances=cohort.covariances[:, rows, columns].astype(np.float16),
        offsets=cohort.offsets,
    )
    vectors, pairs, same = read_lfw(options.lfw, "int8")
    real = real_cohort(known)
    notes = {
        "asset": sha256(ASSETS / "identity_norms.npz"),
        "faces": {name: len(members) for name, members in groups.items()},
        "calibrations": {},
    }
    for name, one in (("GROUPS", cohort), ("OWN", real)):
        true = pair_scores(one, vectors, pairs[same])
        members = list(groups.values())[: NUM_ADULT if one is real else None]
        strangers = [stranger_scores(one, known.vectors[own]) for own in members]
        calibration = calibrate(true, np.concatenate(strangers))
        print(f"{name} = {calibration}")
        notes["calibrations"][name] = [calibration.slope, calibration.offset]  # type: ignore[index]
    (Path(__file__).parent / "norms.json").write_text(json.dumps(notes, indent=2) + "\n")


def read_utkface(path: Path, *, mirrored: bool = False) -> Faces:
    """Return the faces in a file of `describe.py`, by the network of the wheel.

    Args:
        path: The file.
        mirrored: Take the mean with the descriptor of the mirrored crop.
    """
    with np.load(path) as archive:
        labels = {name: archive[name] for name in ("age", "gender", "race", "split", "row")}
        raw = archive["int8"] + (archive["int8-mirror"] if mirrored else 0)
        return Faces(to_unit_length(raw), labels)


def read_lfw(path: Path, form: str) -> tuple[Vectors, NDArray[np.intp], NDArray[np.bool_]]:
    """Return descriptors of LFW's pictures, its (N, 2) pairs, and whether each is of one person.

    Args:
        path: File of `describe.py`.
        form: ``"int8"`` or ``"f32"``, with ``"+mirror"`` for the mean with the mirrored crop.
    """
    name, _, mirrored = form.partition("+")
    with np.load(path) as archive:
        raw = archive[name] + (archive[f"{name}-mirror"] if mirrored else 0)
        pairs, same = np.stack([archive["first"], archive["second"]], axis=1), archive["same"]
        vectors = np.zeros((pairs.max() + 1, raw.shape[1]), np.float32)
        vectors[archive["row"]] = to_unit_length(raw)
    return vectors, pairs, same


def is_known(faces: Faces) -> NDArray[np.bool_]:
    """Return which faces make the statistics: even rows of the training split."""
    return (faces.labels["split"] == TRAINING) & (faces.labels["row"] % 2 == 0)


def groups_of(faces: Faces) -> dict[str, NDArray[np.intp]]:
    """Return the faces of each group, by its name."""
    age, race, gender = (faces.labels[name] for name in ("age", "race", "gender"))
    adult = (age >= CHILDREN[1]) & (age < OLD)
    groups = {
        f"{name} {word}": adult & (race == place) & (gender == sex)
        for place, name in enumerate(RACES)
        for sex, word in enumerate(GENDERS)
    }
    groups[f"children under {CHILDREN[0]}"] = age < CHILDREN[0]
    groups[f"children under {CHILDREN[1]}"] = (age >= CHILDREN[0]) & (age < CHILDREN[1])
    for place, name in enumerate(RACES):
        groups[f"{name} over {OLD - 1}"] = (age >= OLD) & (race == place)
    return {name: np.flatnonzero(members) for name, members in groups.items()}


def fit(vectors: Vectors, groups: Mapping[str, NDArray[np.intp]]) -> GroupNorms:
    """Return mean and covariance of each group, its offset 0."""
    means = np.stack([vectors[members].mean(axis=0) for members in groups.values()])
    own = [np.cov(vectors[members].T) for members in groups.values()]
    sizes = np.array([len(members) for members in groups.values()])
    pooled = np.average(own, axis=0, weights=sizes)
    covariances = np.stack(
        [
            (size * one + SMALL_GROUP * pooled) / (size + SMALL_GROUP)
            for size, one in zip(sizes, own, strict=True)
        ]
    )
    zeros = np.zeros(len(groups), np.float32)
    return GroupNorms(means.astype(np.float32), covariances.astype(np.float32), zeros)


def with_offsets(
    cohort: GroupNorms, vectors: Vectors, groups: Mapping[str, NDArray[np.intp]]
) -> GroupNorms:
    """Return the statistics with the offsets that make all groups pass equally often."""
    for _ in range(ROUNDS):  # the groups of a face overlap
        offsets = cohort.offsets.copy()
        for place, members in enumerate(groups.values()):
            scores = stranger_scores(cohort, vectors[members])
            offsets[place] += np.quantile(scores, 1 - PASSING) - LEVEL
        cohort = replace(cohort, offsets=offsets)
    return cohort


def rounded(cohort: GroupNorms) -> GroupNorms:
    """Return the statistics as they are read back from half precision."""
    half = (cohort.means.astype(np.float16), cohort.covariances.astype(np.float16))
    means, covariances = (array.astype(np.float32) for array in half)
    return replace(cohort, means=means, covariances=covariances)


def stranger_scores(cohort: Cohort, vectors: Vectors, most: int = MOST) -> NDArray[np.float32]:
    """Return the scores of all pairs of some people, copies of pictures left out."""
    vectors = vectors[np.random.default_rng(0).permutation(len(vectors))[:most]]
    first, second = np.triu_indices(len(vectors), 1)
    cosines = (vectors @ vectors.T)[first, second]
    norms = cohort.norms(vectors)
    return score(cosines, norms[first], norms[second])[cosines < SAME]


def pair_scores(cohort: Cohort, vectors: Vectors, pairs: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the scores of (N, 2) pairs of faces."""
    norms: Norms = cohort.norms(vectors)
    first, second = pairs.T
    return score((vectors[first] * vectors[second]).sum(axis=1), norms[first], norms[second])


def real_cohort(faces: Faces) -> OwnCohort:
    """Return a cohort of faces themselves, as a gallery has it: as many of each adult group."""
    groups = list(groups_of(faces).values())[:NUM_ADULT]
    size = min(map(len, groups))
    return OwnCohort(faces.vectors[np.concatenate([members[:size] for members in groups])])


def calibrate(true: NDArray[np.floating], strangers: NDArray[np.floating]) -> Calibration:
    """Return the logistic function of the score by which both kinds of pairs are likeliest.

    Both count the same, whatever their numbers.
    """

    def surprise(parameters: NDArray[np.float64]) -> float:
        slope, offset = parameters
        return float(
            np.logaddexp(0, -slope * true - offset).mean()
            + np.logaddexp(0, slope * strangers + offset).mean()
        )

    slope, offset = minimize(surprise, [1.0, -2.0], method="Nelder-Mead").x
    return Calibration(round(float(slope), 3), round(float(offset), 3))


if __name__ == "__main__":
    main()
