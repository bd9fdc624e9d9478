r"""Measure the approximate search of galleries beside the exact one, among made-up people.

    python -m models.identity.approximate --people 200000

People are drawn by the statistics of the shipped groups, so that they are as alike as real ones; a
second look at somebody differs by NOISE of the spread within a group. Times are processor time,
so that they mean something on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceattr.analyzers.identity import to_unit_length
from faceattr.evaluation.tables import Table
from faceattr.recognition.gallery import Candidate, Gallery
from faceattr.recognition.scores import Vectors, shipped_cohort
from faceattr.types import Descriptor
from models.figures import markdown, write_card

NOISE = 0.75
NUM_QUERIES = 100
TOP = 5


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=200_000)
    options = parser.parse_args()
    table = compare(options.people)
    figures = {table.title: {"header": table.header, "rows": table.rows}}
    write_card(Path(__file__).parent, figures, markdown([table]), section="approximate")


def compare(num_people: int) -> Table:
    """Return what both searches cost and find."""
    people, queries, places = draw(num_people)
    names = [f"person {index}" for index in range(num_people)]
    rows, answers = [], []
    for way in ("exact", "approximate"):
        gallery = Gallery(approximate=way == "approximate")
        gallery.add_vectors(names, people)
        ready = search(gallery, queries[:1])[1]
        found, first = search(gallery, queries)
        again = search(gallery, queries)[1]
        answers.append(found)
        right = np.mean([one[0].name == names[at] for one, at in zip(found, places, strict=True)])
        rows.append(
            [
                way,
                f"{ready:.1f} s",
                f"{first / NUM_QUERIES * 1e3:.0f} ms",
                f"{again / NUM_QUERIES * 1e3:.0f} ms",
                f"{right:.1%}",
                f"{shared(found, answers[0], 1):.1%}",
                f"{shared(found, answers[0], TOP):.1%}",
            ]
        )
    return Table(
        f"Searching among {num_people:,} people ({NUM_QUERIES} faces)",
        [
            *("search", "to make ready", "a face", "the same again", "right person first"),
            *("first as in the exact search", f"of its first {TOP}"),
        ],
        rows,
    )


def draw(num_people: int) -> tuple[Vectors, Vectors, list[int]]:
    """Return descriptors of people, a second look at some of them, and whose these are."""
    rng = np.random.default_rng(0)
    people = people_of(num_people, rng)
    places = rng.integers(0, num_people, NUM_QUERIES)
    noise = rng.standard_normal((NUM_QUERIES, people.shape[1]), np.float32)
    looks = people[places] + NOISE * noise @ spread(shipped_cohort().covariances.mean(axis=0))
    return people, to_unit_length(looks), places.tolist()


def people_of(count: int, rng: np.random.Generator) -> Vectors:
    """Return the descriptors of people of all the shipped groups."""
    cohort = shipped_cohort()
    group = rng.integers(0, len(cohort.means), count)
    people = rng.standard_normal((count, cohort.means.shape[1]), np.float32)
    for number, (mean, covariance) in enumerate(zip(cohort.means, cohort.covariances, strict=True)):
        people[group == number] = mean + people[group == number] @ spread(covariance)
    return to_unit_length(people)


def spread(covariance: Vectors) -> Vectors:
    """Return the matrix that gives white noise this covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))).T.astype(np.float32)


def search(gallery: Gallery, queries: Vectors) -> tuple[list[list[Candidate]], float]:
    """Return the candidates for each face, and the processor time in seconds."""
    begin = time.process_time()
    found = [gallery.search(Descriptor(one, private=True), top=TOP) for one in queries]
    return found, time.process_time() - begin


def shared(
    found: Sequence[Sequence[Candidate]], exact: Sequence[Sequence[Candidate]], count: int
) -> float:
    """Return which share of the first people of the exact search were found too."""
    hits = [
        len({one.name for one in few[:count]} & {one.name for one in all_[:count]})
        for few, all_ in zip(found, exact, strict=True)
    ]
    return sum(hits) / (count * len(hits))


if __name__ == "__main__":
    main()
