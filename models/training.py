"""What the recipes of the built-in models have in common. Pure Keras 3, on any of its backends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

Targets: TypeAlias = NDArray[np.float32] | Mapping[str, NDArray[np.float32]]
"""What a model shall give, one row per picture; by the names of its outputs if it has several."""

HELD_OUT = 0.05  # share of the training rows that are only watched


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer; on PyTorch by its own fused operation, which trains twice as fast."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """See the base class."""
        if not training or keras.backend.backend() != "torch":
            return super().call(inputs, training=training, mask=mask)
        from torch.nn.functional import batch_norm

        normalized = batch_norm(
            inputs.permute(0, 3, 1, 2),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value,
            self.beta.value,
            training=True,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        return normalized.permute(0, 2, 3, 1)


class VariedBatches(keras.utils.PyDataset):
    """Shuffled batches of varied pictures, new ones in each epoch.

    Args:
        images: (N, H, W, C) uint8.
        targets: What the model shall give, N rows each.
        vary: Returns an (H, W, C) picture as another camera might have seen it.
        batch_size: Pictures of a batch; what is left over waits for another epoch.
        seed: Makes the same batches again.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: Targets,
        vary: Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._images = images
        self._targets = targets
        self._vary = vary
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._images) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Targets]:
        order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._images))
        rows = order[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, index))
        images = np.stack([self._vary(image, rng) for image in self._images[rows]])
        return images.astype(np.float32), rows_of(self._targets, rows)

    def start_at(self, epoch: int) -> None:
        """Give the batches of that epoch next, the first being 0."""
        self._epoch = epoch

    def on_epoch_end(self) -> None:
        """Shuffle and vary anew."""
        self._epoch += 1


def rows_of(targets: Targets, rows: NDArray[np.intp]) -> Targets:
    """Return some rows of each target."""
    chosen: Targets = keras.tree.map_structure(lambda target: target[rows], targets)
    return chosen


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
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                options.learning_rate / 20,
                decay_steps=steps - len(batches),
                warmup_target=options.learning_rate,
                warmup_steps=len(batches),
            ),
            weight_decay=options.weight_decay,
            use_ema=True,
            ema_momentum=0.999,
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
    parser.add_argument("data", type=Path, help="the npz file with the pictures")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run")
    parser.add_argument("--start-from", type=Path, help="weights of an earlier run, to train on")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--teachers", type=Path, nargs="*", default=[], help="weights of teachers")
    parser.add_argument("--teacher-share", type=float, default=0.6, help="in the targets")
    parser.add_argument("--policy", default="mixed_bfloat16", help="Keras's precision policy")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def begin(options: argparse.Namespace) -> None:
    """Fix the seeds and the precision, and make the folder of the run."""
    keras.utils.set_random_seed(options.seed)
    keras.mixed_precision.set_global_policy(options.policy)
    options.run.mkdir(parents=True, exist_ok=True)


def held_out(num_rows: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on, and those that are only watched: the same in every run."""
    order = np.random.default_rng(0).permutation(num_rows)
    watched, trained = np.split(order, [round(HELD_OUT * num_rows)])
    return trained, watched


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
    answers = []
    for weights in options.teachers:
        model.load_weights(weights)
        for side in (images, images[:, :, ::-1]):
            answers.append(model.predict(side, batch_size=256, verbose=0))

    def mix(target: NDArray[np.float32], *said: NDArray[np.float32]) -> NDArray[np.float32]:
        return target + np.float32(options.teacher_share) * (np.mean(said, axis=0) - target)

    mixed: Targets = keras.tree.map_structure(mix, targets, *answers)
    return mixed


def moved(
    image: NDArray[np.uint8], rng: np.random.Generator, *, turn: float, scale: float, shift: float
) -> NDArray[np.uint8]:
    """Return the picture turned, scaled and shifted, mirrored half of the time.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        turn: Standard deviation in degrees.
        scale: Standard deviation of the logarithm of the scale.
        shift: Standard deviation as a share of the picture's side.
    """
    height, width = image.shape[:2]
    center = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(center, rng.normal(0, turn), np.exp(rng.normal(0, scale)))
    matrix[:, 2] += rng.normal(0, shift * width, size=2)
    if rng.random() < 0.5:
        matrix = np.vstack([matrix, (0, 0, 1)])
        matrix = (np.diag((-1.0, 1.0, 1.0)) @ matrix)[:2]
        matrix[0, 2] += width - 1
    flat = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return flat.reshape(image.shape)


def shrunken(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the picture as if it had been so small: a face far from the camera."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8).reshape(image.shape)


def relit(
    image: NDArray[np.uint8], rng: np.random.Generator, *, contrast: float, brightness: float
) -> NDArray[np.uint8]:
    """Return the picture in another light.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        contrast: Standard deviation of the logarithm of the contrast.
        brightness: Standard deviation of what is added to each px.
    """
    table = (np.arange(256) - 128) * np.exp(rng.normal(0, contrast)) + 128
    table += rng.normal(0, brightness)
    return np.clip(table, 0, 255).astype(np.uint8)[image]


def covered(
    image: NDArray[np.uint8], rng: np.random.Generator, *, sides: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return the picture with a plain rectangle somewhere before the face.

    Args:
        image: (H, W, C) uint8.
        rng: What decides.
        sides: Smallest and largest side of the rectangle, as shares of the picture's.
    """
    image = image.copy()
    height, width = (round(n * rng.uniform(*sides)) for n in image.shape[:2])
    top, left = (rng.integers(0, n - m) for n, m in zip(image.shape, (height, width), strict=False))
    image[top : top + height, left : left + width] = rng.integers(0, 256, image.shape[2])
    return image
