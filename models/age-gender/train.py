"""Train the built-in age and gender network on UTKFace.

    python -m models.age-gender.crops utkface_112.npz crops.npz
    KERAS_BACKEND=torch python -m models.age-gender.train crops.npz --run runs/age-gender

Pure Keras 3, so KERAS_BACKEND may be tensorflow, jax or torch. On one processor core with AMX an
epoch takes one and a half minutes with torch. A run that was interrupted goes on from its last
epoch when it is started again with the same --run.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from faceattr.networks.age_gender import NUM_AGES, NUM_GENDERS, age_gender
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
    targets = {
        "age": np.minimum(age, AGES[-1]).astype(np.float32)[:, None],
        "gender": np.eye(NUM_GENDERS, dtype=np.float32)[1 - is_woman],  # woman, man
    }
    trained, watched = training.held_out(len(crops))
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
        (crops[watched][:, 1], training.rows_of(targets, watched)),
        loss={
            "age": age_loss,
            "gender": keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
        },
        metrics={"age": [mean_absolute_error], "gender": ["accuracy"]},
        options=options,
    )


def age_loss(age: Any, scores: Any) -> Any:
    """Return how far (N, 101) probabilities are from a bell around the (N, 1) age, and their mean.

    The bell is the wider, the older somebody is, as looks tell less then.

    Reference: Gao et al., Age estimation using expectation of label distribution learning,
    IJCAI 2018.
    """
    width = 0.8 + 0.04 * age
    target = ops.softmax(-0.5 * (ops.subtract(AGES, age) / width) ** 2)
    divergence = -ops.sum(target * ops.log(scores + 1e-7), axis=-1)
    return divergence + 0.2 * mean_absolute_error(age, scores)


def mean_absolute_error(age: Any, scores: Any) -> Any:
    """Return in years how far the mean of each of (N, 101) probabilities is from the (N, 1) age."""
    mean = ops.sum(ops.multiply(scores, AGES), axis=-1)
    return ops.abs(ops.subtract(mean, age[:, 0]))


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
