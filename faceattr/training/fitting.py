"""Linear heads on features: logistic regression and ridge, the penalty by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

Floats: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = Floats
"""(D + 1, C) weights of standardised features; the last row is the bias."""

PENALTIES = (10_000.0, 3_000.0, 1_000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""Precisions of a normal prior on each weight, from the strongest."""

WORSE = 2  # penalties in a row that are worse than the best, after which no weaker one is tried
MAX_ITERATIONS = 100  # of a fit
MAX_CHOICE_ROWS = 4000  # pictures on which a penalty is chosen; with more, it matters little
TEMPERATURES = (0.2, 5.0)  # between which the temperature is sought
SMALLEST_STD = 1e-6  # of a feature; below that it is constant


class Head(NamedTuple):
    """A linear head on features.

    Attributes:
        kernel: (D, C).
        bias: (C,).
    """

    kernel: Floats
    bias: Floats

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Return (N, C) from (N, D) features."""
        return features @ self.kernel + self.bias


@dataclass(frozen=True, slots=True)
class Validated:
    """What a cross-validation has found.

    Attributes:
        penalty: The best penalty.
        loss: Mean loss of held-out pictures with it; less is better.
        answers: (N, C) answer to each picture by the head that was fitted without its fold.
    """

    penalty: float
    loss: float
    answers: Floats


@dataclass(frozen=True, slots=True)
class Samples:
    """Features of N pictures in the two forms that matter, and their folds.

    Attributes:
        fitted: (N, D) features to fit to, such as the mean of a crop's and of its mirror image's.
        read: (N, D) features as an analyzer will get them, to answer from.
        folds: (N,) fold of each picture.
    """

    fitted: NDArray[np.floating]
    read: NDArray[np.floating]
    folds: NDArray[np.int_]

    def __getitem__(self, rows: NDArray[np.intp]) -> Samples:
        return Samples(self.fitted[rows], self.read[rows], self.folds[rows])

    def splits(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Yield which pictures are fitted to and which are held out, for each fold."""
        for fold in range(int(self.folds.max()) + 1):
            yield self.folds != fold, self.folds == fold


Fit: TypeAlias = Callable[[Floats, NDArray[np.generic], float, Weights | None], Weights]
"""Standardised features, targets, penalty and a start to weights."""

Loss: TypeAlias = Callable[[Floats, NDArray[np.generic]], float]
"""Answers and targets to a mean loss."""


def validate(
    samples: Samples, targets: NDArray[np.generic], fit: Fit, loss: Loss, *, penalty: float = 0.0
) -> Validated:
    """Choose the penalty by cross-validation and return its answers.

    The work is bounded: penalties are tried from the strongest, each fit begins where the last one
    ended, and with many pictures the penalty is chosen on some of them.

    Args:
        samples: Features and folds.
        targets: (N,) class or value of each picture.
        fit: Fits a head.
        loss: What to make small.
        penalty: The penalty, where it is known; 0 to choose it.
    """
    if not penalty:
        rows = _some(len(targets))
        chosen = _choose(samples[rows], targets[rows], fit, loss)
        if len(rows) == len(targets):
            return chosen
        penalty = chosen.penalty
    answers = _answers(_prepare(samples, targets), len(targets), fit, penalty)
    return Validated(penalty, loss(answers, targets), answers)


def _choose(samples: Samples, targets: NDArray[np.generic], fit: Fit, loss: Loss) -> Validated:
    """Try the penalties from the strongest, and return the best."""
    folds = _prepare(samples, targets)
    best: Validated | None = None
    num_worse = 0
    for penalty in PENALTIES:
        answers = _answers(folds, len(targets), fit, penalty)
        tried = Validated(penalty, loss(answers, targets), answers)
        if best is None or tried.loss < best.loss:
            best, num_worse = tried, 0
        else:
            num_worse += 1
        if num_worse == WORSE:
            break
    assert best is not None
    return best


def fit_head(
    features: NDArray[np.floating], targets: NDArray[np.generic], fit: Fit, penalty: float
) -> Head:
    """Return the head fitted to all pictures, the standardisation folded in."""
    center, scale = _standards(features)
    weights = fit((features - center) / scale, targets, penalty, None)
    kernel = weights[:-1] / scale[:, None]
    return Head(kernel, weights[-1] - center @ kernel)


def fit_classes(num_classes: int) -> Fit:
    """Return a fit of a multinomial logistic regression to (N,) class indices."""

    def fit(
        features: Floats, targets: NDArray[np.generic], penalty: float, start: Weights | None
    ) -> Weights:
        count, width = features.shape
        wanted = np.eye(num_classes)[targets.astype(int)]
        if start is None:
            start = np.zeros((width + 1, num_classes))
            start[-1] = np.log(np.maximum(wanted.mean(axis=0), 1 / (count + 1)))

        def objective(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(width + 1, num_classes)
            logits = features @ weights[:-1] + weights[-1]
            logits -= logits.max(axis=1, keepdims=True)
            powers = np.exp(logits)  # SciPy's logsumexp takes longer than the matrices
            sums = powers.sum(axis=1, keepdims=True)
            surplus = powers / sums - wanted
            value = float(np.log(sums).sum() - (logits * wanted).sum())
            value += penalty / 2 * float((weights[:-1] ** 2).sum())
            gradient = np.vstack(
                [features.T @ surplus + penalty * weights[:-1], surplus.sum(axis=0)]
            )
            return value / count, gradient.ravel() / count

        options = {"maxiter": MAX_ITERATIONS, "ftol": 1e-6, "gtol": 1e-5}
        found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x).reshape(width + 1, num_classes)

    return fit


def fit_values(
    features: Floats, targets: NDArray[np.generic], penalty: float, start: Weights | None
) -> Weights:
    """Return a ridge regression to (N,) values, as `Fit` says."""
    values = targets.astype(np.float64)
    middle = values.mean()
    center = features.mean(axis=0)
    shifted = features - center
    covariance = shifted.T @ shifted + penalty * np.eye(features.shape[1])
    kernel = np.linalg.solve(covariance, shifted.T @ (values - middle))
    return np.append(kernel, middle - center @ kernel)[:, None]


def class_loss(logits: Floats, targets: NDArray[np.generic]) -> float:
    """Return the mean negative logarithm of the probability of the true class."""
    rows = np.arange(len(targets))
    return float(-log_softmax(logits, axis=1)[rows, targets.astype(int)].mean())


def value_loss(values: Floats, targets: NDArray[np.generic]) -> float:
    """Return the mean squared error."""
    return float(((values[:, 0] - targets.astype(np.float64)) ** 2).mean())


def find_temperature(logits: Floats, classes: NDArray[np.integer]) -> float:
    """Return the temperature at which (N, C) held-out logits are calibrated best.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    bounds = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda power: class_loss(logits / np.exp(power), classes), bounds=bounds, method="bounded"
    )
    return float(np.exp(found.x))


def with_priors(bias: Floats, shares: Floats, priors: Floats) -> Floats:
    """Return the (C,) bias for pictures among which classes have other shares than in training.

    Args:
        bias: (C,) of the logits.
        shares: (C,) shares of the classes in training.
        priors: (C,) shares where it will be used.
    """
    return bias + np.log(priors / shares)


def probabilities(logits: Floats) -> Floats:
    """Return probabilities along the last axis."""
    return np.asarray(softmax(logits, axis=-1))


class _Fold:
    """One fold of a cross-validation: standardised features, and the last weights."""

    def __init__(
        self,
        samples: Samples,
        targets: NDArray[np.generic],
        fitted: NDArray[np.bool_],
        held_out: NDArray[np.bool_],
    ) -> None:
        center, scale = _standards(samples.fitted[fitted])
        features = (samples.fitted[fitted] - center) / scale
        basis = _basis(features)
        self.held_out = held_out
        self._features = features @ basis
        self._targets = targets[fitted]
        self._read = (samples.read[held_out] - center) / scale @ basis
        self._weights: Weights | None = None

    def answers(self, fit: Fit, penalty: float) -> Floats:
        """Return the answers to the pictures that are held out."""
        self._weights = fit(self._features, self._targets, penalty, self._weights)
        return self._read @ self._weights[:-1] + self._weights[-1]


def _basis(features: Floats) -> Floats:
    """Return (D, K) orthonormal directions, K = min(N, D), that hold all (N, D) features.

    A fit whose penalty is the same in all directions has its weights among them, so with few
    pictures there are only few weights to find.
    """
    count, width = features.shape
    if count >= width:
        return np.eye(width)
    directions: Floats = np.linalg.svd(features, full_matrices=False)[2]
    return directions.T


def _prepare(samples: Samples, targets: NDArray[np.generic]) -> list[_Fold]:
    return [_Fold(samples, targets, *split) for split in samples.splits()]


def _answers(folds: Sequence[_Fold], count: int, fit: Fit, penalty: float) -> Floats:
    parts = [(fold.held_out, fold.answers(fit, penalty)) for fold in folds]
    answers = np.zeros((count, parts[0][1].shape[1]))
    for held_out, part in parts:
        answers[held_out] = part
    return answers


def _some(count: int) -> NDArray[np.intp]:
    """Return rows spread over all, at most `MAX_CHOICE_ROWS`."""
    step = max(count / MAX_CHOICE_ROWS, 1.0)
    return np.arange(0, count, step).astype(np.intp)


def _standards(features: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each feature, 1 for a constant one."""
    scale = features.std(axis=0, dtype=np.float64)
    return features.mean(axis=0, dtype=np.float64), np.where(scale > SMALLEST_STD, scale, 1.0)
