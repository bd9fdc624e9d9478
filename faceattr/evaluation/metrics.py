"""Accuracy, confusion, calibration and errors of answers against the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained

CUMULATIVE = (1, 3, 5, 10)  # sizes of errors up to which the share is reported
CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """Figures of classifications.

    A share of nothing is 0: the precision of a label that was never answered.

    Attributes:
        labels: C labels.
        confusion: (C, C) counts: a row per true label, a column per answer.
        calibration_error: Expected calibration error, over ten bins of confidence.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int_] = field(compare=False)
    calibration_error: float

    @property
    def rows(self) -> int:
        """Number of answers."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(_share(self.confusion.trace(), self.confusion.sum()))

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
        occurring = self.f1[self.support > 0]
        return float(occurring.mean()) if occurring.size else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        columns = zip(self.support, self.precision, self.recall, self.f1, strict=True)
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "calibration_error": self.calibration_error,
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
        bias: Mean of estimate minus ground truth.
        cumulative: Share of the errors up to each size.
        within_std: Share of the errors of at most one standard deviation, which is 68 % for a
            well-calibrated model; None if the model gives no standard deviations.
    """

    unit: str
    rows: int
    mae: float
    bias: float
    cumulative: dict[int, float]
    within_std: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        return {
            "rows": self.rows,
            "unit": self.unit,
            "mae": self.mae,
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
    """
    return ClassificationReport(
        tuple(labels),
        confusion_matrix(scores.argmax(axis=1), ground_truth, len(labels)),
        calibration_error(scores, ground_truth),
    )


@explained
def confusion_matrix(
    answers: NDArray[np.integer], ground_truth: NDArray[np.integer], num_labels: int
) -> NDArray[np.int_]:
    """Return (C, C) counts: a row per true label, a column per answer."""
    matrix = np.zeros((num_labels, num_labels), np.int_)
    np.add.at(matrix, (ground_truth, answers), 1)
    return matrix


@explained
def calibration_error(scores: NDArray[np.floating], ground_truth: NDArray[np.integer]) -> float:
    """Return the expected calibration error, over ten bins of confidence.

    Args:
        scores: (N, C) probabilities.
        ground_truth: (N,) indices of the true labels.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    confidence, is_right = scores.max(axis=1), scores.argmax(axis=1) == ground_truth
    bins = np.minimum(confidence * CALIBRATION_BINS, CALIBRATION_BINS - 1).astype(int)
    gaps = np.bincount(bins, is_right - confidence)
    return float(np.abs(gaps).sum() / max(len(ground_truth), 1))


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
    """
    errors = values - ground_truth
    size = np.abs(errors)
    return EstimateReport(
        unit=unit,
        rows=len(errors),
        mae=float(size.mean()),
        bias=float(errors.mean()),
        cumulative={limit: float((size <= limit).mean()) for limit in CUMULATIVE},
        within_std=None if std is None else float((size <= std).mean()),
    )


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide, with 0 / 0 = 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
