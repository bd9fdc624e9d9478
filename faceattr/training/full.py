"""All layers of a built-in network, trained on labelled crops by Keras 3 on any of its backends."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.builtin import FEATURES
from faceattr.analyzers.trunks import BuiltinTrunk
from faceattr.errors import MissingDependencyError, WeightsError
from faceattr.files import npz_content, write_whole
from faceattr.networks.graph import Array
from faceattr.training import fitting
from faceattr.training.fitting import Floats, Head
from faceattr.training.varying import vary_expression, vary_looks
from faceattr.weights.store import cache_folder

if TYPE_CHECKING:
    import keras

    from faceattr.training.batches import VariedBatches

logger = logging.getLogger(__name__)

BACKENDS = ("tensorflow", "torch", "jax")
VARIETIES = {"emotion": vary_expression, "age_gender": vary_looks}
"""Name of each trunk that can be trained to how its crops are varied."""
SMOOTHING = 0.05  # share of the target that all labels have equally
MINUTES = 60.0  # longest training, unless told otherwise
PREDICTED = 256  # crops that go through the network at once

Steps: TypeAlias = Callable[[Iterable[tuple[int, int]], int], Iterable[tuple[int, int]]]
"""Shows progress while it passes on the steps that it is given; the number is how many at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train, and how fast.

    Attributes:
        minutes: Longest time of all runs together.
        epochs: Most passes over the pictures.
        patience: Epochs without a better loss on the watched pictures after which it ends.
        batch_size: Pictures of a batch.
        epoch_size: Least and most pictures of an epoch.
        learning_rate: The peak; the built-in networks know most of it already.
        weight_decay: As in the recipes of the built-in networks, like the dropout.
        dropout: Share of the features that is dropped.
    """

    minutes: float = MINUTES
    epochs: int = 20
    patience: int = 4
    batch_size: int = 32
    epoch_size: tuple[int, int] = (256, 10_000)
    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    dropout: float = 0.3


class Tuned(NamedTuple):
    """A trained network.

    Attributes:
        layers: Name of each layer of the trunk to its weights, kernels rounded to half precision.
        head: Linear head on its features.
        epochs: Number of epochs that were trained.
        best: Epoch whose weights these are, from 1; 0 if no epoch made the first ones better.
    """

    layers: dict[str, list[Array]]
    head: Head
    epochs: int
    best: int


class Watched(NamedTuple):
    """Pictures that are not trained on, by whose loss the best epoch is found."""

    crops: NDArray[np.uint8]
    targets: NDArray[Any]
    loss: fitting.Loss


def train_layers(
    trunk: BuiltinTrunk,
    start: Head,
    crops: NDArray[np.uint8],
    targets: NDArray[Any],
    watched: Watched,
    *,
    plan: Plan,
    mirror: bool,
    progress: Steps,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Train the trunk and the head together, and return them as they were in the best epoch.

    Weights are averaged over about an epoch. A run that was interrupted or killed goes on from its
    last epoch when it is called again with the same pictures.

    Args:
        trunk: Where to start.
        start: Head on its features, which has seen no watched picture.
        crops: (N, H, W, C) uint8 to train on.
        targets: (N,) class indices or values.
        watched: Pictures that are only watched.
        plan: How long to train, and how fast.
        mirror: Whether mirror images mean the same.
        progress: Shows the progress.
        clock: Returns seconds.

    Raises:
        MissingDependencyError: Keras or a backend of it is not installed.

    Reference: Kumar et al., Fine-tuning can distort pretrained features and underperform
    out-of-distribution, ICLR 2022 (why the head comes first).
    """
    require_keras()
    from faceattr.training.batches import VariedBatches

    num_columns = start.kernel.shape[1]
    center, scale = (0.0, 1.0) if num_columns > 1 else (targets.mean(), targets.std())
    wanted = (
        np.eye(num_columns)[targets] if num_columns > 1 else (targets - center)[:, None] / scale
    )
    least, most = plan.epoch_size
    batches = VariedBatches(
        crops,
        wanted.astype(np.float32),
        partial(VARIETIES[trunk.name], mirror=mirror),
        batch_size=plan.batch_size,
        seed=0,
        shares=np.full(len(crops), 1 / len(crops)) if len(crops) < least else None,
        epoch_size=min(max(len(crops), least), most),
    )
    model = _build(trunk, Head(start.kernel / scale, (start.bias - center) / scale), plan)
    _compile(model, batches, plan)
    run = _Run(
        model,
        batches,
        lambda logits: watched.loss(logits * scale + center, watched.targets),
        watched.crops.astype(np.float32),
        _path_of(trunk, start, crops, targets, watched, plan, mirror),
    )
    run.train(plan, progress, clock)
    model.set_weights(run.best)
    layers = {
        name: [_rounded(array) for array in model.get_layer(name).get_weights()]
        for name in trunk.layers
    }
    kernel, bias = (array.astype(np.float64) * scale for array in model.layers[-1].get_weights())
    run.forget()
    return Tuned(layers, Head(kernel, bias + center), run.epoch, run.best_epoch)


def require_keras() -> None:
    """Import Keras on the backend that is installed, unless ``KERAS_BACKEND`` names one.

    Raises:
        MissingDependencyError: There is none.
    """
    installed = [name for name in BACKENDS if find_spec(name) is not None]
    if "keras" not in sys.modules and installed:
        os.environ.setdefault("KERAS_BACKEND", installed[0])
    try:
        if not installed:
            raise ImportError(f"none of {', '.join(BACKENDS)} is installed")
        import keras  # noqa: F401  # is there an easier way to know that it works?
    except ImportError as error:
        raise MissingDependencyError(
            f"training all layers needs Keras and a backend of it ({error}): "
            "pip install 'faceattr[train]'"
        ) from error


class _Run:
    """A training that can be interrupted.

    Args:
        model: Compiled.
        batches: To train on.
        measure: (N, C) answers to the watched pictures to their loss.
        watched: (N, H, W, C) float32.
        path: File of its state between two epochs; None keeps none.

    Attributes:
        epoch: Number of epochs that were trained.
        best: Weights of the best epoch.
        best_epoch: Its number, from 1; 0 for the weights before the first.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: VariedBatches,
        measure: Callable[[Floats], float],
        watched: NDArray[np.float32],
        path: Path | None,
    ) -> None:
        self._model = model
        self._batches = batches
        self._measure = measure
        self._watched = watched
        self._path = path
        self._momentum = 1 - 1 / (len(batches) + 1)
        self._mean = _copies(model)
        self._seconds = 0.0
        self.epoch = 0
        self.best = _copies(model)
        self.best_epoch = 0
        self._best_loss = np.inf

    def train(self, plan: Plan, progress: Steps, clock: Callable[[], float]) -> None:
        """Train until the plan says that it is enough."""
        if not self._restore():
            self._best_loss = self._loss()
        began = clock() - self._seconds
        last = len(self._batches) - 1
        epochs = range(self.epoch, self.epoch if self._is_enough(plan) else plan.epochs)
        steps = ((epoch, index) for epoch in epochs for index in range(last + 1))
        for epoch, index in progress(steps, len(epochs) * (last + 1)):
            self._batches.start_at(epoch)
            self._model.train_on_batch(*self._batches[index])
            self._average()
            self._seconds = clock() - began
            if index == last or self._seconds >= 60 * plan.minutes:
                self._end_epoch(epoch + 1)
                if self._is_enough(plan):
                    break

    def _is_enough(self, plan: Plan) -> bool:
        is_late = self._seconds >= 60 * plan.minutes
        return is_late or self.epoch - self.best_epoch >= plan.patience

    def _average(self) -> None:
        for mean, array in zip(self._mean, self._model.get_weights(), strict=True):
            mean += (1 - self._momentum) * (array - mean)

    def _end_epoch(self, epoch: int) -> None:
        """See how good the mean weights are, and write the state down."""
        self.epoch = epoch
        weights = _copies(self._model)
        self._model.set_weights(self._mean)
        loss = self._loss()
        self._model.set_weights(weights)
        if loss < self._best_loss:
            self._best_loss, self.best_epoch = loss, epoch
            self.best = [array.copy() for array in self._mean]
        logger.info(
            "epoch %d: loss %.4f on watched pictures; best %.4f in epoch %d",
            *(epoch, loss, self._best_loss, self.best_epoch),
        )
        self._keep()

    def _loss(self) -> float:
        parts = [
            np.asarray(self._model.predict_on_batch(self._watched[start : start + PREDICTED]))
            for start in range(0, len(self._watched), PREDICTED)
        ]
        return self._measure(np.concatenate(parts).astype(np.float64))

    def _keep(self) -> None:
        if self._path is None:
            return
        groups = {
            "weights": self._model.get_weights(),
            "mean": self._mean,
            "best": self.best,
            "moments": [np.asarray(one) for one in self._model.optimizer.variables],
        }
        arrays = {
            f"{name}_{i}": one for name, group in groups.items() for i, one in enumerate(group)
        }
        numbers = np.array([self.epoch, self.best_epoch, self._best_loss, self._seconds])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, npz_content(numbers=numbers, **arrays))
        except OSError as error:
            logger.warning("this epoch cannot be remembered: %s", error.strerror or error)

    def _restore(self) -> bool:
        """Go on from the file, if there is one that fits."""
        optimizer = self._model.optimizer
        optimizer.build(self._model.trainable_variables)
        sizes = {
            "weights": len(self._mean),
            "mean": len(self._mean),
            "best": len(self._mean),
            "moments": len(optimizer.variables),
        }
        with suppress(Exception):  # no file, or a damaged one
            if self._path is None:
                return False
            with self._path.open("rb") as file, np.load(file) as archive:
                groups = {
                    name: [archive[f"{name}_{index}"] for index in range(size)]
                    for name, size in sizes.items()
                }
                epoch, best_epoch, best_loss, seconds = archive["numbers"].tolist()
            for variable, array in zip(optimizer.variables, groups["moments"], strict=True):
                variable.assign(array)
            self._model.set_weights(groups["weights"])
            self._mean, self.best = groups["mean"], groups["best"]
            self.epoch, self.best_epoch = int(epoch), int(best_epoch)
            self._best_loss, self._seconds = best_loss, seconds
            logger.info("goes on after epoch %d", self.epoch)
            return True
        return False

    def forget(self) -> None:
        """Remove the file, as the result is there."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()


def _copies(model: keras.Model) -> list[Array]:
    """Return the weights; PyTorch's would change with the model."""
    return [np.array(array) for array in model.get_weights()]


def _build(trunk: BuiltinTrunk, start: Head, plan: Plan) -> keras.Model:
    """Return the trunk with a dropout and a linear head on it."""
    import keras

    from faceattr.networks.keras_models import to_keras
    from faceattr.training.batches import BatchNormalization

    below = to_keras(trunk.network, {"BatchNormalization": BatchNormalization})
    features = keras.layers.Dropout(plan.dropout, seed=0)(below.get_layer(FEATURES).output)
    num_columns = start.kernel.shape[1]
    answers = keras.layers.Dense(num_columns, name="head")(features)
    model = keras.Model(below.input, answers)
    model.layers[-1].set_weights([start.kernel, start.bias])
    return model


def _compile(model: keras.Model, batches: VariedBatches, plan: Plan) -> None:
    import keras

    from faceattr.training.batches import adamw

    loss: Any = keras.losses.Huber()  # of values in standard deviations
    if model.output.shape[-1] > 1:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    model.compile(
        optimizer=adamw(
            plan.epochs * len(batches),
            warmup=len(batches),
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
        ),
        loss=loss,
        jit_compile=False,  # which takes longer than it saves on a processor
    )


def _path_of(
    trunk: BuiltinTrunk,
    start: Head,
    crops: NDArray[np.uint8],
    targets: NDArray[Any],
    watched: Watched,
    plan: Plan,
    mirror: bool,
) -> Path | None:
    """Return the file of the state of a run, by all that its result depends on but its time."""
    key = hashlib.sha256(f"{trunk.identity} {asdict(replace(plan, minutes=0))} {mirror}".encode())
    for array in (start.kernel, start.bias, crops, targets, watched.crops, watched.targets):
        key.update(f"{array.shape} {array.dtype}".encode())
        key.update(np.ascontiguousarray(array).tobytes())
    try:
        return cache_folder() / "training" / f"{key.hexdigest()}.npz"
    except WeightsError:  # there is no folder for the cache
        return None


def _rounded(array: Array) -> Array:
    """Return the weights as the file has them: kernels in half precision."""
    return array.astype(np.float16 if array.ndim > 1 else np.float32).astype(np.float32)
