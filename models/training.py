"""What the recipes of the built-in models have in common. Pure Keras 3, on any of its backends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from faceattr.networks.formats import npz

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
        shares: (N,) how often each picture is drawn, summing to 1; None for each once an epoch.
        epoch_size: Pictures of an epoch, if there are shares.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: Targets,
        vary: Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]],
        *,
        batch_size: int,
        seed: int,
        shares: NDArray[np.float64] | None = None,
        epoch_size: int | None = None,
    ) -> None:
        super().__init__()
        self._images = images
        self._targets = targets
        self._vary = vary
        self._batch_size = batch_size
        self._seed = seed
        self._shares = shares
        self._epoch_size = epoch_size or len(images)
        self._epoch = 0

    def __len__(self) -> int:
        return self._epoch_size // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Targets]:
        rows = self._order()[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, index))
        images = np.stack([self._vary(image, rng) for image in self._images[rows]])
        return images.astype(np.float32), rows_of(self._targets, rows)

    def _order(self) -> NDArray[np.intp]:
        """Return the rows of this epoch."""
        rng = np.random.default_rng((self._seed, self._epoch))
        if self._shares is None:
            return rng.permutation(len(self._images))
        return rng.choice(len(self._images), self._epoch_size, p=self._shares)

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
                decay_steps=max(steps - len(batches), 1),
                warmup_target=options.learning_rate,
                warmup_steps=len(batches),
            ),
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


def photographed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture as a poor camera gives it: blurred, dark, noisy, compressed, or not.

    Args:
        image: (H, W, C) uint8.
        rng: What decides; half of the pictures are returned as they are.
    """
    if rng.random() < 0.5:
        return image
    shape, height = image.shape, image.shape[0]
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2) * height / 64)
    if rng.random() < 0.2:
        image = motion_blurred(image, rng)
    if rng.random() < 0.25:  # low light
        table = 255 * (np.arange(256) / 255) ** rng.uniform(1.1, 2.2) * rng.uniform(0.5, 1)
        image = table.astype(np.uint8)[image]
    if rng.random() < 0.35:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        code = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED))
    return np.asarray(image, np.uint8).reshape(shape)


def motion_blurred(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture smeared along a line of up to a tenth of its side."""
    length = rng.uniform(1, 0.1 * image.shape[0])
    angle = rng.uniform(0, np.pi)
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        x, y = np.round(reach + step * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        kernel[y, x] += 1
    flat = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8).reshape(image.shape)


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
