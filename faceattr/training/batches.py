"""Shuffled batches and the optimizer of all trainings by Keras 3, on any of its backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

Targets: TypeAlias = NDArray[np.float32] | Mapping[str, NDArray[np.float32]]
"""What a model shall give, one row per picture; by the names of its outputs if it has several."""


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


def adamw(
    steps: int, *, warmup: int, learning_rate: float, weight_decay: float, **options: Any
) -> keras.optimizers.Optimizer:
    """Return AdamW whose learning rate rises, then falls to 0 along a cosine.

    Args:
        steps: Batches of the whole training.
        warmup: Batches in which the rate rises from a twentieth of its peak.
        learning_rate: The peak.
        weight_decay: As in `keras.optimizers.AdamW`.
        options: Other arguments of `keras.optimizers.AdamW`.

    Reference: Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20,
        decay_steps=max(steps - warmup, 1),
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay, **options)
