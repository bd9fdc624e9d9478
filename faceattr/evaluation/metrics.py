"""Accuracy, confusion, calibration and errors of answers against the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import OptionError

CUMULATIVE = (1, 3, 5, 10)  # sizes of errors up to which the share is reported
CALIBRATION_BINS = 10
Z95 = 1.959964  # standard deviations on each side that hold 95 % of a normal distribution
RESAMPLES = 1000  # of a bootstrap
SEED = 0  # of a bootstrap, so that the same answers give the same interval

Interval: TypeAlias = tuple[float, float]
"""Borders between which a figure lies with a confidence of 95 %."""


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """Figures of classifications.

    A share of nothing is 0: the precision of a label that was never answered.

    Attributes:
        labels: C labels.
        confusion: (C, C) counts: a row per true label, a column per answer.
        calibration_error: Expected calibration error, over ten bins of confidence.
        reliability: (10, 3) of the bins of confidence from 0 to 1: number of answers, their mean
            confidence, share of right ones; zeros where there are none.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int_] = field(compare=False)
    calibration_error: float
    reliability: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((CALIBRATION_BINS, 3)), compare=False
    )

    @property
    def rows(self) -> int:
        """Number of answers."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(_share(self.confusion.trace(), self.confusion.sum()))

    @property
    def accuracy_interval(self) -> Interval:
        """95 % interval of the accuracy.

        Reference: Wilson, Journal of the American Statistical Association, 1927.
        """
        return wilson_interval(int(self.confusion.trace()), self.rows)

    @property
    def support(self) -> NDArray[np.int_]:
        """Number of images with each true label, (C,)."""
        return self.confusion.sum(axis=1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the answers with each label that are right, (C,)."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the images with each true label that were answered right, (C,)."""
        return _share(self.confusion.diagonal(), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each label, (C,)."""
        return _share(2 * self.precision * self.recall, self.precision + self.recall)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that occur in the ground truth."""
        return float(_macro_f1(self.confusion))

    @property
    def macro_f1_interval(self) -> Interval:
        """95 % interval of the macro F1, by a bootstrap over the images."""
        if not self.rows:
            return 0.0, 0.0
        shares = self.confusion.ravel() / self.rows
        drawn = np.random.default_rng(SEED).multinomial(self.rows, shares, RESAMPLES)
        low, high = np.percentile(_macro_f1(drawn.reshape(-1, *self.confusion.shape)), (2.5, 97.5))
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        columns = zip(self.support, self.precision, self.recall, self.f1, strict=True)
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "calibration_error": self.calibration_error,
            "reliability": [
                {"rows": int(rows), "confidence": confidence, "accuracy": accuracy}
                for rows, confidence, accuracy in self.reliability.tolist()
            ],
            "labels": {
                label: {
                    "rows": int(rows),
                    "precision": float(precision),
                    "recall": float(recall),
                    "f1": float(f1),
                }
                for label, (rows, precision, recall, f1) in zip(self.labels, columns, strict=True)
            },
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """Figures of estimates.

    Attributes:
        unit: Unit of the errors.
        rows: Number of estimates.
        mae: Mean absolute error.
        mae_interval: 95 % interval of the mean absolute error, by a bootstrap over the images.
        bias: Mean of estimate minus ground truth.
        cumulative: Share of the errors up to each size.
        within_std: Share of the errors of at most one standard deviation, which is 68 % for a
            well-calibrated model; None if the model gives no standard deviations.
    """

    unit: str
    rows: int
    mae: float
    mae_interval: Interval
    bias: float
    cumulative: dict[int, float]
    within_std: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        return {
            "rows": self.rows,
            "unit": self.unit,
            "mae": self.mae,
            "mae_interval": list(self.mae_interval),
            "bias": self.bias,
            "cumulative": {str(limit): share for limit, share in self.cumulative.items()},
            "within_std": self.within_std,
        }


Report: TypeAlias = ClassificationReport | EstimateReport
"""Figures of one form of attribute."""


@explained
def report_classes(
    scores: NDArray[np.floating], ground_truth: NDArray[np.integer], labels: Sequence[str]
) -> ClassificationReport:
    """Return the figures of N classifications.

    Args:
        scores: (N, C) probabilities.
        ground_truth: (N,) indices of the true labels.
        labels: C labels.

    Raises:
        OptionError: The shapes do not fit, or an index is no label's.
    """
    _check_scores(scores, ground_truth)
    if scores.shape[1] != len(labels):
        raise OptionError(f"scores have {scores.shape[1]} columns for {len(labels)} labels")
    return ClassificationReport(
        tuple(labels),
        confusion_matrix(scores.argmax(axis=1), ground_truth, len(labels)),
        calibration_error(scores, ground_truth),
        reliability(scores, ground_truth),
    )


@explained
def confusion_matrix(
    answers: NDArray[np.integer], ground_truth: NDArray[np.integer], num_labels: int
) -> NDArray[np.int_]:
    """Return (C, C) counts: a row per true label, a column per answer.

    Args:
        answers: (N,) indices of the labels.
        ground_truth: (N,) indices of the true labels.
        num_labels: C.

    Raises:
        OptionError: The shapes do not fit, or an index is no label's.
    """
    _check_indices("answers", answers, num_labels)
    _check_indices("ground_truth", ground_truth, num_labels)
    _check_lengths(answers=answers, ground_truth=ground_truth)
    matrix = np.zeros((num_labels, num_labels), np.int_)
    np.add.at(matrix, (ground_truth, answers), 1)
    return matrix


@explained
def calibration_error(scores: NDArray[np.floating], ground_truth: NDArray[np.integer]) -> float:
    """Return the expected calibration error, over ten bins of confidence.

    Args:
        scores: (N, C) probabilities.
        ground_truth: (N,) indices of the true labels.

    Raises:
        OptionError: The shapes do not fit, or an index is no label's.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    counts, confidence, accuracy = reliability(scores, ground_truth).T
    return float((np.abs(accuracy - confidence) * counts).sum() / max(len(ground_truth), 1))


@explained
def reliability(
    scores: NDArray[np.floating], ground_truth: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return how often answers of each confidence are right.

    Args:
        scores: (N, C) probabilities.
        ground_truth: (N,) indices of the true labels.

    Returns:
        (10, 3) as in `ClassificationReport.reliability`.

    Raises:
        OptionError: The shapes do not fit, or an index is no label's.
    """
    _check_scores(scores, ground_truth)
    confidence, is_right = scores.max(axis=1), scores.argmax(axis=1) == ground_truth
    bins = np.clip(confidence * CALIBRATION_BINS, 0, CALIBRATION_BINS - 1).astype(int)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    sums = [np.bincount(bins, one, CALIBRATION_BINS) for one in (confidence, is_right)]
    return np.column_stack([counts, *(_share(one, counts) for one in sums)])


@explained
def report_estimates(
    values: NDArray[np.floating],
    ground_truth: NDArray[Any],
    unit: str,
    *,
    std: NDArray[np.floating] | None = None,
) -> EstimateReport:
    """Return the figures of N estimates, N ≥ 1.

    Args:
        values: (N,) estimates.
        ground_truth: (N,) true values.
        unit: Unit of both.
        std: (N,) standard deviations, if the model gives them.

    Raises:
        OptionError: The shapes do not fit, or there are none.
    """
    given = {"values": values, "ground_truth": ground_truth}
    _check_lengths(**given, **({} if std is None else {"std": std}))
    if not len(values):
        raise OptionError("values are empty; there is nothing to measure")
    errors = values - ground_truth
    size = np.abs(errors)
    return EstimateReport(
        unit=unit,
        rows=len(errors),
        mae=float(size.mean()),
        mae_interval=_mean_interval(size),
        bias=float(errors.mean()),
        cumulative={limit: float((size <= limit).mean()) for limit in CUMULATIVE},
        within_std=None if std is None else float((size <= std).mean()),
    )


@explained
def wilson_interval(num_right: int, num_all: int) -> Interval:
    """Return the 95 % interval of a share; 0 to 1 if nothing was counted."""
    if not num_all:
        return 0.0, 1.0
    share, spread = num_right / num_all, Z95**2 / num_all
    middle = share + spread / 2
    half = Z95 * float(np.sqrt(share * (1 - share) / num_all + spread / num_all / 4))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return max(low, 0.0), min(high, 1.0)


def _mean_interval(values: NDArray[np.floating]) -> Interval:
    """Return the 95 % interval of the mean of N ≥ 1 values, by a bootstrap."""
    rng = np.random.default_rng(SEED)
    count = len(values)
    means = [values[rng.integers(0, count, count)].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _macro_f1(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return (…) mean F1 of the labels that occur, for (…, C, C) counts."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, answered = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = _share(2 * right, support + answered)
    return _share(np.where(support > 0, f1, 0).sum(axis=-1), (support > 0).sum(axis=-1))


def _check_scores(scores: NDArray[np.floating], ground_truth: NDArray[np.integer]) -> None:
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise OptionError(f"scores have the shape {scores.shape}; give (N, C): a column per label")
    _check_indices("ground_truth", ground_truth, scores.shape[1])
    _check_lengths(scores=scores[:, 0], ground_truth=ground_truth)


def _check_indices(name: str, indices: NDArray[np.integer], num_labels: int) -> None:
    if indices.ndim != 1:
        raise OptionError(f"{name} has the shape {indices.shape}; give (N,): an index per image")
    if indices.size and (indices.min() < 0 or indices.max() >= num_labels):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise OptionError(f"{name} has the index {wrong}, but there are {num_labels} labels")


def _check_lengths(**arrays: NDArray[Any]) -> None:
    shapes = {name: array.shape for name, array in arrays.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise OptionError(f"arrays must be (N,), all with the same N, but have the shapes {listed}")


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide, with 0 / 0 = 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
