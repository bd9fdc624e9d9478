"""What is to be learned, and the heads on features that have learned it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.trunks import SINGLE_TRUNKS, AnyTrunk
from faceattr.forms import Labels, Unit
from faceattr.training import fitting
from faceattr.training.fitting import Floats, Head, Samples, Validated, validate

BEYOND = 0.1  # of the range of the values, by which estimates may lie outside of it
WITHIN_STD = 0.683  # share of the errors within the standard deviation of a normal distribution


class Choice(NamedTuple):
    """The trunk, and how the head on it is fitted.

    Attributes:
        trunk: The trunk.
        mirrored: Whether to features averaged with those of mirror images.
        validated: What the cross-validation has found.
        figures: Accuracy, or mean absolute error, with each trunk.
        losses: Loss with each trunk.
    """

    trunk: AnyTrunk
    mirrored: bool
    validated: Validated
    figures: dict[str, float]
    losses: dict[str, float]

    def rank(self, trunk: AnyTrunk) -> float:
        """Return what is the smaller, the better a trunk is."""
        return self.losses[trunk.name]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be learned.

    Attributes:
        output: Labels or unit.
        targets: (N,) class indices or values.
        folds: (N,) folds.
        features: (N, 2, D) of single trunks side by side, of crops and of their mirror images.
    """

    output: Labels | Unit
    targets: NDArray[Any]
    folds: NDArray[np.int_]
    features: NDArray[np.float32]

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Least and greatest estimate; None for labels."""
        return bounds_of(self.targets) if isinstance(self.output, Unit) else None

    def choose(self, trunks: Sequence[AnyTrunk], mirror: bool | None) -> Choice:
        """Return what is best in cross-validation: a trunk, and then whether to mirror."""
        first = bool(mirror)
        tried = {trunk: self._validate(trunk, first) for trunk in trunks}
        trunk = self.choose_trunk(tried)
        validated, mirrored = tried[trunk], first
        if mirror is None:
            other = self._validate(trunk, True)
            if other.loss < validated.loss:
                validated, mirrored = other, True
        figures = {one.name: self.figure(found.answers) for one, found in tried.items()}
        figures[trunk.name] = self.figure(validated.answers)
        losses = {one.name: found.loss for one, found in tried.items()}
        return Choice(trunk, mirrored, validated, figures, losses)

    def choose_trunk(self, tried: Mapping[AnyTrunk, Validated]) -> AnyTrunk:
        """Return the trunk with the least loss; one of several networks only if it is worth it.

        Each network is a pass over every face. So joined trunks are compared with the best one of
        a single network: the figure must be better by more than its standard error.
        """
        best, *others = sorted(tried, key=lambda trunk: (len(trunk.parts), tried[trunk].loss))
        errors = self._errors(tried[best].answers)
        enough = errors.mean() - errors.std() / np.sqrt(len(errors))
        joined = (other for other in others if len(other.parts) > len(best.parts))
        better = (one for one in joined if self._errors(tried[one].answers).mean() < enough)
        return next(better, best)

    def finish(self, choice: Choice) -> tuple[Head, Floats]:
        """Return the head fitted to all pictures, and its answers in cross-validation.

        The answers are (N, C) probabilities, or (N, 2) values and standard deviations.
        """
        samples = self.samples(choice.trunk, choice.mirrored)
        penalty, answers = choice.validated.penalty, choice.validated.answers
        head = fitting.fit_head(samples.fitted, self.targets, self.fit, penalty)
        if isinstance(self.output, Labels):
            temperature = fitting.find_temperature(answers, self.targets)
            head = Head(head.kernel / temperature, head.bias / temperature)
            return head, fitting.probabilities(answers / temperature)
        values = answers[:, 0].clip(*bounds_of(self.targets))
        deviation, log_std = self.fit_deviation(samples, values)
        kernel = np.column_stack([head.kernel, deviation.kernel])
        bias = np.concatenate([head.bias, deviation.bias])
        return Head(kernel, bias), np.column_stack([values, np.exp(log_std)])

    def fit_deviation(self, samples: Samples, values: Floats) -> tuple[Head, Floats]:
        """Return a head for the logarithm of the standard deviation, and its held-out answers.

        The size of the errors in cross-validation is learned from the same features, then scaled
        so that as many of them lie within it as of a normal distribution.
        """
        errors = np.abs(values - self.targets)
        floor = max(float(np.median(errors)) / 20, 1e-9)  # the logarithm of 0 means nothing
        sizes = np.log(np.maximum(errors, floor))
        found = validate(samples, sizes, fitting.fit_values, fitting.value_loss)
        head = fitting.fit_head(samples.fitted, sizes, fitting.fit_values, found.penalty)
        log_std = found.answers[:, 0]
        shift = float(np.quantile(np.log(np.maximum(errors, floor)) - log_std, WITHIN_STD))
        return Head(head.kernel, head.bias + shift), log_std + shift

    def _validate(self, trunk: AnyTrunk, mirrored: bool) -> Validated:
        return validate(self.samples(trunk, mirrored), self.targets, self.fit, self.loss)

    @property
    def fit(self) -> fitting.Fit:
        """What fits a head."""
        if isinstance(self.output, Labels):
            return fitting.fit_classes(len(self.output.names))
        return fitting.fit_values

    @property
    def loss(self) -> fitting.Loss:
        """What heads make small."""
        return fitting.class_loss if isinstance(self.output, Labels) else fitting.value_loss

    def samples(self, trunk: AnyTrunk, mirrored: bool) -> Samples:
        """Return the features of a trunk."""
        own = features_of(trunk, self.features)
        return Samples(own.mean(axis=1) if mirrored else own[:, 0], own[:, 0], self.folds)

    def figure(self, answers: Floats) -> float:
        """Return the accuracy, or the mean absolute error."""
        if isinstance(self.output, Labels):
            return float((answers.argmax(axis=1) == self.targets).mean())
        return float(self._errors(answers).mean())

    def _errors(self, answers: Floats) -> Floats:
        """Return (N,) 1 where a label is wrong and 0 where it is right, or absolute errors."""
        if isinstance(self.output, Labels):
            return (answers.argmax(axis=1) != self.targets).astype(np.float64)
        return np.abs(answers[:, 0].clip(*bounds_of(self.targets)) - self.targets)


def bounds_of(values: Floats) -> tuple[float, float]:
    """Return the least and the greatest estimate: the range of these values, a little wider.

    Where no value is negative no estimate is, and where none is positive none is.
    """
    least, greatest = float(values.min()), float(values.max())
    room = BEYOND * (greatest - least)
    low = least - room if least < 0 else max(least - room, 0.0)
    high = greatest + room if greatest > 0 else min(greatest + room, 0.0)
    return low, high


def features_of(trunk: AnyTrunk, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return those of (…, D) features of single trunks side by side that are one trunk's."""
    before = SINGLE_TRUNKS[: SINGLE_TRUNKS.index(trunk.parts[0])]
    start = sum(one.num_features for one in before)
    return features[..., start : start + trunk.num_features]  # the parts are neighbours
