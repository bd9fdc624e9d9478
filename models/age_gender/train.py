r"""Train the built-in age and gender network on UTKFace, All-Age-Faces and APPA-REAL.

    python -m models.crops age utkface_112.npz utkface.npz
    python -m models.crops age all_age_faces.npz all_age_faces_crops.npz --only-found \
        --leave-out-tenth
    python -m models.crops age appa_real.npz appa_real_crops.npz --only-found
    KERAS_BACKEND=torch python -m models.age_gender.train utkface.npz all_age_faces_crops.npz \
        appa_real_crops.npz --shares 0.45 0.27 0.28 --run runs/age-gender \
        --start-from faceattr/assets/age_gender.npz

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. A run that was interrupted goes on
from its last epoch when it is started again with the same --run. With --taught, the network
learns what others say of the pictures as well; of a set without genders they say these, or nothing
is learned of it. With crops of another form than the network of the wheel takes, a teacher is
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from faceattr.analyzers.ages import AGES
from faceattr.labels import GENDERS, NUM_AGES
from faceattr.networks.architectures.age_gender import age_gender
from faceattr.training.batches import BatchNormalization, Targets, VariedBatches, rows_of
from faceattr.training.varying import vary_looks
from models import training
from models.training import Teaching

HEADS = {"age": NUM_AGES, "gender": len(GENDERS)}
DECADE = 10  # years
SMOOTHING = 0.05  # share of a gender's target that both have equally


class Faces(NamedTuple):
    """Faces to train on."""

    crops: NDArray[np.uint8]
    """(N, 2, H, W, 3), two crops of each face."""
    age: NDArray[np.integer]
    """(N,) years."""
    targets: Targets
    """Distributions to learn; all zero where nothing is known."""
    labels: Targets
    """Distributions to measure with."""

    def part(self, rows: NDArray[np.intp]) -> Faces:
        """Return some of the faces."""
        targets, labels = (rows_of(one, rows) for one in (self.targets, self.labels))
        return Faces(self.crops[rows], self.age[rows], targets, labels)


def main() -> None:
    """Train as the command line says."""
    parser = training.training_options(
        __doc__, epochs=36, batch_size=96, learning_rate=2e-3, weight_decay=0.05
    )
    parser.add_argument("data", type=Path, nargs="+", help="what models.crops has written")
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0], help="of each set")
    parser.add_argument("--balance", type=float, default=0.35, help="of decades; 0 none, 1 equal")
    parser.add_argument("--epoch-size", type=int, default=12_000, help="pictures of an epoch")
    options = parser.parse_args()
    training.begin(options)

    sets = list(map(load_faces, options.data, training.teaching(options, len(options.data))))
    parts = [training.held_out(len(one.age)) for one in sets]
    trained = [one.part(part[0]) for one, part in zip(sets, parts, strict=True)]
    watched = [one.part(part[1]) for one, part in zip(sets, parts, strict=True)]
    model = training.network(
        lambda: age_gender(normalization=BatchNormalization), HEADS, sets[0].crops, options
    )
    del sets
    training.fit(
        model,
        VariedBatches(
            np.concatenate([one.crops for one in trained]),
            joined([one.targets for one in trained]),
            vary,
            batch_size=options.batch_size,
            seed=options.seed,
            shares=training.shares(
                [one.age // DECADE for one in trained], options.shares, balance=options.balance
            ),
            epoch_size=options.epoch_size,
        ),
        (
            np.concatenate([one.crops[:, 1] for one in watched]),
            joined([one.labels for one in watched]),
        ),
        loss={"age": age_loss, "gender": "categorical_crossentropy"},
        loss_weights={"age": 1.0, "gender": 2.0},
        metrics={"age": [mean_absolute_error], "gender": ["accuracy"]},
        options=options,
    )


def load_faces(path: Path, teaching: Teaching) -> Faces:
    """Return the faces of a set; genders that are not known are those that teachers say.

    Args:
        path: What models.crops has written of it.
        teaching: What teachers say of them: ages, then genders.
    """
    with np.load(path) as data:
        crops, age, is_woman = data["crops"], data["age"], data.get("gender")
    labels = {"age": bells(np.minimum(age, AGES[-1]))}
    labels["gender"] = np.zeros((len(age), len(GENDERS)), np.float32)
    if is_woman is not None:
        labels["gender"] = np.eye(len(GENDERS), dtype=np.float32)[1 - is_woman]  # woman, man
    smoothing = np.float32(SMOOTHING if is_woman is not None else 0)
    smoothed = labels["gender"] + smoothing * (1 / len(GENDERS) - labels["gender"])
    targets: Targets = {**labels, "gender": smoothed}
    if teaching.answers is not None:
        said = dict(zip(HEADS, np.split(teaching.answers, [NUM_AGES], axis=1), strict=True))
        mixed = training.taught(targets, said, share=teaching.share)
        targets = mixed if is_woman is not None else {**dict(mixed), "gender": said["gender"]}
    return Faces(crops, age, targets, labels)


def joined(targets: Sequence[Targets]) -> Targets:
    """Return the targets of several sets as one."""
    together: Targets = keras.tree.map_structure(lambda *rows: np.concatenate(rows), *targets)
    return together


def bells(age: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return (N, 101) probabilities around each of N ages.

    A bell is the wider, the older somebody is, as looks tell less then.
    """
    age = age[:, None]
    bell = np.exp(-0.5 * ((AGES - age) / (0.8 + 0.04 * age)) ** 2)
    probabilities: NDArray[np.float32] = (bell / bell.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def age_loss(target: Any, scores: Any) -> Any:
    """Return how far (N, 101) probabilities are from those wanted, and their mean from theirs.

    Reference: Gao et al., Age estimation using expectation of label distribution learning,
    IJCAI 2018.
    """
    divergence = -ops.sum(target * ops.log(scores + 1e-7), axis=-1)
    return divergence + 0.2 * mean_absolute_error(target, scores)


def mean_absolute_error(target: Any, scores: Any) -> Any:
    """Return in years how far the means of two times (N, 101) probabilities are apart."""
    return ops.abs(ops.sum(ops.multiply(target - scores, AGES), axis=-1))


def vary(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one of the two crops of a face, as another camera might see it."""
    return vary_looks(crops[rng.integers(2)], rng)


if __name__ == "__main__":
    main()
