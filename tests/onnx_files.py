"""Small networks as ONNX files, written without the onnx package.

Only what a test needs of the format: a message is a row of numbered fields, each a number or
bytes. The numbers are those of onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLOAT = 1  # TensorProto.DataType
GEMM_WEIGHTS = ("weights", "bias")


def write_classifier(
    path: Path,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    *,
    batch: int | str = "N",
    channels_first: bool = True,
    softmax: bool = True,
    side: int = 8,
    inputs: Sequence[str] = ("picture",),
) -> Path:
    """Write a network that averages each channel of a picture and multiplies by a matrix.

    Args:
        path: Of the file.
        weights: (C, K) float32.
        bias: (K,) float32.
        batch: Pictures that it takes at a time, or the name of a free number.
        channels_first: Whether the picture is (N, C, H, W) or (N, H, W, C).
        softmax: Whether the output is probabilities.
        side: Of a picture in px.
        inputs: Names of inputs; all but the first are used for further outputs,
            because OpenVINO 2025 drops inputs that are not used.
    """
    channels, size = len(weights), len(bias)
    shape = (channels, side, side) if channels_first else (side, side, channels)
    axes = (2, 3) if channels_first else (1, 2)
    last = "scores" if softmax else "logits"
    nodes = [
        _node("ReduceMean", ["picture"], "means", axes=axes, keepdims=0),
        _node("Gemm", ["means", *GEMM_WEIGHTS], "logits"),
        *([_node("Softmax", ["logits"], "scores", axis=1)] if softmax else []),
        *(_node("Abs", [name], f"abs {name}") for name in inputs[1:]),
    ]
    graph = b"".join(
        (
            *(_field(1, node) for node in nodes),
            _field(2, b"toy"),
            *map(_tensor, GEMM_WEIGHTS, (weights, bias)),
            *(_field(11, _port(name, (batch, *shape))) for name in inputs),
            _field(12, _port(last, (batch, size))),
            *(_field(12, _port(f"abs {name}", (batch, *shape))) for name in inputs[1:]),
        )
    )
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 13)))
    return path


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    high, low = divmod(value, 128)
    return bytes([low | 128]) + _varint(high) if high else bytes([low])


def _node(kind: str, inputs: Sequence[str], output: str, **options: int | Sequence[int]) -> bytes:
    attributes = [
        _field(1, name.encode())
        + (
            _field(3, value) + _field(20, 2)
            if isinstance(value, int)
            else b"".join(_field(8, one) for one in value) + _field(20, 7)
        )
        for name, value in options.items()
    ]
    return b"".join(
        (
            *(_field(1, name.encode()) for name in inputs),
            _field(2, output.encode()),
            _field(4, kind.encode()),
            *(_field(5, attribute) for attribute in attributes),
        )
    )


def _tensor(name: str, array: NDArray[np.float32]) -> bytes:
    sizes = b"".join(_field(1, size) for size in array.shape)
    data = array.astype("<f4").tobytes()
    return _field(5, sizes + _field(2, FLOAT) + _field(8, name.encode()) + _field(9, data))


def _port(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(
        _field(1, _field(1, size) if isinstance(size, int) else _field(2, size.encode()))
        for size in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, FLOAT) + _field(2, sizes)))
