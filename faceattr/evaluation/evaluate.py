"""An analyzer on a labelled set: what it answers, and how well that fits the truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from faceattr.errors import OptionError, describe_unknown
from faceattr.evaluation.datasets import LabelledSet, Truths
from faceattr.evaluation.metrics import Report, report_classes, report_estimates
from faceattr.labels import LabelChoice, to_groups
from faceattr.pipeline import Pipeline
from faceattr.types import Attribute, Classification, Estimate

logger = logging.getLogger(__name__)

BATCH = 64  # crops that go through an analyzer at once

Answer: TypeAlias = Attribute | None
"""What was read off a picture; None if nobody was found there."""

Targets: TypeAlias = Sequence[float | None]
"""What is true of each picture, as a number or the index of a label; None if not known."""

Pair: TypeAlias = tuple[Attribute, float]
"""An answer and its target."""

Progress: TypeAlias = Callable[[Iterable[Answer]], Iterable[Answer]]
"""Shows how far it is, and passes on what it is given."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers against what one source says is true.

    Attributes:
        report: Figures of all pictures of which that is known.
        groups: Figures of each group, by what the pictures are grouped by.
    """

    report: Report
    groups: Mapping[str, Mapping[str, Report]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        groups = {
            key: {name: report.to_dict() for name, report in reports.items()}
            for key, reports in self.groups.items()
        }
        return {**self.report.to_dict(), "groups": groups}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well the answers on a labelled set fit.

    Attributes:
        data: Name of the set.
        pictures: How many there are.
        found: On how many of them somebody was found.
        truths: The figures, by who says what is true.
    """

    data: str
    pictures: int
    found: int
    truths: Mapping[str, Comparison]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        return {
            "data": self.data,
            "pictures": self.pictures,
            "found": self.found,
            "truths": {name: truth.to_dict() for name, truth in self.truths.items()},
        }


def evaluate(
    pipeline: Pipeline,
    data: LabelledSet,
    *,
    attribute: str,
    labels: LabelChoice | None = None,
    progress: Progress = iter,
) -> Evaluation:
    """Compare what a pipeline reads off pictures with what is true of them.

    Args:
        pipeline: Has an analyzer of the attribute.
        data: Pictures and truths.
        attribute: What to compare.
        labels: Those of the pipeline, if it has its own; pictures of others are left out.
        progress: Shows how far it is.

    Raises:
        OptionError: The truth has another form than the answers, or there is nothing to compare.
    """
    (anybody,) = pipeline.analyze_crops([np.full((8, 8), 128)])
    for truths in data.truths.values():  # before the work, which may take long
        _to_targets(truths, anybody[attribute], labels, data.name)
    return judge(list(progress(answer_each(pipeline, data, attribute))), data, labels=labels)


def answer_each(pipeline: Pipeline, data: LabelledSet, attribute: str) -> Iterator[Answer]:
    """Yield what the pipeline reads off each picture, if it is no crop, off the surest face."""
    faces = _read_crops(pipeline, data) if data.are_crops else _read_pictures(pipeline, data)
    return (face.get(attribute) for face in faces)


def _read_crops(pipeline: Pipeline, data: LabelledSet) -> Iterator[Mapping[str, Attribute]]:
    pictures = iter(data.pictures)
    while batch := list(islice(pictures, BATCH)):
        yield from pipeline.analyze_crops(batch)


def _read_pictures(pipeline: Pipeline, data: LabelledSet) -> Iterator[Mapping[str, Attribute]]:
    for result in pipeline.analyze_each(data.pictures):
        if result.error is not None:
            logger.warning("%s", result.error)
        yield result.faces[0].attributes if result.faces else {}


def judge(
    answers: Sequence[Answer], data: LabelledSet, *, labels: LabelChoice | None = None
) -> Evaluation:
    """Compare answers with what is true.

    A picture without an answer or a truth counts for nothing but `Evaluation.found`.

    Args:
        answers: One per picture, of one form.
        data: Pictures and truths.
        labels: As in `evaluate`.

    Raises:
        OptionError: As in `evaluate`.
    """
    found = [answer for answer in answers if answer is not None]
    if not found:
        raise OptionError(f"{data.name}: there is a face on none of the pictures")
    targets = {
        name: _to_targets(truths, found[0], labels, data.name)
        for name, truths in data.truths.items()
    }
    return Evaluation(
        data.name,
        pictures=len(data),
        found=len(found),
        truths={name: _compare(answers, truth, data) for name, truth in targets.items()},
    )


def _to_targets(truths: Truths, form: Attribute, labels: LabelChoice | None, name: str) -> Targets:
    """Return the truths as numbers or indices of labels."""
    if not isinstance(form, Classification):
        return [None if truth is None else _to_number(truth, name) for truth in truths]
    known = list(form.scores)
    index = {
        member.casefold(): position
        for position, members in enumerate(to_groups(known if labels is None else labels).values())
        for member in members
    }
    for truth in dict.fromkeys(truths) if labels is None else ():
        if truth is not None and str(truth).casefold() not in index:
            raise OptionError(f"{name}: {describe_unknown('label', str(truth), known)}")
    return [None if truth is None else index.get(str(truth).casefold()) for truth in truths]


def _to_number(truth: str | float, name: str) -> float:
    try:
        return float(truth)
    except ValueError as error:
        raise OptionError(f"{name}: {truth!r} is no number, as the answers are") from error


def _compare(answers: Sequence[Answer], targets: Targets, data: LabelledSet) -> Comparison:
    """Return the figures of the answers, together and for each group."""
    pairs = {
        row: (answer, target)
        for row, (answer, target) in enumerate(zip(answers, targets, strict=True))
        if answer is not None and target is not None
    }
    if not pairs:
        raise OptionError(f"{data.name}: no picture has both a face and a known truth")
    groups = {key: _grouped(pairs, names) for key, names in data.groups.items()}
    return Comparison(_report(list(pairs.values())), groups)


def _grouped(pairs: Mapping[int, Pair], names: Sequence[str]) -> dict[str, Report]:
    """Return the figures of each group, in the order of their names."""
    members: dict[str, list[Pair]] = {}
    for row, pair in pairs.items():
        members.setdefault(names[row], []).append(pair)
    return {name: _report(members[name]) for name in sorted(members)}


def _report(pairs: Sequence[Pair]) -> Report:
    truth = np.array([target for _, target in pairs])
    classified = [answer for answer, _ in pairs if isinstance(answer, Classification)]
    if classified:
        scores = np.array([list(answer.scores.values()) for answer in classified])
        return report_classes(scores, truth.astype(int), list(classified[0].scores))
    estimated = [answer for answer, _ in pairs if isinstance(answer, Estimate)]
    std = [answer.std for answer in estimated if answer.std is not None]
    return report_estimates(
        np.array([answer.value for answer in estimated]),
        truth,
        estimated[0].unit,
        std=np.array(std) if std else None,
    )
