"""Faces to descriptors, as deepface's model Dlib makes them."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.identity import IdentityAnalyzer, IdentityDlibAnalyzer
from faceattr.deepface.crops import fit
from faceattr.deepface.models import suggesting_builtin
from faceattr.engines import create_engine
from faceattr.engines.base import Compiled
from faceattr.errors import OptionError
from faceattr.networks.architectures.dlib_face import NUM_OUTPUTS, SIDE

MODEL = "Dlib"
RANGE = (-0.41398656368255615, 0.5201137661933899)
"""Smallest and largest number of a descriptor, by which deepface's ``minmax_normalize`` scales."""

MEANS_BGR = {"VGGFace": (93.5940, 104.7624, 129.1863), "VGGFace2": (91.4953, 103.8827, 131.0912)}
NORMALIZATIONS = ("base", "raw", "Facenet", "Facenet2018", *MEANS_BGR, "ArcFace")


def check_model(model_name: str) -> None:
    """Refuse a model that faceattr does not have.

    Raises:
        OptionError: It is another one than Dlib.
    """
    if model_name != MODEL:
        raise OptionError(
            f"model_name is {model_name!r}; of deepface's networks for face recognition faceattr "
            f'has one: model_name="{MODEL}"'
        )


def to_input(face: NDArray[Any], normalization: str) -> NDArray[np.float32]:
    """Return (150, 150, 3) BGR pixels, in [0, 1] unless they are normalized otherwise.

    Args:
        face: (H, W, 3) BGR, uint8 or float64 in [0, 1].
        normalization: One of `NORMALIZATIONS`.

    Raises:
        OptionError: It is another word.
    """
    if normalization not in NORMALIZATIONS:
        raise OptionError(
            f"normalization is {normalization!r}; it can be {', '.join(NORMALIZATIONS)}"
        )
    pixels = fit(face, SIDE).astype(np.float32)
    if pixels.max() > 1:
        pixels /= np.float32(255)
    return pixels if normalization == "base" else _normalize(pixels * 255, normalization)


def _normalize(pixels: NDArray[np.float32], normalization: str) -> NDArray[np.float32]:
    """Return pixels in [0, 255] in the form that another network was trained on."""
    match normalization:
        case "Facenet":
            std = max(pixels.std(), 1 / pixels.size**0.5)
            return np.asarray((pixels - pixels.mean()) / std, np.float32)
        case "Facenet2018":
            return pixels / np.float32(127.5) - 1
        case "ArcFace":
            return (pixels - np.float32(127.5)) / 128
        case "raw":
            return pixels
    return np.asarray(pixels - np.array(MEANS_BGR[normalization], np.float32), np.float32)


def embed(pixels: NDArray[np.float32], models: str) -> list[float]:
    """Return the descriptor of a face, 128 numbers of a length of about 1.4.

    Args:
        pixels: As `to_input` returns them. Those of its normalizations that do not suit the network
            are cut to uint8 as deepface does it: what is negative wraps around.
        models: One of `Models`.

    Raises:
        WeightsError: The weights are missing.
    """
    if pixels.max() <= 1:
        pixels = pixels * 255
    rgb = pixels[:, :, ::-1].astype(np.int32).astype(np.uint8)
    (descriptor,) = load_network(models, os.getpid())(np.ascontiguousarray(rgb[None]))
    return descriptor.tolist()


@cache
def load_network(models: str, process_id: int) -> Compiled:
    """Return dlib's network with its own weights or those in the wheel, loaded once.

    It always runs in float32, because descriptors are kept and compared with those of others.

    Raises:
        WeightsError: The weights are missing.
    """
    analyzer = IdentityAnalyzer() if models == "builtin" else IdentityDlibAnalyzer()
    with suggesting_builtin():
        network = analyzer.load_network()
    return create_engine(precision="f32").compile(network)


def to_range(descriptor: list[float]) -> list[float]:
    """Return the descriptor with its numbers in [0, 1]."""
    low, high = RANGE
    return ((np.clip(descriptor, low, high) - low) / (high - low)).tolist()


def to_unit_length(descriptor: list[float]) -> list[float]:
    """Return the descriptor scaled to length 1."""
    length = float(np.linalg.norm(descriptor))
    return (np.array(descriptor) / length).tolist() if length > 0 else descriptor


def check_descriptor(values: list[Any], name: str) -> list[float]:
    """Return a descriptor that was given in place of an image.

    Raises:
        OptionError: It is not a list of 128 numbers.
    """
    if len(values) != NUM_OUTPUTS or not all(isinstance(value, float | int) for value in values):
        raise OptionError(
            f"{name} is a list; it must be {NUM_OUTPUTS} numbers, a descriptor that represent() "
            "returned"
        )
    return values
