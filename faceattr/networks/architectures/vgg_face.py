"""VGG-Face: a trunk that computes features of a face, and heads that classify it.

Reference: Parkhi et al., Deep Face Recognition, BMVC 2015.
"""

from __future__ import annotations

from collections.abc import Iterator

from faceattr.networks.graph import Layer, sequential

CONVOLUTIONS = (2, 2, 3, 3, 3)  # per group, each followed by max pooling
WIDTHS = (1, 2, 4, 8, 8)  # channels of each group, as multiples of the first


def vgg_face(num_classes: int, *, width: int = 64, hidden: int = 4096) -> tuple[Layer, ...]:
    """Return the graph from (N, 224, 224, 3) crops to (N, C) probabilities: trunk and head.

    Args:
        num_classes: Number of probabilities in the output.
        width: As in `trunk`.
        hidden: As in `head`.
    """
    return sequential((224, 224, 3), *_trunk(width), *_head(num_classes, hidden))


def trunk(*, width: int = 64) -> tuple[Layer, ...]:
    """Return the graph from (N, 224, 224, 3) crops in [0, 255] to (N, 7, 7, 512) features.

    The published weights expect pixels in [0, 1], so the first layer rescales them.
    14,714,688 parameters.

    Args:
        width: Channels of the first convolution; the features have eight times as many.
    """
    return sequential((224, 224, 3), *_trunk(width))


def head(num_classes: int, *, width: int = 64, hidden: int = 4096) -> tuple[Layer, ...]:
    """Return the graph from (N, 7, 7, 512) features to (N, C) probabilities.

    Args:
        num_classes: Number of probabilities in the output.
        width: As in `trunk`.
        hidden: Channels of the two hidden layers.
    """
    return sequential((7, 7, WIDTHS[-1] * width), *_head(num_classes, hidden))


def _trunk(width: int) -> Iterator[Layer]:
    yield Layer("Rescaling", "to_unit", {"scale": 1 / 255})
    for group, (depth, factor) in enumerate(zip(CONVOLUTIONS, WIDTHS, strict=True), start=1):
        for index in range(1, depth + 1):
            yield Layer(
                "Conv2D",
                f"conv{group}_{index}",
                {
                    "filters": factor * width,
                    "kernel_size": (3, 3),
                    "padding": "same",
                    "activation": "relu",
                },
            )
        yield Layer("MaxPooling2D", f"pool{group}", {"pool_size": (2, 2)})


def _head(num_classes: int, hidden: int) -> Iterator[Layer]:
    yield _dense("fc6", hidden, size=7, activation="relu")
    yield _dense("fc7", hidden, activation="relu")
    yield _dense("predictions", num_classes)
    yield Layer("Flatten", "flatten")
    yield Layer("Softmax", "scores")


def _dense(name: str, filters: int, *, size: int = 1, activation: str = "linear") -> Layer:
    config = {"filters": filters, "kernel_size": (size, size), "activation": activation}
    return Layer("Conv2D", name, config)
