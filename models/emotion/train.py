"""Train the built-in emotion network on FER2013 with the FER+ votes.

    KERAS_BACKEND=tensorflow python models/emotion/train.py fer2013.npz --run runs/emotion

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. One epoch takes about
two and a half minutes on one processor core. A run that was interrupted goes on from its
last epoch when it is started again with the same --run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from faceattr.networks.compact import compact

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FERPLUS_COLUMNS = (4, 5, 6, 1, 3, 2, 0)  # of each label in the FER+ votes
NOT_A_FACE = 9  # FER+ column
TRAINING = 0  # value of `split`
HELD_OUT = 0.05  # share of the training rows that are only watched


def main() -> None:
    """Train as the command line says."""
    args = _parse_arguments()
    keras.utils.set_random_seed(args.seed)
    keras.mixed_precision.set_global_policy(args.policy)
    args.run.mkdir(parents=True, exist_ok=True)

    images, targets = load_training_rows(args.data, label_share=args.label_share)
    order = np.random.default_rng(args.seed).permutation(len(images))
    watched, trained = np.split(order, [int(HELD_OUT * len(order))])
    batches = AugmentedBatches(images[trained], targets[trained], args.batch_size, args.seed)

    model = compact()
    if args.start_from:
        model.load_weights(args.start_from)
    steps = args.epochs * len(batches)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                args.learning_rate / 20,
                decay_steps=steps - len(batches),
                warmup_target=args.learning_rate,
                warmup_steps=len(batches),
            ),
            weight_decay=args.weight_decay,
            use_ema=True,
            ema_momentum=0.999,
        ),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        batches,
        epochs=args.epochs,
        validation_data=(images[watched], targets[watched]),
        callbacks=[
            keras.callbacks.BackupAndRestore(args.run / "backup"),
            keras.callbacks.CSVLogger(args.run / "log.csv", append=True),
            keras.callbacks.SwapEMAWeights(),
        ],
        verbose=2,
    )
    model.save_weights(args.run / "emotion.weights.h5")
    settings = {name: str(value) for name, value in vars(args).items()}
    (args.run / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")


def load_training_rows(
    path: Path, *, label_share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the training pictures and their target distributions.

    A target is the mean of FER2013's own label, weighted by ``label_share``, and the votes
    of the ten FER+ annotators for the seven labels. Rows that most annotators did not
    take for a face are left out.

    Returns:
        (N, 48, 48, 1) uint8 gray and (N, 7) float32, rows summing to 1.
    """
    with np.load(path) as data:
        split, labels = data["split"], data["label"]
        votes = data["ferplus_votes"].astype(np.float32)
        images = data["images"]
    rows = (split == TRAINING) & (votes[:, NOT_A_FACE] <= 5)
    own = np.eye(len(LABELS), dtype=np.float32)[labels[rows]]
    votes = votes[rows][:, FERPLUS_COLUMNS]
    total = votes.sum(axis=1, keepdims=True)
    voted = np.where(total > 0, votes / np.maximum(total, 1), own)
    targets = label_share * own + (1 - label_share) * voted
    return images[rows][..., None], targets.astype(np.float32)


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled batches of varied pictures, new ones in each epoch."""

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: NDArray[np.float32],
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._images = images
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        return len(self._images) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, index))
        crops = np.stack([vary(image[..., 0], rng) for image in self._images[rows]])
        return crops[..., None].astype(np.float32), self._targets[rows]

    def on_epoch_end(self) -> None:
        """Shuffle again."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._seed, self._epoch))
        self._order = rng.permutation(len(self._images))


def vary(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the face as another camera might have seen it, (48, 48) uint8."""
    size = image.shape[0]
    if rng.random() < 0.5:
        image = image[:, ::-1]
    center = ((size - 1) / 2, (size - 1) / 2)
    matrix = cv2.getRotationMatrix2D(center, rng.normal(0, 6), np.exp(rng.normal(0, 0.07)))
    matrix[:, 2] += rng.normal(0, 1.5, size=2)
    image = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.1:  # a face far from the camera
        small = int(rng.integers(16, 36))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    contrast, brightness = np.exp(rng.normal(0, 0.15)), rng.normal(0, 12)
    image = np.clip((image - 128.0) * contrast + 128 + brightness, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:  # something before the face
        side = int(rng.integers(8, 17))
        x, y = rng.integers(0, size - side, size=2)
        image[y : y + side, x : x + side] = rng.integers(0, 256)
    return image


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="npz with images, label, split, ferplus_votes")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run")
    parser.add_argument("--start-from", type=Path, help="weights of an earlier run, to train on")
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--label-share", type=float, default=0.5)
    parser.add_argument("--policy", default="mixed_bfloat16")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
