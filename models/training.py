"""What the recipes of the built-in models have in common. Pure Keras 3, on any of its backends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from faceattr.networks.formats import npz
from faceattr.training.batches import Targets, VariedBatches, adamw

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
    model, and in ``weights.weights.h5`` of the run's folder.

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
    model.save_weights(options.run / "weights.weights.h5")
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
        "--start-from", type=Path, help="weights of an earlier run or of the wheel, to train on"
    )
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--teachers", type=Path, nargs="*", default=[], help="weights of teachers")
    parser.add_argument("--teacher-share", type=float, default=0.6, help="in the targets")
    parser.add_argument("--ema-momentum", type=float, default=0.999, help="of the weights' mean")
    parser.add_argument("--policy", default="mixed_bfloat16", help="Keras's precision policy")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def begin(options: argparse.Namespace) -> None:
    """Fix the seeds and the precision, and make the folder of the run."""
    keras.utils.set_random_seed(options.seed)
    keras.mixed_precision.set_global_policy(options.policy)
    options.run.mkdir(parents=True, exist_ok=True)


def load_weights(model: keras.Model, file: Path) -> None:
    """Give the model the weights of an earlier run, or those of a network in the wheel (.npz)."""
    if file.suffix != ".npz":
        model.load_weights(file)
        return
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


def taught(
    targets: Targets, model: keras.Model, images: NDArray[np.uint8], options: argparse.Namespace
) -> Targets:
    """Return the targets mixed with what trained networks say: distillation.

    Args:
        targets: Probabilities, N rows each.
        model: Of the teachers' form; what weights it is left with is undefined.
        images: (N, H, W, C) uint8, of which and of whose mirror images the teachers are asked.
        options: Of `training_options`; without teachers the targets are returned as they are.

    Reference: Hinton et al., Distilling the knowledge in a neural network, 2015.
    """
    if not options.teachers:
        return targets
    share = np.float32(options.teacher_share)

    def mix(target: NDArray[np.float32], said: NDArray[np.float32]) -> NDArray[np.float32]:
        return target + share * (said - target)

    said = answers(model, images, options.teachers)
    mixed: Targets = keras.tree.map_structure(mix, targets, said)
    return mixed


def answers(model: keras.Model, images: NDArray[np.uint8], teachers: Sequence[Path]) -> Targets:
    """Return the mean of what trained networks say of pictures and of their mirror images."""
    said = []
    for weights in teachers:
        load_weights(model, weights)
        for side in (images, images[:, :, ::-1]):
            said.append(model.predict(side, batch_size=256, verbose=0))
    mean: Targets = keras.tree.map_structure(lambda *rows: np.mean(rows, axis=0), *said)
    return mean
