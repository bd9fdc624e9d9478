"""Run an analyzer on a labelled set and compare its answers with the ground truth."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import OptionError, UnknownNameError, describe_unknown
from faceattr.evaluation.datasets import GroundTruth, LabelledSet
from faceattr.evaluation.metrics import Report, report_classes, report_estimates
from faceattr.forms import Labels
from faceattr.labels import OTHER, LabelChoice, to_groups
from faceattr.pipeline import Pipeline
from faceattr.types import Attribute, Classification, Estimate

logger = logging.getLogger(__name__)

BATCH = 64  # crops that go through an analyzer at once
CROP_SIDE = 256  # pixels; the median picture of a set of crops is not larger
MANY_MISSED = 0.01  # share of pictures without a face, from which a set may consist of crops

Answer: TypeAlias = Attribute | None
"""What was read from an image; None if no face was found in it."""

Pair: TypeAlias = tuple[Attribute, float]
"""An answer and its target: the true number, or the index of the true label."""

Progress: TypeAlias = Callable[[Iterable[Answer]], Iterable[Answer]]
"""Shows progress while it passes on the answers that it is given."""


class Targets(NamedTuple):
    """Ground truth in the form of the answers.

    Attributes:
        values: The true number of each image, or the index of its true label; None if unknown.
        left_out: Whether the true label of each image is in none of the groups of labels.
    """

    values: Sequence[float | None]
    left_out: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers against the ground truth of one source.

    Attributes:
        report: Figures of all images whose ground truth is known.
        groups: Figures of each group of images, by the column that groups them.
        left_out: Number of images whose true label is in none of the groups of labels. They
            count as the label ``other`` if the answers have it, and as nothing otherwise.
        targets: The true number of each image, or the index of its true label among those of
            the answers; None if it is unknown.
    """

    report: Report
    groups: Mapping[str, Mapping[str, Report]] = field(default_factory=dict)
    left_out: int = 0
    targets: Sequence[float | None] = field(default=(), repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        groups = {
            key: {name: report.to_dict() for name, report in reports.items()}
            for key, reports in self.groups.items()
        }
        return {**self.report.to_dict(), "left_out": self.left_out, "groups": groups}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Answers on a labelled set against its ground truth.

    Attributes:
        data: Name of the set.
        pictures: Number of images.
        found: Number of images in which a face was found.
        ground_truth: The comparison with each source of ground truth, by its name.
        answers: What was read from each image; None where no face was found.
        hint: What the user may have meant to do otherwise, or nothing.
    """

    data: str
    pictures: int
    found: int
    ground_truth: Mapping[str, Comparison]
    answers: Sequence[Answer] = field(default=(), repr=False, compare=False)
    hint: str = ""

    @explained
    def pairs(self, source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (N,) estimates and (N,) true numbers of the images that have both.

        Args:
            source: The source of ground truth.

        Raises:
            UnknownNameError: There is no such source.
            OptionError: The answers are no estimates.
        """
        if source not in self.ground_truth:
            described = describe_unknown("source", source, list(self.ground_truth))
            raise UnknownNameError(described)
        targets = self.ground_truth[source].targets
        both = [
            (answer.value, target)
            for answer, target in zip(self.answers, targets, strict=True)
            if isinstance(answer, Estimate) and target is not None
        ]
        if not both:
            raise OptionError(f"the answers on {self.data} are no estimates")
        values, ground_truth = np.array(both, np.float64).T
        return values, ground_truth

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        return {
            "data": self.data,
            "pictures": self.pictures,
            "found": self.found,
            "hint": self.hint,
            "ground_truth": {name: one.to_dict() for name, one in self.ground_truth.items()},
        }


@explained
def evaluate(
    pipeline: Pipeline,
    data: LabelledSet,
    *,
    attribute: str,
    labels: LabelChoice | None = None,
    progress: Progress = iter,
) -> Evaluation:
    """Run a pipeline on a labelled set and compare its answers with the ground truth.

    Args:
        pipeline: Has an analyzer of the attribute.
        data: Images and ground truth.
        attribute: What to compare.
        labels: The labels or groups of labels that the pipeline was given, if any.
        progress: Shows progress while it passes on the answers.

    Raises:
        UnknownNameError: No analyzer of the pipeline reads the attribute.
        OptionError: The ground truth does not fit the answers, or there is nothing to compare.
    """
    known = check_labels(pipeline, data, attribute, labels)  # before the work, which may take long
    sizes: list[int] = []
    answers = list(progress(answer_each(pipeline, data, attribute, sizes=sizes)))
    hint = _hint(answers, sizes)
    if hint and all(answer is None for answer in answers):
        raise OptionError(f"{data.name}: no face was found in any of the pictures; {hint}")
    return replace(score(answers, data, labels=labels, known=known), hint=hint)


@explained
def check_labels(
    pipeline: Pipeline, data: LabelledSet, attribute: str, labels: LabelChoice | None = None
) -> Sequence[str] | None:
    """Refuse ground truth that does not fit the answers, before any image is read.

    Args:
        pipeline: As in `evaluate`.
        data: As in `evaluate`.
        attribute: As in `evaluate`.
        labels: As in `evaluate`.

    Returns:
        The labels of the analyzer before grouping; None if it gives numbers.

    Raises:
        UnknownNameError: No analyzer of the pipeline reads the attribute.
        OptionError: The ground truth has unknown labels, or texts in the place of numbers.
    """
    if attribute not in pipeline.outputs:
        raise UnknownNameError(describe_unknown("attribute", attribute, list(pipeline.outputs)))
    output, declared = pipeline.outputs[attribute], pipeline.declared[attribute]
    known = declared.names if isinstance(declared, Labels) else None
    for ground_truth in data.ground_truth.values():
        answered = output.names if isinstance(output, Labels) else None
        _to_targets(ground_truth, answered, labels, data.name, known)
    return known


@explained
def answer_each(
    pipeline: Pipeline, data: LabelledSet, attribute: str, *, sizes: list[int] | None = None
) -> Iterator[Answer]:
    """Yield the attribute of each image's most confident face, or of each crop.

    Args:
        pipeline: As in `evaluate`.
        data: As in `evaluate`.
        attribute: As in `evaluate`.
        sizes: Gets the longer side of each image that is no crop, in pixels.
    """
    faces = _read_crops(pipeline, data) if data.are_crops else _read_pictures(pipeline, data, sizes)
    for face in faces:
        yield face.get(attribute)


def _read_crops(pipeline: Pipeline, data: LabelledSet) -> Iterator[Mapping[str, Attribute]]:
    pictures = iter(data.pictures)
    while batch := list(islice(pictures, BATCH)):
        yield from pipeline.analyze_crops(batch)


def _read_pictures(
    pipeline: Pipeline, data: LabelledSet, sizes: list[int] | None
) -> Iterator[Mapping[str, Attribute]]:
    for result in pipeline.analyze_each(data.pictures):
        if sizes is not None:
            sizes.append(max(result.width, result.height))
        if result.error is not None:
            logger.warning("%s", result.error)
        yield result.faces[0].attributes if result.faces else {}


def _hint(answers: Sequence[Answer], sizes: Sequence[int]) -> str:
    """Return a hint if the pictures look like crops: many without a face, and most of them small.

    Args:
        answers: One per image.
        sizes: Longer side of each image in pixels; empty for crops.
    """
    missed = sum(answer is None for answer in answers)
    if not sizes or missed < MANY_MISSED * len(sizes) or np.median(sizes) > CROP_SIDE:
        return ""
    return (
        f"no face was found in {missed} of {len(sizes)} pictures, and most of them are at most "
        f"{CROP_SIDE} pixels large: if they are crops of faces, take them as such with --crops, in "
        "Python are_crops=True"
    )


@explained
def score(
    answers: Sequence[Answer],
    data: LabelledSet,
    *,
    labels: LabelChoice | None = None,
    known: Sequence[str] | None = None,
) -> Evaluation:
    """Compare answers with the ground truth.

    An image without an answer or without ground truth is only counted in `Evaluation.pictures`
    and `Evaluation.found`.

    Args:
        answers: One per image, all of the same form.
        data: Images and ground truth.
        labels: As in `evaluate`.
        known: The labels of the analyzer before grouping, as `check_labels` returns them, so that
            other labels are refused; None to count those as left out.

    Raises:
        OptionError: As in `evaluate`.
    """
    found = [answer for answer in answers if answer is not None]
    if not found:
        raise OptionError(f"{data.name}: no face was found in any of the pictures")
    targets = {
        name: _to_targets(ground_truth, _labels_of(found[0]), labels, data.name, known)
        for name, ground_truth in data.ground_truth.items()
    }
    return Evaluation(
        data.name,
        pictures=len(data),
        found=len(found),
        ground_truth={name: _compare(answers, one, data) for name, one in targets.items()},
        answers=answers,
    )


def _labels_of(answer: Attribute) -> Sequence[str] | None:
    return list(answer.scores) if isinstance(answer, Classification) else None


def _to_targets(
    ground_truth: GroundTruth,
    answered: Sequence[str] | None,
    labels: LabelChoice | None,
    name: str,
    known: Sequence[str] | None,
) -> Targets:
    """Return ground truth in the form of the answers.

    A true label is one of the analyzer's, or the name of a group of them.

    Args:
        ground_truth: A label or number per image.
        answered: The labels of the answers, after grouping; None for numbers.
        labels: The groups of labels, if any.
        name: Name of the set, for messages.
        known: The labels of the analyzer before grouping; None if they are not known.

    Raises:
        OptionError: A label is unknown, or is not a number where the answers are.
    """
    if answered is None:
        numbers = [None if truth is None else _to_number(truth, name) for truth in ground_truth]
        return Targets(numbers, [False] * len(numbers))
    position = {label: index for index, label in enumerate(answered)}
    groups = {label: (label,) for label in answered} if labels is None else to_groups(labels)
    if not groups.keys() <= position.keys():
        raise OptionError(
            f"{name}: the labels {', '.join(groups)} are not those of the answers, "
            f"{', '.join(answered)}"
        )
    index = {group.casefold(): position[group] for group in [*groups, OTHER] if group in position}
    index |= {
        member.casefold(): position[group]
        for group, members in groups.items()
        for member in members
    }
    texts = [None if truth is None else str(truth).casefold() for truth in ground_truth]
    is_missing = [text is not None and text not in index for text in texts]
    if labels is None or known is not None:
        names = list(dict.fromkeys([*(known or answered), *groups, *answered]))
        allowed = {one.casefold() for one in names}
        unknown = {
            str(truth): None
            for truth, text in zip(ground_truth, texts, strict=True)
            if text is not None and text not in allowed
        }
        if unknown:
            raise OptionError(_describe_unknown_labels(name, list(unknown), names))
    return Targets(
        [None if text is None else index.get(text, position.get(OTHER)) for text in texts],
        is_missing,
    )


def _describe_unknown_labels(name: str, unknown: Sequence[str], known: Sequence[str]) -> str:
    first, *others = unknown
    lower = {label.casefold(): label for label in known}
    nearest = difflib.get_close_matches(first.casefold(), lower, n=1)
    hint = f"did you mean {lower[nearest[0]]!r}? " if nearest else ""
    more = f" (and {', '.join(map(repr, others[:5]))})" if others else ""
    example = lower[nearest[0]] if nearest else known[0]
    return (
        f"{name}: unknown label {first!r}{more}; {hint}available: {', '.join(known)}; say which "
        f"one it is with --map {first}={example}, or leave it out with --map {first}=, in Python "
        "with LabelledSet.map_labels()"
    )


def _to_number(truth: str | float, name: str) -> float:
    try:
        return float(truth)
    except ValueError as error:
        raise OptionError(
            f"{name}: {truth!r} is not a number, but the analyzer gives numbers"
        ) from error


def _compare(answers: Sequence[Answer], targets: Targets, data: LabelledSet) -> Comparison:
    """Return the figures of all answers and of each group of images."""
    pairs = {
        row: (answer, target)
        for row, (answer, target) in enumerate(zip(answers, targets.values, strict=True))
        if answer is not None and target is not None
    }
    if not pairs:
        raise OptionError(f"{data.name}: no picture has both a face and a known ground truth")
    answered = zip(answers, targets.left_out, strict=True)
    return Comparison(
        _report(list(pairs.values())),
        {key: _report_groups(pairs, names) for key, names in data.groups.items()},
        left_out=sum(is_left_out for answer, is_left_out in answered if answer is not None),
        targets=targets.values,
    )


def _report_groups(pairs: Mapping[int, Pair], names: Sequence[str]) -> dict[str, Report]:
    """Return the figures of each group of images, in the order of the groups' names."""
    members: dict[str, list[Pair]] = {}
    for row, pair in pairs.items():
        members.setdefault(names[row], []).append(pair)
    return {name: _report(members[name]) for name in sorted(members)}


def _report(pairs: Sequence[Pair]) -> Report:
    targets = np.array([target for _, target in pairs])
    classified = [answer for answer, _ in pairs if isinstance(answer, Classification)]
    if classified:
        scores = np.array([list(answer.scores.values()) for answer in classified])
        return report_classes(scores, targets.astype(int), list(classified[0].scores))
    estimated = [answer for answer, _ in pairs if isinstance(answer, Estimate)]
    std = [answer.std for answer in estimated if answer.std is not None]
    return report_estimates(
        np.array([answer.value for answer in estimated]),
        targets,
        estimated[0].unit,
        std=np.array(std) if std else None,
    )
