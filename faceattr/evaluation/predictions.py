"""What was read from each image of a labelled set, beside what is true."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.evaluate import Comparison, Evaluation
from faceattr.evaluation.metrics import ClassificationReport
from faceattr.images import describe_source
from faceattr.types import Classification, Estimate


@explained
def predictions_of(evaluation: Evaluation, data: LabelledSet) -> Iterator[dict[str, Any]]:
    """Yield a row per image: its name, what is true, what was read, all scores.

    The truth stands in the column ``truth``, or with several sources of ground truth in
    ``truth_`` and the source's name, in the words of the prediction: a label of the set as the
    group that it counts for. A classification has ``confidence`` and a ``score_`` per label, an
    estimate its ``std`` and, against the first source, its ``error``. Where no face was found,
    the prediction is None.

    Args:
        evaluation: As `evaluate` returns it.
        data: The set that was evaluated.

    Raises:
        OptionError: The evaluation is of another set.
    """
    if len(evaluation.answers) != len(data):
        raise OptionError(
            f"the evaluation has {len(evaluation.answers)} answers, the set {len(data)} images; "
            "give the set that was evaluated"
        )
    comparisons = evaluation.ground_truth
    names = ["truth"] if len(comparisons) == 1 else [f"truth_{name}" for name in comparisons]
    labels = next(iter(_labels_of(one) for one in comparisons.values()), ())
    for row, (picture, answer) in enumerate(zip(data.pictures, evaluation.answers, strict=True)):
        truths = [truth_of(one, row) for one in comparisons.values()]
        known: dict[str, Any] = {"picture": picture_name(picture, row)}
        known |= dict(zip(names, truths, strict=True))
        if labels:
            scores = answer.scores if isinstance(answer, Classification) else {}
            yield known | {
                "prediction": answer.label if isinstance(answer, Classification) else None,
                "confidence": _rounded(max(scores.values(), default=None)),
                **{f"score_{label}": _rounded(scores.get(label)) for label in labels},
            }
            continue
        value, std, error = None, None, None
        if isinstance(answer, Estimate):
            value, std, truth = answer.value, answer.std, truths[0]
            error = value - truth if isinstance(truth, float) else None
        numbers = {"prediction": value, "std": std, "error": error}
        yield known | {name: _rounded(number) for name, number in numbers.items()}


def truth_of(comparison: Comparison, row: int) -> str | float | None:
    """Return what is true of an image in the form of the answers; None if it is not known."""
    target = comparison.targets[row]
    labels = _labels_of(comparison)
    if target is None or not labels:
        return None if target is None else float(target)
    return labels[int(target)]


def picture_name(picture: object, row: int) -> str:
    """Return the path of an image, or its number where it has none."""
    return describe_source(picture) if isinstance(picture, str | os.PathLike) else f"#{row}"


def _labels_of(comparison: Comparison) -> Sequence[str]:
    """Return the labels of the answers; none for estimates."""
    report = comparison.report
    return report.labels if isinstance(report, ClassificationReport) else ()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
