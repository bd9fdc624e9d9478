r"""Measure recognition, and write the tables of the card.

    python -m models.identity.evaluate utkface_descriptors.npz lfw_descriptors.npz lfw_dlib.npz

Reads what `describe.py` and `dlib_pipeline.py` have written. LFW is what folds 1 to 4 of its 6,000
standard pairs are, on deep-funnelled pictures; UTKFace what `norms.py` has left: the odd rows of
the training split and the validation split, from 20 to 50 years, at most 300 people of a group,
copies of pictures left out. Of the other pairs some are of one person, as the data set does not
say who is on a picture; so these shares are upper bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.identity import to_unit_length
from faceattr.evaluation.tables import Table
from faceattr.recognition.scores import (
    GROUPS,
    Cohort,
    GroupNorms,
    OwnCohort,
    Vectors,
    score,
    shipped_cohort,
)
from faceattr.recognition.verification import ODDS
from models.figures import markdown, write_card
from models.identity.norms import (
    GENDERS,
    NUM_ADULT,
    OLD,
    RACES,
    SAME,
    Faces,
    fit,
    groups_of,
    is_known,
    pair_scores,
    read_lfw,
    read_utkface,
    real_cohort,
    rounded,
    with_offsets,
)

AGES = (20, 50)  # years of the adults that are compared
MOST = 300  # people of a group
STRICT = 1e-3  # share of LFW's pairs of different people that pass
WORST = 0.005  # the same of the strangers of a group
NEIGHBORS = 40  # by whose group that of a face of LFW is guessed
LOOSE = 1 - 0.4**2 / 2  # cosine of unit vectors at a distance of 0.4, deepface's threshold
CHILDREN = ((0, 3), (4, 8), (9, 15))
ODDS_OF_TABLES = (1.0, 0.1, 0.01)
FORMS = ("f32", "f32+mirror", "int8", "int8+mirror")
CRITERIA = ("length", "cosine", "score")


class Lfw(NamedTuple):
    """LFW's pairs, and how a way to describe faces compares them."""

    pairs: NDArray[np.intp]
    same: NDArray[np.bool_]
    fold: NDArray[np.int_]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("utkface", type=Path)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("dlib", type=Path, nargs="?", help="to compare with dlib's own pipeline")
    options = parser.parse_args()
    faces = read_utkface(options.utkface)
    known, left = faces.where(is_known(faces)), faces.where(~is_known(faces))
    vectors, pairs, same = read_lfw(options.lfw, "int8")
    with np.load(options.lfw) as archive:
        lfw = Lfw(pairs, same, archive["fold"])
        raw = {form: read_raw(archive, form) for form in FORMS}
    if options.dlib is not None:
        with np.load(options.dlib) as archive:
            raw["dlib's own pipeline"] = archive["descriptors"]
    race = guess_race(vectors, known)
    both = read_utkface(options.utkface, mirrored=True).where(~is_known(faces))
    adults, both_adults = adults_of(left), adults_of(both)
    mirrored, _, _ = read_lfw(options.lfw, "int8+mirror")
    tables = [
        accuracy_table(raw, lfw),
        group_table(vectors, lfw, adults, both_adults),
        other_ages_table(left, both),
        true_table(raw, lfw, race),
        choices_table(vectors, lfw, race, known, adults),
        odds_table(mirrored, lfw, both_adults),
    ]
    figures = {table.title: {"header": table.header, "rows": table.rows} for table in tables}
    write_card(Path(__file__).parent, figures, markdown(tables))


def read_raw(archive: Mapping[str, NDArray[np.float32]], form: str) -> NDArray[np.float32]:
    """Return the network's outputs for each picture of LFW, NaN where no face was found."""
    name, _, mirrored = form.partition("+")
    raw = archive[name]
    if mirrored:
        raw = (raw + archive[f"{name}-mirror"]) * np.float32(0.5)
    outputs = np.full((len(archive["first"]) * 2, raw.shape[1]), np.nan, np.float32)
    outputs[archive["row"]] = raw
    return outputs


def compare(raw: NDArray[np.float32], lfw: Lfw, criterion: str) -> NDArray[np.float32]:
    """Return how alike the faces of each pair are; a pair without a face is as unlike as can be.

    Args:
        raw: Outputs of a network for each picture.
        lfw: The pairs.
        criterion: ``"length"`` of the difference of the outputs, as dlib does; ``"cosine"``; or
            ``"score"``, normalized by the statistics that ship.
    """
    first, second = raw[lfw.pairs[:, 0]], raw[lfw.pairs[:, 1]]
    if criterion == "length":
        alike = -np.linalg.norm(first - second, axis=1)
    elif criterion == "cosine":
        alike = (to_unit_length(first) * to_unit_length(second)).sum(axis=1)
    else:
        alike = pair_scores(shipped_cohort(), to_unit_length(raw), lfw.pairs)
    return np.where(np.isnan(alike), -100, alike).astype(np.float32)


def accuracy_table(raw: Mapping[str, NDArray[np.float32]], lfw: Lfw) -> Table:
    """Return accuracy and true matches on LFW of each network and criterion."""
    header = ["network"]
    for criterion in CRITERIA:
        header += [f"{criterion}: accuracy", f"true at {STRICT:g}"]
    rows = []
    for name, outputs in raw.items():
        rows.append([name, *accuracy_cells(outputs, lfw)])
        found = ~np.isnan(outputs[lfw.pairs]).any(axis=(1, 2))
        if not found.all():
            where = Lfw(lfw.pairs[found], lfw.same[found], lfw.fold[found])
            title = f"{name}, the {found.sum():,} pairs with both faces found"
            rows.append([title, *accuracy_cells(outputs, where)])
    return Table("LFW, folds 1 to 4 of 10, deep-funnelled: 2,400 pairs", header, rows)


def accuracy_cells(outputs: NDArray[np.float32], lfw: Lfw) -> Iterator[str]:
    """Yield accuracy and true matches by each criterion."""
    for criterion in CRITERIA:
        alike = compare(outputs, lfw, criterion)
        yield f"{accuracy(alike, lfw):.2%}"
        yield f"{(alike[lfw.same] > strict_threshold(alike, lfw)).mean():.1%}"


def accuracy(alike: NDArray[np.float32], lfw: Lfw) -> float:
    """Return the mean accuracy of the folds, each by the best threshold of the others."""
    folds = []
    for fold in np.unique(lfw.fold):
        others = lfw.fold != fold
        places = np.sort(alike[others])
        right = [((alike[others] > place) == lfw.same[others]).mean() for place in places]
        best = places[np.flatnonzero(right == np.max(right))]
        threshold = best[len(best) // 2]
        folds.append(((alike[~others] > threshold) == lfw.same[~others]).mean())
    return float(np.mean(folds))


def strict_threshold(alike: NDArray[np.float32], lfw: Lfw) -> float:
    """Return the threshold that one in a thousand pairs of different people exceeds."""
    return float(np.quantile(alike[~lfw.same], 1 - STRICT, method="higher"))


def operating_threshold() -> float:
    """Return the score above which `verify` says that two faces are of one person."""
    return float(-(np.log(ODDS) + GROUPS.offset) / GROUPS.slope)


def adults_of(left: Faces) -> dict[str, Vectors]:
    """Return the adults that `norms.py` has left, by group."""
    age = left.labels["age"]
    young = left.where((age >= AGES[0]) & (age <= AGES[1]))
    groups = list(groups_of(young).items())[:NUM_ADULT]
    rng = np.random.default_rng(0)
    return {name: young.vectors[rng.permutation(members)[:MOST]] for name, members in groups}


def strangers(vectors: Vectors, cohort: Cohort | None) -> NDArray[np.float32]:
    """Return the scores, or the cosines, of all pairs of people."""
    first, second = np.triu_indices(len(vectors), 1)
    cosines = (vectors @ vectors.T)[first, second]
    if cohort is None:
        return cosines[cosines < SAME]
    norms = cohort.norms(vectors)
    return score(cosines, norms[first], norms[second])[cosines < SAME]


def group_table(
    vectors: Vectors, lfw: Lfw, adults: Mapping[str, Vectors], both: Mapping[str, Vectors]
) -> Table:
    """Return the share of strangers of each group that pass, by cosine and by score.

    Args:
        vectors: Descriptors of LFW's pictures.
        lfw: Its pairs.
        adults: Descriptors of the people of each group.
        both: The same with the mirrored crops, as `verify` takes them.
    """
    cosines = (vectors[lfw.pairs[:, 0]] * vectors[lfw.pairs[:, 1]]).sum(axis=1)
    strict, ours = strict_threshold(cosines, lfw), operating_threshold()
    rows = []
    for name, people in adults.items():
        plain, scores = strangers(people, None), strangers(people, shipped_cohort())
        mirrored = strangers(both[name], shipped_cohort())
        passing = plain > LOOSE, plain > strict, scores > ours, mirrored > ours
        rows.append([name, str(len(people)), *(f"{one.mean():.2%}" for one in passing)])
    return Table(
        "Different people of one group taken for one person (UTKFace, 20 to 50 years)",
        [
            *("group", "people", "distance of unit vectors below 0.4 (deepface)"),
            *("the same at LFW's 1 in 1,000", f"a score above {ours:.2f}", "verify()"),
        ],
        rows,
    )


def other_ages_table(left: Faces, both: Faces) -> Table:
    """Return the same of children and of the old."""
    age, race = left.labels["age"], left.labels["race"]
    groups = {
        f"{low} to {high} years": (age >= low) & (age <= high) & (race < len(RACES))
        for low, high in CHILDREN
    }
    groups |= {
        f"{name} over {OLD - 1}": (age >= OLD) & (race == place) for place, name in enumerate(RACES)
    }
    rng = np.random.default_rng(0)
    rows = []
    for name, chosen in groups.items():
        members = rng.permutation(np.flatnonzero(chosen))[:MOST]
        plain = strangers(left.vectors[members], None) > LOOSE
        scores = strangers(left.vectors[members], shipped_cohort()) > operating_threshold()
        mirrored = strangers(both.vectors[members], shipped_cohort()) > operating_threshold()
        passing = (f"{one.mean():.2%}" for one in (plain, scores, mirrored))
        rows.append([name, str(len(members)), *passing])
    return Table(
        "The same of children, and above 50",
        [
            *("group", "people", "distance of unit vectors below 0.4"),
            *(f"a score above {operating_threshold():.2f}", "verify()"),
        ],
        rows,
    )


def guess_race(vectors: Vectors, known: Faces) -> NDArray[np.intp]:
    """Return the race of the faces of UTKFace that are most like each face of LFW."""
    groups = list(groups_of(known).values())[:NUM_ADULT]
    size = min(map(len, groups))
    people = np.concatenate([members[:size] for members in groups])
    race = np.repeat(np.arange(NUM_ADULT) // len(GENDERS), size)
    nearest = np.argsort(-(vectors @ known.vectors[people].T), axis=1)[:, :NEIGHBORS]
    votes = np.stack([(race[nearest] == one).sum(axis=1) for one in range(len(RACES))], axis=1)
    return votes.argmax(axis=1)


def true_table(raw: Mapping[str, NDArray[np.float32]], lfw: Lfw, race: NDArray[np.intp]) -> Table:
    """Return the share of LFW's true pairs that pass, by guessed group."""
    of_pair = race[lfw.pairs[:, 0]]
    counts = [(lfw.same & (of_pair == one)).sum() for one in range(len(RACES))]
    rows = []
    for name in ("int8", "int8+mirror"):
        cosines, scores = (compare(raw[name], lfw, one) for one in ("cosine", "score"))
        ways = {
            f"{name}, cosine at LFW's 1 in 1,000": cosines > strict_threshold(cosines, lfw),
            f"{name}, score at LFW's 1 in 1,000": scores > strict_threshold(scores, lfw),
            f"{name}, verify()": scores > operating_threshold(),
        }
        for way, passed in ways.items():
            shares = [passed[lfw.same & (of_pair == one)].mean() for one in range(len(RACES))]
            rows.append(
                [
                    way,
                    f"{passed[~lfw.same].mean():.2%}",
                    f"{passed[lfw.same].mean():.1%}",
                    *(f"{share:.1%}" for share in shares),
                ]
            )
    groups = [f"{name} ({count})" for name, count in zip(RACES, counts, strict=True)]
    return Table(
        "True pairs of LFW that pass, by guessed group (pairs)",
        ["way", "of different people", "of one person", *groups],
        rows,
    )


def choices_table(
    vectors: Vectors,
    lfw: Lfw,
    race: NDArray[np.intp],
    known: Faces,
    adults: Mapping[str, Vectors],
) -> Table:
    """Return what each way to normalize costs where it lets 0.5 % of the worst group pass."""
    of_pair = race[lfw.pairs[:, 0]]
    rows = []
    for name, cohort, change in choices(known):
        changed = change(vectors)
        if cohort is None:
            alike = (changed[lfw.pairs[:, 0]] * changed[lfw.pairs[:, 1]]).sum(axis=1)
        else:
            alike = pair_scores(cohort, changed, lfw.pairs)
        scores = {group: strangers(change(people), cohort) for group, people in adults.items()}
        threshold = max(float(np.quantile(one, 1 - WORST)) for one in scores.values())
        shares = [float((one > threshold).mean()) for one in scores.values()]
        passed = alike > threshold
        ratio = max(shares) / max(min(shares), 1e-6)
        rows.append(
            [
                name,
                f"{accuracy(alike, lfw):.2%}",
                f"{(alike[lfw.same] > strict_threshold(alike, lfw)).mean():.1%}",
                f"{passed[lfw.same].mean():.1%}",
                *(f"{passed[lfw.same & (of_pair == one)].mean():.1%}" for one in range(len(RACES))),
                f"{ratio:.1f}" if ratio < 1000 else "over 1,000",
            ]
        )
    return Table(
        "Ways to normalize, each where 0.5 % of the strangers of the worst group pass (int8)",
        [
            *("way", "LFW accuracy", f"true at {STRICT:g}", "true at 0.5 % of the worst group"),
            *RACES,
            "worst group to best",
        ],
        rows,
    )


def choices(known: Faces) -> Iterator[tuple[str, Cohort | None, Callable[[Vectors], Vectors]]]:
    """Yield name, cohort, and what is done to vectors before, for each way to normalize."""
    groups = groups_of(known)
    adult = dict(list(groups.items())[:NUM_ADULT])
    one = {"all": np.concatenate(list(adult.values()))}

    def plain(vectors: Vectors) -> Vectors:
        return vectors

    yield "none: the cosine", None, plain
    yield "whitening by the covariance within groups", None, Whitening(known, adult, 1.0)
    yield "a cohort of 1,480 faces, the 46 nearest", real_cohort(known), plain
    rng = np.random.default_rng(0)
    drawn = [draw(known.vectors[members], 500, rng) for members in adult.values()]
    yield (
        "500 faces drawn from a Gaussian per group, the 125 nearest",
        OwnCohort(np.concatenate(drawn)),
        plain,
    )
    for name, chosen in (
        ("one group", one),
        ("8 groups of adults", adult),
        ("8 and 2 of children", dict(list(groups.items())[: NUM_ADULT + 2])),
        ("8, 2 of children, 4 of the old: ships", groups),
        ("groups of race, gender and four ages", by_four_ages(known)),
    ):
        bare = fit(known.vectors, chosen)
        if chosen is adult:
            yield f"statistics of {name}, without offsets", bare, plain
        yield f"statistics of {name}", rounded(with_offsets(bare, known.vectors, chosen)), plain
    half = Whitening(known, adult, 0.5)
    moved = known._replace(vectors=half(known.vectors))
    cohort: GroupNorms = with_offsets(fit(moved.vectors, adult), moved.vectors, adult)
    yield "half whitening, then statistics of 8 groups", cohort, half


class Whitening:
    """Shrinks the directions in which strangers of one group differ most."""

    def __init__(self, known: Faces, groups: Mapping[str, NDArray[np.intp]], power: float) -> None:
        own = [known.vectors[members] for members in groups.values()]
        values, axes = np.linalg.eigh(np.mean([np.cov(one.T) for one in own], axis=0))
        self._mean = np.mean([one.mean(axis=0) for one in own], axis=0)
        self._matrix = axes @ np.diag(np.maximum(values, 1e-5) ** (-power / 2)) @ axes.T

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return the vectors so changed, of length 1."""
        return to_unit_length((vectors - self._mean) @ self._matrix)


def draw(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Return descriptors drawn from the Gaussian of a group."""
    values, axes = np.linalg.eigh(np.cov(vectors.T))
    noise = rng.standard_normal((count, len(values))) * np.sqrt(np.maximum(values, 0))
    return to_unit_length(vectors.mean(axis=0) + noise @ axes.T)


def by_four_ages(known: Faces) -> dict[str, NDArray[np.intp]]:
    """Return groups by race, gender, and four ages, those of at least 60 faces."""
    age, race, gender = (known.labels[name] for name in ("age", "race", "gender"))
    groups = {}
    for low, high in ((0, 15), (16, 35), (36, 55), (56, 200)):
        for place, name in enumerate(RACES):
            for sex, word in enumerate(GENDERS):
                members = (age >= low) & (age <= high) & (race == place) & (gender == sex)
                if members.sum() >= 60:
                    groups[f"{name} {word} from {low}"] = np.flatnonzero(members)
    ordered = [name for name in groups if name.endswith("from 16")]
    return {name: groups[name] for name in [*ordered, *(groups.keys() - set(ordered))]}


def odds_table(vectors: Vectors, lfw: Lfw, adults: Mapping[str, Vectors]) -> Table:
    """Return what passes at some odds, and how well probabilities are calibrated there."""
    scores = pair_scores(shipped_cohort(), vectors, lfw.pairs)
    within = np.concatenate([strangers(people, shipped_cohort()) for people in adults.values()])
    rows = []
    for odds in ODDS_OF_TABLES:
        threshold = -(np.log(odds) + GROUPS.offset) / GROUPS.slope
        rows.append(
            [
                f"{odds:g}",
                f"{threshold:.2f}",
                f"{(scores[lfw.same] > threshold).mean():.1%}",
                f"{(scores[~lfw.same] > threshold).mean():.2%}",
                f"{(within > threshold).mean():.3%}",
                f"{expected_error(scores[lfw.same], within, odds):.3f}",
            ]
        )
    return Table(
        "The odds that are given (int8+mirror, as by verify())",
        [
            *("odds", "score", "of one person (LFW)", "of different people (LFW)"),
            *("strangers of one group (UTKFace)", "calibration error"),
        ],
        rows,
    )


def expected_error(
    true: NDArray[np.float32], false: NDArray[np.float32], odds: float, bins: int = 10
) -> float:
    """Return the expected calibration error, the pairs weighted by the odds."""
    logits = GROUPS.evidence(np.concatenate([true, false])) + np.log(odds)
    probabilities = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    weights = np.concatenate(
        [np.full(len(true), odds / len(true)), np.full(len(false), 1 / len(false))]
    )
    truth = np.arange(len(logits)) < len(true)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        own = place == one
        if own.any():
            error += abs(float((weights[own] * (truth[own] - probabilities[own])).sum()))
    return error / float(weights.sum())


if __name__ == "__main__":
    main()
