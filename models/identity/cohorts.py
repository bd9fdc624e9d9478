r"""Measure which strangers a gallery's scores are best normalized by, among made-up people.

    python -m models.identity.cohorts lfw_descriptors.npz

Galleries of 1,000 faces, of few people or many, by the statistics that ship, by the gallery's faces
and by its people. People are drawn by the shipped statistics; looks at one person differ as those
of the true pairs of LFW (folds 1 to 4) do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from faceattr.analyzers.identity import to_unit_length
from faceattr.evaluation.tables import Table
from faceattr.recognition.scores import Cohort, OwnCohort, Vectors, score, shipped_cohort
from models.figures import markdown, write_card
from models.identity.approximate import people_of, spread
from models.identity.norms import read_lfw

NUM_FACES = 1000
FACES_EACH = (1, 2, 5, 10, 20)
NUM_STRANGERS = 4000
PASSING = 0.01  # share of strangers that are taken for somebody


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lfw", type=Path)
    options = parser.parse_args()
    table = Table(
        f"Found in a gallery of {NUM_FACES:,} faces where {PASSING:.0%} of the strangers pass",
        [
            "people",
            "faces each",
            "no cohort",
            "the statistics that ship",
            "its faces",
            "its people",
        ],
        list(rows(differences(options.lfw))),
    )
    figures = {table.title: {"header": table.header, "rows": table.rows}}
    write_card(Path(__file__).parent, figures, markdown([table]), section="cohorts")


def differences(path: Path) -> Vectors:
    """Return the covariance of looks at one person about their mean, from LFW's true pairs."""
    vectors, pairs, same = read_lfw(path, "int8+mirror")
    steps = vectors[pairs[same, 0]] - vectors[pairs[same, 1]]
    return (steps.T @ steps / (2 * len(steps))).astype(np.float32)


def rows(covariance: Vectors) -> Iterator[list[str]]:
    """Yield the row of each number of faces per person."""
    within = spread(covariance)
    rng = np.random.default_rng(0)
    strangers = look_at(people_of(NUM_STRANGERS, rng), within, rng)
    for each in FACES_EACH:
        people = people_of(NUM_FACES // each, rng)
        faces = np.stack([look_at(people, within, rng) for _ in range(each)], axis=1)
        known = to_unit_length(faces.sum(axis=1))
        queries = look_at(people, within, rng)
        cohorts: list[Cohort | None] = [
            *(None, shipped_cohort()),
            *(OwnCohort(faces.reshape(NUM_FACES, -1)), OwnCohort(known)),
        ]
        found = [share_found(known, queries, strangers, cohort) for cohort in cohorts]
        yield [f"{len(people):,}", f"{each}", *(f"{one:.1%}" for one in found)]


def look_at(people: Vectors, within: Vectors, rng: np.random.Generator) -> Vectors:
    """Return the descriptor of another picture of each person."""
    noise = rng.standard_normal(people.shape, np.float32)
    return to_unit_length(people + noise @ within)


def share_found(
    known: Vectors, queries: Vectors, strangers: Vectors, cohort: Cohort | None
) -> float:
    """Return how many people get the largest score of all, and more than nearly all strangers.

    Args:
        known: Descriptor of each person of the gallery.
        queries: Another one of each.
        strangers: Descriptors of others.
        cohort: By which scores are normalized; None for cosines.
    """
    scores, others = (
        vectors @ known.T
        if cohort is None
        else score(vectors @ known.T, cohort.norms(vectors)[:, None], cohort.norms(known)[None])
        for vectors in (queries, strangers)
    )
    threshold = np.quantile(others.max(axis=1), 1 - PASSING)
    right = scores.argmax(axis=1) == np.arange(len(known))
    return float((right & (scores.max(axis=1) > threshold)).mean())


if __name__ == "__main__":
    main()
