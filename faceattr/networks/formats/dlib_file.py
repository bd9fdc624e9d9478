"""Networks that dlib has saved, read without dlib.

Such a file holds the layers in the order of computation. First come the versions of all layers,
then each with its name, its sizes and its weights, and what it kept from training, which is empty
in a published file. A number is one byte, how many bytes follow (and 128 if it is negative), and
those bytes, least significant first; a float is two numbers, mantissa and exponent of 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceattr.errors import WeightsError
from faceattr.networks.graph import Array

MAX_BYTES = 256 * 1024 * 1024  # of a file
MAX_LAYERS = 1000
MAX_NAME = 100  # characters
NEGATIVE = 0x80
NEWEST_VERSION = 3  # of a layer
TENSOR_VERSION, PART_VERSION = 2, 1
RANK = 4
NUM_GRADIENTS = 3  # tensors that a layer keeps from training


@dataclass(frozen=True, slots=True, eq=False)
class DlibLayer:
    """One layer of a network of dlib.

    Attributes:
        kind: dlib's name of its kind: ``"con_4"``, ``"affine_"``, ``"relu_"``.
        sizes: The whole numbers that describe it, in dlib's order.
        numbers: The other numbers that describe it.
        arrays: Its weights, float32 of four dimensions.
    """

    kind: str
    sizes: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    arrays: tuple[Array, ...] = ()


def read_layers(path: Path) -> list[DlibLayer]:
    """Return the layers of the network in a file, in the order of computation.

    Reads networks for inference that end in a metric loss, made of the kinds of layers that
    dlib's face recognition has.

    Raises:
        WeightsError: The file cannot be read, is damaged, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        return _read_network(_Reader(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as a network of dlib: {error}") from error


def _read_network(file: _Reader) -> list[DlibLayer]:
    if file.integer() != 1:
        raise ValueError("it begins with another version than 1")
    loss = file.name()
    if loss != "loss_metric_2":
        raise ValueError(f"it ends in the loss {loss!r}, not in 'loss_metric_2'")
    file.numbers(2)  # margin and threshold of the loss
    num_versions = 0
    while (value := file.integer()) <= NEWEST_VERSION:
        num_versions += 1
        if num_versions > MAX_LAYERS:
            raise ValueError(f"it has more than {MAX_LAYERS} layers")
    layers = [_read_input(file, name=file.text(value))]
    while not file.at_end:
        layers.append(_read_layer(file))
        if file.text(3).strip("01"):
            raise ValueError(f"the state of layer {len(layers)} is unknown")
        for _ in range(NUM_GRADIENTS):
            if file.tensor().size:
                raise ValueError(f"layer {len(layers)} holds gradients")
        if len(layers) == 2 and file.integer() != 1:
            raise ValueError("it was trained on several samples for each picture")
    return layers


def _read_input(file: _Reader, name: str) -> DlibLayer:
    if name != "input_rgb_image_sized":
        raise ValueError(f"its input is {name!r}, not 'input_rgb_image_sized'")
    return DlibLayer(name, numbers=file.numbers(3), sizes=file.integers(2))


def _read_layer(file: _Reader) -> DlibLayer:
    kind = file.name()
    match kind:
        case "relu_" | "add_prev_":
            return DlibLayer(kind)
        case "max_pool_2" | "avg_pool_2":
            return DlibLayer(kind, sizes=file.integers(6))
        case "con_4":  # its tensor comes before its sizes, and four rates of learning after
            values, sizes = file.tensor(), file.integers(7)
            return DlibLayer(kind, sizes, arrays=file.parts(values), numbers=file.numbers(4))
        case "affine_":
            values = file.tensor()
            return DlibLayer(kind, arrays=file.parts(values), sizes=file.integers(1))
        case "fc_2":
            sizes, values = file.integers(2), file.tensor()
            arrays, (bias_mode,) = file.parts(values), file.integers(1)
            return DlibLayer(kind, (*sizes, bias_mode), file.numbers(4), arrays)
        case _:
            raise ValueError(f"it has a layer {kind!r}, which is unknown here")


class _Reader:
    """The bytes of a file, read from the start; a ValueError says what is wrong with them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise ValueError(f"it ends after {len(self._data)} bytes, in the middle of a layer")
        self._place += count
        return taken

    def integer(self, *, signed: bool = False) -> int:
        (head,) = self.take(1)
        count = head & ~NEGATIVE
        if not 1 <= count <= 8 or (head & NEGATIVE and not signed):
            raise ValueError(f"byte {self._place - 1} does not begin a number")
        value = int.from_bytes(self.take(count), "little")
        return -value if head & NEGATIVE else value

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def numbers(self, count: int) -> tuple[float, ...]:
        return tuple(self._number() for _ in range(count))

    def _number(self) -> float:
        mantissa, exponent = self.integer(signed=True), self.integer(signed=True)
        if abs(exponent) > 200:  # also what dlib writes for infinity and for what is not a number
            raise ValueError(f"the number before byte {self._place} is out of range")
        return math.ldexp(mantissa, exponent)

    def name(self) -> str:
        return self.text(self.integer())

    def text(self, length: int) -> str:
        if length > MAX_NAME:
            raise ValueError(f"a name at byte {self._place} has {length} characters")
        return self.take(length).decode("ascii")

    def tensor(self) -> Array:
        """Return its values in one row, finite float32."""
        if self.integer() != TENSOR_VERSION:
            raise ValueError(f"there is no tensor before byte {self._place}")
        values = np.frombuffer(self.take(4 * math.prod(self.integers(RANK))), "<f4")
        if not np.isfinite(values).all():
            raise ValueError(f"the tensor before byte {self._place} has values that are not finite")
        return values.astype(np.float32)

    def parts(self, values: Array) -> tuple[Array, ...]:
        """Return a tensor as the two arrays that it holds, empty ones left out."""
        shapes = []
        for _ in range(2):
            if self.integer() != PART_VERSION:
                raise ValueError(f"there is no shape before byte {self._place}")
            shapes.append(self.integers(RANK))
        first = math.prod(shapes[0])
        if first + math.prod(shapes[1]) != len(values):
            raise ValueError(f"a tensor of {len(values)} values has parts of {shapes}")
        arrays = zip((values[:first], values[first:]), shapes, strict=True)
        return tuple(array.reshape(shape) for array, shape in arrays if math.prod(shape))
