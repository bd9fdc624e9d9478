r"""Train the built-in emotion network on FER2013 with the FER+ votes, and on RAF-DB.

    python -m models.crops emotion rafdb.npz rafdb_crops.npz --leave-out-tenth
    KERAS_BACKEND=torch python -m models.emotion.train fer2013.npz --rafdb rafdb_crops.npz \
        --run runs/emotion --start-from faceattr/assets/emotion.npz

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. A run that was interrupted goes on
from its last epoch when it is started again with the same --run. With --taught, the network
learns what others say of the pictures as well, and so from faces whose emotion nobody has noted.
With crops of another form than the network of the wheel takes, a teacher is trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.datasets import FERPLUS_COLUMNS
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.compact import compact
from faceattr.training.batches import BatchNormalization, VariedBatches
from faceattr.training.varying import vary_expression
from models import training
from models.crops import TRAINING, load_crops
from models.training import Teaching

HEADS = {"emotion": len(EMOTIONS)}
NOT_A_FACE, MOST_VOTES = 9, 5  # column of FER+, and how many may say so
GRAY = 0.25  # share of crops in color that lose it
SMOOTHING = 0.1  # share of RAF-DB's target that all labels have equally


class Faces(NamedTuple):
    """Faces to train on."""

    crops: NDArray[np.uint8]
    """(N, 2, H, W, C), two crops of each face."""
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
    parser.add_argument(
        "--fer2013-crops", type=Path, help="what models.crops has written of it; if not, as it is"
    )
    parser.add_argument("--rafdb", type=Path, help="what models.crops has written of RAF-DB")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="sets without emotions")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.6, 0.4], help="of each set")
    parser.add_argument("--balance", type=float, default=0.5, help="of labels; 0 none, 1 equal")
    parser.add_argument("--epoch-size", type=int, default=12_000, help="pictures of an epoch")
    parser.add_argument("--label-share", type=float, default=0.25, help="of FER2013's own label")
    options = parser.parse_args()
    training.begin(options)

    sets = load_sets(options)
    parts = [training.held_out(len(one.crops)) for one in sets]
    trained = [one.part(part[0]) for one, part in zip(sets, parts, strict=True)]
    watched = [one.part(part[1]) for one, part in zip(sets, parts, strict=True) if one.labels.any()]
    model = training.network(
        lambda: compact(normalization=BatchNormalization), HEADS, sets[0].crops, options
    )
    del sets
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
                options.shares[: len(trained)],
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


def load_sets(options: argparse.Namespace) -> list[Faces]:
    """Return the faces of FER2013, of RAF-DB if it is there, and of sets without emotions."""
    labelled = [options.rafdb] if options.rafdb else []
    teaching = training.teaching(options, 1 + len(labelled) + len(options.others))
    sets = [fer2013(options, teaching.pop(0))]
    sets += [rafdb(path, teaching.pop(0)) for path in labelled]
    for path, (said, _) in zip(options.others, teaching, strict=True):
        if said is None:
            raise SystemExit("--others are learned from teachers' answers; give --taught too")
        sets.append(Faces(load_crops(path), said, np.zeros_like(said)))
    return sets


def fer2013(options: argparse.Namespace, teaching: Teaching) -> Faces:
    """Return FER2013's training rows, but those that most annotators did not take for a face."""
    with np.load(options.data) as data:
        rows = data["split"] == TRAINING
        votes, label = data["ferplus_votes"][rows], data["label"][rows]
    labels = votes_and_label(votes, label, label_share=options.label_share)
    targets = np.asarray(training.taught(labels, teaching.answers, share=teaching.share))
    faces = Faces(load_crops(options.fer2013_crops or options.data), targets, labels)
    return faces.part(are_faces(votes))


def are_faces(votes: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the rows that at least half of the ten annotators took for a face."""
    return np.flatnonzero(votes[:, NOT_A_FACE] <= MOST_VOTES)


def votes_and_label(
    votes: NDArray[np.integer], label: NDArray[np.integer], *, label_share: float
) -> NDArray[np.float32]:
    """Return (N, 7) distributions: the votes for the seven labels, mixed with the own label.

    Args:
        votes: (N, 10) votes of the annotators of FER+, in its order.
        label: (N,) FER2013's own labels.
        label_share: Weight of the own label; all of it where nobody voted for the seven.
    """
    own = np.eye(len(EMOTIONS))[label]
    counts = votes[:, FERPLUS_COLUMNS]
    total = counts.sum(axis=1, keepdims=True)
    voted = np.where(total > 0, counts / np.maximum(total, 1), own)
    return (label_share * own + (1 - label_share) * voted).astype(np.float32)


def rafdb(path: Path, teaching: Teaching) -> Faces:
    """Return RAF-DB's training rows.

    Args:
        path: What models.crops has written of it.
        teaching: What teachers say of them.
    """
    with np.load(path) as data:
        crops, labels = data["crops"], np.eye(len(EMOTIONS), dtype=np.float32)[data["label"]]
    smoothed = labels + SMOOTHING * (1 / len(EMOTIONS) - labels)
    targets = np.asarray(training.taught(smoothed, teaching.answers, share=teaching.share))
    return Faces(crops, targets, labels)


def vary(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one of the two crops of a face, as another camera might see it; a quarter is gray."""
    image = crops[rng.integers(len(crops))]
    if image.shape[-1] == 3 and rng.random() < GRAY:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)
    return vary_expression(image, rng)


if __name__ == "__main__":
    main()
