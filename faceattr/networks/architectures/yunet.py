"""YuNet: depthwise separable convolutions that find faces of 10 to 300 pixels in one pass.

Reference: Wu et al., YuNet: a tiny millisecond-level face detector, Machine Intelligence Research
2023.
"""

from __future__ import annotations

from faceattr.networks.graph import Layer

STRIDES = (8, 16, 32)
"""Pixels between the cells of each map in which faces are found."""

NUM_OUTPUTS = 16
"""Per cell: logits of face and of objectness, 4 numbers of a box, 10 of five landmarks."""


def yunet() -> tuple[Layer, ...]:
    """Return the graph from (N, H, W, 3) BGR uint8 images to (N, cells, 16).

    Height and width must be multiples of 32. The cells are those of stride 8 row by row, then
    those of stride 16, then those of stride 32.
    """
    layers = [
        Layer("InputLayer", "input", {"shape": (None, None, 3), "dtype": "uint8"}),
        Layer("ZeroPadding2D", "pad", {"padding": ((1, 1), (1, 1))}, ("input",)),
        Layer(
            "Conv2D",
            "stem",
            {"filters": 16, "kernel_size": (3, 3), "strides": (2, 2), "activation": "relu"},
            ("pad",),
        ),
    ]

    def add(kind: str, name: str, *inputs: str, **config: object) -> str:
        layers.append(Layer(kind, name, config, inputs or (layers[-1].name,)))
        return name

    def add_unit(name: str, filters: int, *inputs: str, activation: str = "relu") -> str:
        """Add a separable convolution: first across channels, then within each."""
        add("Conv2D", f"{name}_point", *inputs, filters=filters, kernel_size=(1, 1))
        return add(
            "DepthwiseConv2D",
            f"{name}_depth",
            kernel_size=(3, 3),
            padding="same",
            activation=activation,
        )

    def add_pool(name: str) -> str:
        return add("MaxPooling2D", name, pool_size=(2, 2))

    add_unit("stage0", 16)
    add_pool("pool0")
    for index, filters in enumerate((16, 32, 32, 64)):
        add_unit(f"stage1_{index}", filters)
    maps = []
    for stage in (2, 3, 4):
        add_pool(f"pool{stage - 1}")
        add_unit(f"stage{stage}_0", 64)
        maps.append(add_unit(f"stage{stage}_1", 64))

    # coarse maps have a wider view; each finer one gets the next coarser one added
    merged = [add_unit("merge32", 64)]
    for stride, fine in ((16, maps[1]), (8, maps[0])):
        coarse = add("UpSampling2D", f"up{stride}", merged[0], size=(2, 2))
        add("Add", f"add{stride}", coarse, fine)
        merged.insert(0, add_unit(f"merge{stride}", 64))
    outputs = []
    for stride, features in zip(STRIDES, merged, strict=True):
        add_unit(f"head{stride}", NUM_OUTPUTS, features, activation="linear")
        outputs.append(add("Reshape", f"cells{stride}", target_shape=(-1, NUM_OUTPUTS)))
    add("Concatenate", "cells", *outputs, axis=1)
    return tuple(layers)
