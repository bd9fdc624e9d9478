r"""Train the built-in emotion network on FER2013 with the FER+ votes, and on RAF-DB.

    python -m models.crops emotion rafdb.npz rafdb_crops.npz --leave-out-tenth
    KERAS_BACKEND=torch python -m models.emotion.train fer2013.npz --rafdb rafdb_crops.npz \
        --run runs/emotion --start-from faceattr/assets/emotion.npz

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. A run that was interrupted goes on
from its last epoch when it is started again with the same --run. With --teachers, the network
learns from the answers of others to FER2013's pictures as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.datasets import FERPLUS_COLUMNS
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.compact import compact
from faceattr.training.batches import BatchNormalization, VariedBatches
from faceattr.training.varying import vary_expression
from models import training

NOT_A_FACE = 9  # FER+ column
TRAINING = 0  # value of `split`
SMOOTHING = 0.1  # share of RAF-DB's target that all labels have equally


class TrainingRows(NamedTuple):
    """The training pictures and what was said of them."""

    images: NDArray[np.uint8]
    """(N, 48, 48, 1) gray."""
    labels: NDArray[np.integer]
    """(N,) FER2013's own labels."""
    votes: NDArray[np.integer]
    """(N, 10) votes of the annotators of FER+, in its order."""

    def targets(self, *, label_share: float) -> NDArray[np.float32]:
        """Return (N, 7) distributions: the votes for the seven labels, mixed with the own label.

        Args:
            label_share: Weight of the own label; all of it where nobody voted for the seven.
        """
        own = np.eye(len(EMOTIONS))[self.labels]
        votes = self.votes[:, FERPLUS_COLUMNS]
        total = votes.sum(axis=1, keepdims=True)
        voted = np.where(total > 0, votes / np.maximum(total, 1), own)
        return (label_share * own + (1 - label_share) * voted).astype(np.float32)


class Faces(NamedTuple):
    """Faces to train on."""

    crops: NDArray[np.uint8]
    """(N, 2, 48, 48, 1) gray, two crops of each face."""
    targets: NDArray[np.float32]
    """(N, 7) distributions to learn."""
    labels: NDArray[np.float32]
    """(N, 7) distributions to measure with."""

    def part(self, rows: NDArray[np.intp]) -> Faces:
        """Return some of the faces."""
        return Faces(self.crops[rows], self.targets[rows], self.labels[rows])


def main() -> None:
    """Train as the command line says."""
    parser = training.training_options(
        __doc__, epochs=60, batch_size=128, learning_rate=3e-3, weight_decay=0.05
    )
    parser.add_argument("data", type=Path, help="npz with images, label, split, ferplus_votes")
    parser.add_argument("--rafdb", type=Path, help="what models.crops has written of RAF-DB")
    parser.add_argument("--rafdb-share", type=float, default=0.4, help="of each batch")
    parser.add_argument("--balance", type=float, default=0.5, help="of labels; 0 none, 1 equal")
    parser.add_argument("--epoch-size", type=int, default=12_000, help="pictures of an epoch")
    parser.add_argument("--label-share", type=float, default=0.25, help="of FER2013's own label")
    options = parser.parse_args()
    training.begin(options)

    sets = [fer2013(options)]
    if options.rafdb:
        sets.append(rafdb(options.rafdb))
    parts = [training.held_out(len(one.crops)) for one in sets]
    trained = [one.part(part[0]) for one, part in zip(sets, parts, strict=True)]
    watched = [one.part(part[1]) for one, part in zip(sets, parts, strict=True)]
    model = compact(normalization=BatchNormalization)
    if options.start_from:
        training.load_weights(model, options.start_from)
    training.fit(
        model,
        VariedBatches(
            np.concatenate([one.crops for one in trained]),
            np.concatenate([one.targets for one in trained]),
            vary,
            batch_size=options.batch_size,
            seed=options.seed,
            shares=training.shares(
                [one.targets.argmax(axis=1) for one in trained],
                [1 - options.rafdb_share, options.rafdb_share][: len(sets)],
                balance=options.balance,
            ),
            epoch_size=options.epoch_size,
        ),
        (
            np.concatenate([one.crops[:, -1] for one in watched]),
            np.concatenate([one.labels for one in watched]),
        ),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        options=options,
    )


def fer2013(options: argparse.Namespace) -> Faces:
    """Return FER2013's training rows, their targets mixed with what the teachers say."""
    rows = load_training_rows(options.data)
    labels = rows.targets(label_share=options.label_share)
    targets = np.asarray(training.taught(labels, compact(), rows.images, options))
    return Faces(np.stack([rows.images, rows.images], axis=1), targets, labels)


def rafdb(path: Path) -> Faces:
    """Return RAF-DB's training rows."""
    with np.load(path) as data:
        crops, labels = data["crops"], np.eye(len(EMOTIONS), dtype=np.float32)[data["label"]]
    return Faces(crops, labels + SMOOTHING * (1 / len(EMOTIONS) - labels), labels)


def load_training_rows(path: Path) -> TrainingRows:
    """Return the training pictures but those that most annotators did not take for a face."""
    with np.load(path) as data:
        votes = data["ferplus_votes"]
        rows = (data["split"] == TRAINING) & (votes[:, NOT_A_FACE] <= 5)
        return TrainingRows(data["images"][rows][..., None], data["label"][rows], votes[rows])


def vary(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one of the two crops of a face, (2, 48, 48, 1), as another camera might see it."""
    return vary_expression(crops[rng.integers(2)], rng)


if __name__ == "__main__":
    main()
