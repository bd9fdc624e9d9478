"""Train the built-in emotion network on FER2013 with the FER+ votes.

    KERAS_BACKEND=torch python -m models.emotion.train fer2013.npz --run runs/emotion

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. On one processor core with AMX an
epoch takes one minute with torch. A run that was interrupted goes on from its last epoch when it
is started again with the same --run. With --teachers, the network learns from the answers of
others as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.datasets import FERPLUS_COLUMNS
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.compact import compact
from models import training

NOT_A_FACE = 9  # FER+ column
TRAINING = 0  # value of `split`


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


def main() -> None:
    """Train as the command line says."""
    parser = training.training_options(
        __doc__, epochs=60, batch_size=128, learning_rate=3e-3, weight_decay=0.05
    )
    parser.add_argument("--label-share", type=float, default=0.25, help="of FER2013's own label")
    options = parser.parse_args()
    training.begin(options)

    rows = load_training_rows(options.data)
    images = rows.images
    trained, watched = training.held_out(len(images))
    labels = rows.targets(label_share=options.label_share)
    targets = training.taught(labels, compact(), images, options)
    model = compact(normalization=training.BatchNormalization)
    if options.start_from:
        model.load_weights(options.start_from)
    training.fit(
        model,
        training.VariedBatches(
            images[trained],
            training.rows_of(targets, trained),
            vary,
            batch_size=options.batch_size,
            seed=options.seed,
        ),
        (images[watched], labels[watched]),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        options=options,
    )


def load_training_rows(path: Path) -> TrainingRows:
    """Return the training pictures but those that most annotators did not take for a face."""
    with np.load(path) as data:
        votes = data["ferplus_votes"]
        rows = (data["split"] == TRAINING) & (votes[:, NOT_A_FACE] <= 5)
        return TrainingRows(data["images"][rows][..., None], data["label"][rows], votes[rows])


def vary(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the face as another camera might have seen it, (48, 48, 1) uint8."""
    image = training.moved(image, rng, turn=7, scale=0.08, shift=0.035)
    if rng.random() < 0.1:
        image = training.shrunken(image, int(rng.integers(16, 36)))
    image = training.relit(image, rng, contrast=0.15, brightness=12)
    if rng.random() < 0.4:
        image = training.covered(image, rng, sides=(0.15, 0.4))
    return image


if __name__ == "__main__":
    main()
