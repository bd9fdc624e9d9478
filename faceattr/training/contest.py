"""All layers against a head alone, on pictures that neither has learned from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.trained import trunk_of
from faceattr.analyzers.trunks import BuiltinTrunk
from faceattr.engines.base import Engine
from faceattr.forms import Labels
from faceattr.networks.formats.trained import TrainedHead
from faceattr.training import fitting
from faceattr.training.fitting import Floats, Head, Samples
from faceattr.training.folds import assign_folds, three_parts
from faceattr.training.full import PREDICTED, Plan, Steps, Tuned, Watched, train_layers
from faceattr.training.problem import Choice, Problem, bounds_of


@dataclass(frozen=True, slots=True)
class Contest:
    """What came out.

    Attributes:
        head: All layers, as a file holds them.
        rows: Pictures that were kept for the comparison.
        scores: (K, C) probabilities that all layers give them, or (K, 2) values and deviations.
        head_scores: Those of the head alone, from the cross-validation.
        epochs: Number of epochs that were trained.
        best: The one that was taken, from 1; 0 for none.
        is_better: Whether an epoch has made the layers better than they were at the start, and
            their loss is the smaller one.
    """

    head: TrainedHead
    rows: NDArray[np.intp]
    scores: Floats
    head_scores: Floats
    epochs: int
    best: int
    is_better: bool


def compete(
    problem: Problem,
    choice: Choice,
    head: TrainedHead,
    scores: Floats,
    *,
    trunk: BuiltinTrunk,
    crops: NDArray[np.uint8],
    classes: NDArray[np.integer],
    groups: Sequence[Hashable],
    engine: Engine,
    plan: Plan,
    progress: Steps,
) -> Contest:
    """Train all layers on some of the pictures, and compare them with the head on others.

    Args:
        problem: What is to be learned.
        choice: How the head alone is fitted.
        head: The head alone.
        scores: Its answers in cross-validation.
        trunk: Where the layers start.
        crops: (N, H, W, C) uint8 in the trunk's form.
        classes: (N,) as for `assign_folds`.
        groups: The group of each picture.
        engine: Runs the trained layers.
        plan: How long to train, and how fast.
        progress: Shows the progress.

    Raises:
        OptionError: The pictures are of fewer than three groups.
        MissingDependencyError: Keras is not installed.
    """
    trained, watched, kept = three_parts(classes, groups, problem.folds)
    targets, samples = problem.targets, problem.samples(trunk, choice.mirrored)
    tuned = train_layers(
        trunk,
        fitting.fit_head(
            samples.fitted[trained], targets[trained], problem.fit, choice.validated.penalty
        ),
        crops[trained],
        targets[trained],
        Watched(crops[watched], targets[watched], problem.loss),
        plan=plan,
        mirror=choice.mirrored,
        progress=progress,
    )
    layered = replace(
        head, trunk=trunk.name, trunk_identity=trunk.identity, layers=tuned.layers, notes={}
    )
    held_out = np.concatenate([watched, kept])
    run = engine.compile(trunk_of(layered))
    starts = range(0, len(held_out), PREDICTED)
    features = np.concatenate([run(crops[held_out[at : at + PREDICTED]]) for at in starts])
    final, answers = _calibrate(problem, tuned, features, held_out, len(watched), classes, groups)
    layered = replace(
        layered, kernel=final.kernel.astype(np.float32), bias=final.bias.astype(np.float32)
    )
    own, others = answers[len(watched) :], scores[kept]
    return Contest(
        layered,
        kept,
        own,
        others,
        tuned.epochs,
        tuned.best,
        is_better=tuned.best > 0
        and _loss(problem, own, targets[kept]) < _loss(problem, others, targets[kept]),
    )


def _calibrate(
    problem: Problem,
    tuned: Tuned,
    features: NDArray[np.float32],
    rows: NDArray[np.intp],
    num_watched: int,
    classes: NDArray[np.integer],
    groups: Sequence[Hashable],
) -> tuple[Head, Floats]:
    """Return the head whose confidences or deviations are calibrated, and its answers.

    Temperatures are found on the watched pictures alone. Deviations are learned from the errors
    on all pictures that were held out, by cross-validation among them.

    Args:
        problem: What is to be learned.
        tuned: The trained network.
        features: (K, D) that it gives of the pictures that were held out.
        rows: Their numbers; the watched ones come first.
        num_watched: How many of them were watched.
        classes: (N,) as for `assign_folds`.
        groups: The group of each picture.
    """
    head, targets = tuned.head, problem.targets[rows]
    answers = head(features.astype(np.float64))
    if isinstance(problem.output, Labels):
        seen = slice(num_watched)
        temperature = fitting.find_temperature(answers[seen], targets[seen])
        calibrated = Head(head.kernel / temperature, head.bias / temperature)
        return calibrated, fitting.probabilities(answers / temperature)
    values = answers[:, 0].clip(*bounds_of(problem.targets))
    folds = assign_folds(classes[rows], [groups[row] for row in rows.tolist()])
    part = replace(problem, targets=targets, folds=folds)
    deviation, log_std = part.fit_deviation(Samples(features, features, folds), values)
    return (
        Head(
            np.column_stack([head.kernel, deviation.kernel]),
            np.concatenate([head.bias, deviation.bias]),
        ),
        np.column_stack([values, np.exp(log_std)]),
    )


def _loss(problem: Problem, scores: Floats, targets: NDArray[Any]) -> float:
    """Return the loss of probabilities, or of values and deviations."""
    if isinstance(problem.output, Labels):
        return fitting.class_loss(np.log(np.maximum(scores, 1e-12)), targets)
    return fitting.value_loss(scores, targets)
