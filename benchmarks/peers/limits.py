"""Measure the limits of the machine, and how close to them the networks of faceattr run.

    python limits.py SECONDS

spends about so many seconds on each figure, and prints the rate of large matrix products in
float32 and in the arithmetic of ``"auto"``, the bandwidth of memory, and for each network the
time that these allow and the time that it takes. It runs in faceattr's environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import num_cores, time_calls
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.engines import create_engine
from faceattr.engines.base import Compiled, Engine
from faceattr.engines.quiet import openvino as ov
from faceattr.engines.quiet import opset13 as ops
from faceattr.engines.translation import translate
from faceattr.errors import EngineError, FaceattrError
from faceattr.networks.graph import Network
from faceattr.options import Precision

CHAIN = 4  # products in a row, so that converting input and output takes a small share
SIDES = (512, 1024, 1536, 2048)  # of square matrices
COPIED = 2**29  # bytes, larger than the caches
BATCHES = (1, 8)
FREE_SIDES = (288, 384)  # pixels, for networks of any size: MTCNN's finest level at 480×640
NUM_BYTES: Mapping[Precision, int] = {"auto": 2, "f32": 4}  # of a weight in that arithmetic


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1])
    rates = {precision: matrix_rate(precision, seconds) for precision in NUM_BYTES}
    bandwidth = memory_bandwidth(seconds)
    networks = [
        {"owner": owner, **row}
        for owner, network, precision in all_networks()
        for row in measure(network, precision, rates[precision], bandwidth, seconds)
    ]
    answer = {
        "arithmetic": ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
        "multiply_adds_per_second": rates,
        "bytes_per_second": bandwidth,
        "networks": networks,
    }
    print(json.dumps(answer))


def matrix_rate(precision: Precision, seconds: float) -> float:
    """Return the largest rate of multiply-adds per second over matrices of all sizes."""
    return max(
        CHAIN * side**3 / min(time_calls(_products(side, precision), seconds)) for side in SIDES
    )


def _products(side: int, precision: Precision) -> Callable[[], Any]:
    """Return a call that multiplies square matrices, one after another."""
    rng = np.random.default_rng(0)
    batch = ops.parameter([side, side], np.float32)
    node = batch
    for _ in range(CHAIN):
        matrix = rng.standard_normal((side, side), np.float32) / np.float32(np.sqrt(side))
        node = ops.matmul(node, ops.constant(matrix), False, False)
    properties = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    if precision == "f32":
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = ov.Core().compile_model(ov.Model([node], [batch], "products"), "CPU", properties)
    request, first = compiled.create_infer_request(), rng.standard_normal((side, side), np.float32)
    return lambda: request.infer([first], share_inputs=True)


def memory_bandwidth(seconds: float) -> float:
    """Return the largest rate of bytes per second, read and written, while all cores copy."""
    threads = num_cores()
    source = np.ones((threads, COPIED // threads), np.uint8)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(threads) as pool:
        copies = time_calls(lambda: list(pool.map(np.copyto, target, source)), seconds)
    return 2 * source.size / min(copies)


class Recorder(Engine):
    """Records the networks that it is asked to compile.

    Attributes:
        networks: The networks, each with its precision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.networks: list[tuple[Network, Precision]] = []

    def build(self, network: Network, precision: Precision) -> Compiled:
        """Record the network; it cannot be run."""
        self.networks.append((network, precision))
        return self._refuse

    def _refuse(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        raise EngineError("networks are only listed here, not run")


def all_networks() -> Iterator[tuple[str, Network, Precision]]:
    """Yield the networks of YuNet, MTCNN and all analyzers whose weights are present.

    A network that several analyzers share is listed for the first of them.
    """
    names = ["yunet", "mtcnn", *analyzers]
    plugins: list[Detector | Analyzer] = [detectors.create(name) for name in names[:2]]
    plugins += [analyzers.create(name) for name in analyzers]
    seen = set()
    for name, plugin in zip(names, plugins, strict=True):
        engine = Recorder()
        try:
            plugin.load(engine)
        except FaceattrError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        for network, precision in engine.networks:
            if network.identity is None or network.identity not in seen:
                seen.add(network.identity)
                yield name, network, precision


def measure(
    network: Network, precision: Precision, rate: float, bandwidth: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """Yield for each batch size the time that a network takes and the least that it could take."""
    run = create_engine("openvino", precision=precision).compile(network)
    shape = network.layers[0].config["shape"]
    is_free = None in shape
    sides = (*FREE_SIDES, shape[-1]) if is_free else tuple(shape)
    rng = np.random.default_rng(0)
    for size in BATCHES[:1] if is_free else BATCHES:
        batch = rng.integers(0, 256, (size, *sides), np.uint8)
        multiply_adds, num_weights = count(network, batch.shape)
        output = run(batch)
        moved = NUM_BYTES[precision] * num_weights + 4 * (batch.size + output.size)
        allowed = {"arithmetic": multiply_adds / rate, "memory": moved / bandwidth}
        yield {
            "network": network.name,
            "precision": precision,
            "batch": size,
            "multiply_adds": multiply_adds,
            "bytes": moved,
            "bound_by": max(allowed, key=allowed.__getitem__),
            "allowed_seconds": max(allowed.values()),
            "seconds": median(time_calls(partial(run, batch), seconds)),
        }


def count(network: Network, shape: Sequence[int]) -> tuple[int, int]:
    """Return the numbers of multiply-adds and weights of a network's convolutions and products."""
    model = translate(network)
    model.reshape(list(shape))
    multiply_adds = num_weights = 0
    for node in model.get_ops():
        if node.get_type_name() in ("Convolution", "MatMul"):
            kernel, out = tuple(node.input(1).get_shape()), tuple(node.output(0).get_shape())
            per_output = prod(kernel[1:]) if node.get_type_name() == "Convolution" else kernel[0]
            multiply_adds += prod(out) * per_output
            num_weights += prod(kernel)
    return multiply_adds, num_weights


if __name__ == "__main__":
    main()
