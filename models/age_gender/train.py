"""Train the built-in age and gender network on UTKFace.

    python -m models.age_gender.crops utkface_112.npz crops.npz
    KERAS_BACKEND=torch python -m models.age_gender.train crops.npz --run runs/age-gender

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. On one processor core with AMX an
epoch takes one and a half minutes with torch. A run that was interrupted goes on from its last
epoch when it is started again with the same --run. With --teachers, the network learns from the
answers of others as well.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from faceattr.labels import GENDERS, NUM_AGES
from faceattr.networks.architectures.age_gender import age_gender
from models import training

AGES = np.arange(NUM_AGES, dtype=np.float32)


def main() -> None:
    """Train as the command line says."""
    options = training.training_options(
        __doc__, epochs=36, batch_size=96, learning_rate=2e-3, weight_decay=0.05
    ).parse_args()
    training.begin(options)

    with np.load(options.data) as data:
        crops, age, is_woman = data["crops"], data["age"], data["gender"]
    labels = {
        "age": bells(np.minimum(age, AGES[-1])),
        "gender": np.eye(len(GENDERS), dtype=np.float32)[1 - is_woman],  # woman, man
    }
    trained, watched = training.held_out(len(crops))
    targets = training.taught(labels, age_gender(), crops[:, 1], options)
    model = age_gender(normalization=training.BatchNormalization)
    if options.start_from:
        model.load_weights(options.start_from)
    training.fit(
        model,
        training.VariedBatches(
            crops[trained],
            training.rows_of(targets, trained),
            vary,
            batch_size=options.batch_size,
            seed=options.seed,
        ),
        (crops[watched][:, 1], training.rows_of(labels, watched)),
        loss={
            "age": age_loss,
            "gender": keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
        },
        loss_weights={"age": 1.0, "gender": 2.0},
        metrics={"age": [mean_absolute_error], "gender": ["accuracy"]},
        options=options,
    )


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
    """Return one of the two crops of a face, as another camera might have seen it."""
    image = training.moved(crops[rng.integers(2)], rng, turn=8, scale=0.08, shift=0.03)
    if rng.random() < 0.15:
        image = training.shrunken(image, int(rng.integers(20, 64)))
    image = training.relit(image, rng, contrast=0.18, brightness=15)
    if rng.random() < 0.15:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    else:  # another white balance
        balance = np.exp(rng.normal(0, 0.06, size=3))
        image = np.clip(image * balance, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        image = training.covered(image, rng, sides=(0.15, 0.4))
    return image


if __name__ == "__main__":
    main()
