"""Networks in dlib's file format, as dlib writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from faceattr.networks.architectures import dlib_face
from faceattr.networks.formats.dlib_file import DlibLayer
from faceattr.networks.graph import Array


def integer(value: int) -> bytes:
    count = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([count | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(count, "little")


def number(value: float) -> bytes:
    mantissa, exponent = math.frexp(value)
    return integer(int(mantissa * 2**24)) + integer(exponent - 24)


def name(text: str) -> bytes:
    return integer(len(text)) + text.encode()


def shape(sizes: Sequence[int]) -> bytes:
    return b"".join(map(integer, sizes))


def tensor(arrays: Sequence[Array]) -> bytes:
    values = np.concatenate([array.reshape(-1) for array in arrays]) if arrays else np.zeros(0)
    sizes = (len(values), 1, 1, 1) if len(values) else (0, 0, 0, 0)
    return integer(2) + shape(sizes) + values.astype("<f4").tobytes()


def parts(arrays: Sequence[Array]) -> bytes:
    shapes = [array.shape for array in arrays] + [(0, 0, 0, 0)] * (2 - len(arrays))
    return b"".join(integer(1) + shape(one) for one in shapes)


def body(layer: DlibLayer) -> bytes:
    """Return what the file says of a layer after its name."""
    rates = b"".join(map(number, layer.numbers))
    match layer.kind:
        case "con_4":
            return tensor(layer.arrays) + shape(layer.sizes) + parts(layer.arrays) + rates
        case "affine_":
            return tensor(layer.arrays) + parts(layer.arrays) + shape(layer.sizes)
        case "fc_2":
            *sizes, bias_mode = layer.sizes
            weights = tensor(layer.arrays) + parts(layer.arrays)
            return shape(sizes) + weights + integer(bias_mode) + rates
        case _:
            return shape(layer.sizes)


def dlib_file(layers: Sequence[DlibLayer]) -> bytes:
    """Return the file of a network; the first layer is its input."""
    first, *others = layers
    content = integer(1) + name("loss_metric_2") + number(0.04) + number(0.6)
    content += integer(2) * (len(others) - 1) + integer(3)
    content += name(first.kind) + b"".join(map(number, first.numbers)) + shape(first.sizes)
    for index, layer in enumerate(others):
        content += name(layer.kind) + body(layer) + b"110" + 3 * tensor([])
        content += integer(1) if index == 0 else b""
    return content


def random_layers(seed: int = 0) -> list[DlibLayer]:
    """Return dlib's network for face recognition with random weights."""
    rng = np.random.default_rng(seed)
    layers = []
    for kind, sizes, shapes in dlib_face.expected_layers():
        arrays = [rng.standard_normal(one, np.float32) for one in shapes]
        if kind == "con_4":
            arrays[0] *= np.float32((2 / np.prod(shapes[0][1:])) ** 0.5)
        elif kind == "affine_":
            arrays[0] = 1 + np.float32(0.1) * arrays[0]
        numbers: tuple[float, ...] = ()
        if kind == "input_rgb_image_sized":
            numbers = dlib_face.MEAN_RGB
        elif kind in ("con_4", "fc_2"):
            numbers = (1.0, 1.0, 1.0, 0.0)
        layers.append(DlibLayer(kind, sizes, numbers, tuple(arrays)))
    return layers
