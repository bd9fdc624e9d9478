"""dlib's network for face recognition: a residual network of 29 layers.

Reference: King, dlib_face_recognition_resnet_model_v1, 2017; He et al., Deep Residual Learning
for Image Recognition, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from faceattr.errors import WeightsError
from faceattr.networks.architectures.dlib_graph import DlibGraph
from faceattr.networks.formats.dlib_file import DlibLayer
from faceattr.networks.graph import Array, Layer

SIDE = 150  # pixels of a crop
NUM_OUTPUTS = 128
MEAN_RGB = (122.782, 117.001, 104.298)
PIXEL_SCALE = 1 / 256  # dlib's, not 1 / 255

STAGES = ((32, False, 3), (64, True, 4), (128, True, 3), (256, True, 3), (256, True, 1))
"""Of each stage: channels, whether its first block halves the sides, and blocks."""

LAST_BLOCK = "stage4_0"  # halves the sides, and keeps the channels


def dlib_face() -> tuple[Layer, ...]:
    """Return the graph from (N, 150, 150, 3) RGB crops in [0, 255] to (N, 128) descriptors.

    A descriptor has a length of about 1.4. 5.6 million parameters, 272 million multiply-adds.
    """
    features = dlib_trunk(SIDE, LAST_BLOCK)
    config = {"units": NUM_OUTPUTS, "use_bias": False}
    return *features, Layer("Dense", "descriptor", config, (features[-1].name,))


def dlib_trunk(side: int, last_block: str) -> tuple[Layer, ...]:
    """Return the graph from (N, side, side, 3) RGB crops in [0, 255] to features.

    Args:
        side: Height and width of a crop in pixels.
        last_block: The residual block whose output is averaged to features.
    """
    graph = DlibGraph("input", side)
    graph.add("Rescaling", "scaled", scale=PIXEL_SCALE)
    last = graph.add_stem(STAGES[0][0])
    for block, filters, halves in _blocks():
        widens = halves and block != LAST_BLOCK
        last = graph.add_block(block, filters, last, halves=halves, widens=widens)
        if block == last_block:
            break
    graph.add("GlobalAveragePooling2D", "features")
    return tuple(graph.layers)


def with_fixed_weights(weights: dict[str, list[Array]]) -> dict[str, list[Array]]:
    """Return the weights together with those that are not learned.

    A shortcut to more channels adds channels of zeros, which a convolution by 1 and 0 does.
    """
    channels = STAGES[0][0]
    fixed = {}
    for block, filters, down in _blocks():
        if down and filters != channels:
            fixed[f"{block}_widen"] = [np.eye(channels, filters, dtype=np.float32)[None, None]]
        channels = filters
    return weights | fixed


def to_weights(layers: Sequence[DlibLayer]) -> dict[str, list[Array]]:
    """Return the weights of the graph from the layers of dlib's file.

    Each convolution takes in the scaling that follows it, and the first also the mean color.

    Raises:
        WeightsError: They are the layers of another network.
    """
    _check_layers(layers)
    names = ["stem", *(f"{block}_{half}" for block, _, _ in _blocks() for half in "ab")]
    convolutions = [layer.arrays for layer in layers if layer.kind == "con_4"]
    scalings = [layer.arrays for layer in layers if layer.kind == "affine_"]
    weights: dict[str, list[Array]] = {}
    for name, (kernel, bias), (gamma, beta) in zip(names, convolutions, scalings, strict=True):
        kernel = (kernel * gamma.reshape(-1, 1, 1, 1)).transpose(2, 3, 1, 0)
        weights[name] = [kernel, (bias * gamma + beta).reshape(-1)]
    kernel, bias = weights["stem"]
    mean = np.multiply(MEAN_RGB, PIXEL_SCALE)
    weights["stem"] = [kernel, (bias - mean @ kernel.sum(axis=(0, 1), dtype=np.float64))]
    weights["descriptor"] = [layers[-1].arrays[0].reshape(-1, NUM_OUTPUTS)]
    return {
        name: [np.ascontiguousarray(array, np.float32) for array in arrays]
        for name, arrays in with_fixed_weights(weights).items()
    }


def _check_layers(layers: Sequence[DlibLayer]) -> None:
    for index, (layer, (kind, sizes, shapes)) in enumerate(
        zip(layers, expected_layers(), strict=False)
    ):
        found = layer.kind, layer.sizes, tuple(array.shape for array in layer.arrays)
        if found != (kind, sizes, shapes):
            raise WeightsError(
                f"layer {index} is {found} instead of {(kind, sizes, shapes)}; the file holds "
                "another network than dlib's for face recognition"
            )
    expected = sum(1 for _ in expected_layers())
    if len(layers) != expected:
        raise WeightsError(f"the file has {len(layers)} layers; the network has {expected}")
    if not np.allclose(layers[0].numbers, MEAN_RGB, atol=1e-3):
        raise WeightsError(f"the file has the mean color {layers[0].numbers} instead of {MEAN_RGB}")


def expected_layers() -> Iterator[tuple[str, tuple[int, ...], tuple[tuple[int, ...], ...]]]:
    """Yield kind, sizes and shapes of the arrays of each layer in dlib's file."""
    yield "input_rgb_image_sized", (SIDE, SIDE), ()
    channels = STAGES[0][0]
    yield from _expected_convolution(3, channels, size=7, stride=2)
    yield "relu_", (), ()
    yield "max_pool_2", (3, 3, 2, 2, 0, 0), ()
    for _, filters, down in _blocks():
        yield from _expected_convolution(channels, filters, stride=2 if down else 1)
        yield "relu_", (), ()
        yield from _expected_convolution(filters, filters)
        if down:
            yield "avg_pool_2", (2, 2, 2, 2, 0, 0), ()
        yield "add_prev_", (), ()
        yield "relu_", (), ()
        channels = filters
    yield "avg_pool_2", (0, 0, 1, 1, 0, 0), ()  # 0: as large as the image
    yield "fc_2", (NUM_OUTPUTS, channels, 1), ((channels, NUM_OUTPUTS, 1, 1),)


def _expected_convolution(
    channels: int, filters: int, *, size: int = 3, stride: int = 1
) -> Iterator[tuple[str, tuple[int, ...], tuple[tuple[int, ...], ...]]]:
    padding = size // 2 if stride == 1 else 0
    per_channel = (1, filters, 1, 1)
    sizes = (filters, size, size, stride, stride, padding, padding)
    yield "con_4", sizes, ((filters, channels, size, size), per_channel)
    yield "affine_", (0,), (per_channel, per_channel)  # 0: one pair of numbers for each channel


def _blocks() -> Iterator[tuple[str, int, bool]]:
    """Yield name, channels, and whether it halves the sides, of each residual block."""
    for stage, (filters, down, count) in enumerate(STAGES):
        for index in range(count):
            yield f"stage{stage}_{index}", filters, down and index == 0
