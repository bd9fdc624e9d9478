"""What the recipes of the built-in models have in common. Pure Keras 3, on any of its backends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from faceattr.networks import graph
from faceattr.networks.architectures.age_gender import in_one_row
from faceattr.networks.formats import npz
from faceattr.training.batches import Targets, VariedBatches, adamw
from faceattr.types import Crops
from models.teacher import LAST_BLOCK, load_by_name, teacher

HELD_OUT = 0.05  # share of the training rows that are only watched


def fit(
    model: keras.Model,
    batches: VariedBatches,
    watched: tuple[NDArray[np.uint8], Targets],
    *,
    loss: Any,
    loss_weights: Any = None,
    metrics: Any,
    options: argparse.Namespace,
) -> None:
    """Train by AdamW with a warm-up, a cosine schedule and a moving average of the weights.

    A run that was interrupted goes on from its last epoch. At the end the averages are in the
    model, and in ``network.npz`` of the run's folder.

    Args:
        model: Untrained, or trained on something else.
        batches: To train on.
        watched: Pictures and targets that are only watched.
        loss: As for `keras.Model.compile`, like loss_weights and metrics.
        loss_weights: Of several losses; None for 1 each.
        metrics: What to log besides.
        options: Of `training_options`.
    """
    steps = options.epochs * len(batches)
    model.compile(
        optimizer=adamw(
            steps,
            warmup=len(batches),
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            use_ema=True,
            ema_momentum=options.ema_momentum,
        ),
        loss=loss,
        loss_weights=loss_weights,
        metrics=metrics,
        jit_compile=False if keras.backend.backend() == "torch" else "auto",
    )
    model.fit(
        batches,
        epochs=options.epochs,
        validation_data=(watched[0].astype(np.float32), watched[1]),
        callbacks=[
            keras.callbacks.BackupAndRestore(str(options.run / "backup")),
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: batches.start_at(epoch)),
            keras.callbacks.CSVLogger(str(options.run / "log.csv"), append=True),
            keras.callbacks.SwapEMAWeights(),
        ],
        verbose=2,
    )
    with (options.run / "network.npz").open("wb") as file:
        npz.save(graph.from_keras(in_one_row(model)), file, half=False)
    settings = {name: str(value) for name, value in vars(options).items()}
    (options.run / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")


def training_options(description: str | None, **defaults: float) -> argparse.ArgumentParser:
    """Return a parser for the options that all recipes have.

    Args:
        description: Docstring of the recipe.
        defaults: Default values of epochs, batch_size, learning_rate and weight_decay.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of this run")
    parser.add_argument(
        "--start-from", type=Path, help="network.npz of an earlier run, or that of the wheel"
    )
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument(
        "--taught", type=Path, nargs="+", help="what models.answers has written of each set"
    )
    parser.add_argument(
        "--teacher-share",
        type=float,
        nargs="+",
        default=[0.5],
        help="of these answers in the targets, of each set or of all",
    )
    parser.add_argument("--last-block", default=LAST_BLOCK, help="of a teacher's trunk")
    parser.add_argument("--ema-momentum", type=float, default=0.999, help="of the weights' mean")
    parser.add_argument("--policy", default="mixed_bfloat16", help="Keras's precision policy")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def begin(options: argparse.Namespace) -> None:
    """Fix the seeds and the precision, and make the folder of the run."""
    keras.utils.set_random_seed(options.seed)
    keras.mixed_precision.set_global_policy(options.policy)
    options.run.mkdir(parents=True, exist_ok=True)


def network(
    own: Callable[[], keras.Model],
    heads: Mapping[str, int],
    crops: Crops,
    options: argparse.Namespace,
) -> keras.Model:
    """Return the network to train, with the weights from which it starts.

    Args:
        own: Returns the one that ships, untrained.
        heads: Name of each attribute to the number of its classes.
        crops: (N, 2, H, W, C); if they are not in the form of the one that ships, the network is a
            teacher.
        options: Of `training_options`.
    """
    model = own()
    if crops.shape[2:] != model.input_shape[1:]:
        model = teacher(heads, side=crops.shape[2], last_block=options.last_block)
        if options.start_from:
            load_by_name(model, options.start_from)
    elif options.start_from:
        load_weights(model, options.start_from)
    return model


def load_weights(model: keras.Model, file: Path) -> None:
    """Give a model the weights of a network of its form."""
    layers = [layer for layer in model.layers if layer.weights]
    for layer, arrays in zip(layers, npz.load(file).weights.values(), strict=True):
        layer.set_weights(arrays)


def held_out(num_rows: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on, and those that are only watched: the same in every run."""
    order = np.random.default_rng(0).permutation(num_rows)
    watched, trained = np.split(order, [round(HELD_OUT * num_rows)])
    return trained, watched


def shares(
    groups: Sequence[NDArray[np.integer]], of_sets: Sequence[float], *, balance: float
) -> NDArray[np.float64]:
    """Return how often each row of several sets is drawn, summing to 1.

    Args:
        groups: The group of each row, for example its label, of each set.
        of_sets: Share of each set.
        balance: 0 draws the rows of a set equally often, 1 its groups.
    """
    drawn = []
    for members, share in zip(groups, of_sets, strict=True):
        _, inverse, counts = np.unique(members, return_inverse=True, return_counts=True)
        weights = (counts ** -float(balance))[inverse]
        drawn.append(share * weights / weights.sum())
    return np.concatenate(drawn) / sum(of_sets)


def taught(targets: Targets, answers: Targets | None, *, share: float) -> Targets:
    """Return the targets mixed with what teachers say: distillation.

    Args:
        targets: Probabilities, N rows each.
        answers: Those of the teachers; None if there are none.
        share: Of the teachers' answers.

    Reference: Hinton et al., Distilling the knowledge in a neural network, 2015.
    """
    if answers is None:
        return targets

    def mix(target: NDArray[np.float32], said: NDArray[np.float32]) -> NDArray[np.float32]:
        return target + np.float32(share) * (said - target)

    mixed: Targets = keras.tree.map_structure(mix, targets, answers)
    return mixed


class Teaching(NamedTuple):
    """What teachers say of a set, and how much it counts."""

    answers: NDArray[np.float32] | None
    """(N, C); None if there are no teachers."""
    share: float
    """Of the answers in the targets."""


def teaching(options: argparse.Namespace, number: int) -> list[Teaching]:
    """Return what teachers say of each of some sets.

    Args:
        options: Of `training_options`.
        number: Of sets.

    Raises:
        SystemExit: There are too few or too many files or shares.
    """
    shares = options.teacher_share * (number if len(options.teacher_share) == 1 else 1)
    files = options.taught or [None] * number
    for name, given in (("--taught", files), ("--teacher-share", shares)):
        if len(given) != number:
            raise SystemExit(f"{name} needs one for each of the {number} sets, not {len(given)}")
    answers = [None if file is None else np.load(file)["answers"] for file in files]
    return [Teaching(*pair) for pair in zip(answers, shares, strict=True)]
