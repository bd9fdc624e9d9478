"""Measure a server under load: answers a second, latency, processor time, memory, streams.

    python -m benchmarks.serving load picture.jpg
    python -m benchmarks.serving load picture.jpg --clients 8 --total 20000
    python -m benchmarks.serving load picture.jpg --json --url http://127.0.0.1:5000/analyze --pid 7
    python -m benchmarks.serving stream frame.jpg --total 10000 --fps 10 --clients 4
    python -m benchmarks.serving batches *.jpg

``load`` and ``stream`` start `faceattr serve` unless they are told of another server and its
process; ``--json`` sends what deepface's server takes. ``batches`` compares the processor time of
pictures one by one with that of many together, in this process. Only processor time can be
compared where others use the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from benchmarks.serving.load import HEAD, MEGABYTE, Process, percentiles, send_load, to_request
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.types import BGRImage

BATCHES = (1, 4, 16)
ROUNDS = 3


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["load", "stream", "batches"])
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--actions", default="emotion")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--clients", default=[1, 8, 32, 128], type=int, nargs="+")
    parser.add_argument("--total", type=int, default=400, help="requests, or frames of a client")
    parser.add_argument("--fps", type=float, default=10.0, help="frames that a client sends")
    parser.add_argument("--url", help="of another server")
    parser.add_argument("--pid", type=int, help="of its process")
    parser.add_argument("--json", action="store_true", help="send as deepface's clients do")
    given = parser.parse_args()
    pictures = [path.read_bytes() for path in given.pictures]
    if given.what == "batches":
        measure_batches(pictures, given.actions, given.detector)
        return
    with _server(given) as (url, process):
        if given.what == "load":
            measure_load(url, process, pictures, given)
        else:
            asyncio.run(measure_streams(url, process, pictures, given))


@contextmanager
def _server(given: argparse.Namespace) -> Iterator[tuple[str, Process]]:
    """Yield the address and the process of the server, which is started if none is given."""
    if given.url is not None:
        yield given.url, Process(given.pid)
        return
    command = [sys.executable, "-m", "faceattr", "serve", "--port", "0", "--rate", "0"]
    command += ["-a", given.actions, "-d", given.detector, "--queue", "256"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"https?://\S+", line)
            if found is None:
                raise SystemExit(line)
            print(line.strip())
            yield f"{found[0]}/v1/analyze", Process(process.pid)
        finally:
            process.terminate()


def measure_load(
    url: str, process: Process, pictures: Sequence[bytes], given: argparse.Namespace
) -> None:
    """Print a row for each number of clients."""
    if given.json:
        bodies = [
            json.dumps(
                {
                    "img": f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
                    "actions": given.actions.split(","),
                }
            ).encode()
            for data in pictures
        ]
        requests = [to_request(url, body, "application/json") for body in bodies]
    else:
        requests = [to_request(url, data, "image/jpeg") for data in pictures]
    print(HEAD)
    for clients in given.clients:
        load = send_load(url, requests, process, clients=clients, total=given.total)
        print(asyncio.run(load), flush=True)


async def measure_streams(
    url: str, process: Process, pictures: Sequence[bytes], given: argparse.Namespace
) -> None:
    """Print how old answers are, and how many frames gave way to newer ones."""
    address = f"ws://{urlsplit(url).netloc}/v1/stream"
    for clients in given.clients:
        latencies: list[float] = []
        before = process.num_bytes
        began = time.perf_counter()
        await asyncio.gather(
            *(_watch(address, pictures, given.total, given.fps, latencies) for _ in range(clients))
        )
        seconds = time.perf_counter() - began
        p50, p99 = percentiles(latencies, 50, 99)
        print(
            f"{clients} clients, {given.fps:g} frames/s sent: {len(latencies) / seconds:.1f}/s "
            f"answered, p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms, "
            f"{before / MEGABYTE:.0f} MB before, {process.num_bytes / MEGABYTE:.0f} after",
            flush=True,
        )


async def _watch(
    address: str, pictures: Sequence[bytes], total: int, fps: float, latencies: list[float]
) -> None:
    """Send frames at a steady pace, and note how long each answer took."""
    sent: dict[int, float] = {}

    async with connect(address, max_size=None) as websocket:

        async def send() -> None:
            begun = time.perf_counter()
            for number, data in enumerate(islice(cycle(pictures), total)):
                await asyncio.sleep(begun + number / fps - time.perf_counter())
                sent[number] = time.perf_counter()
                await websocket.send(data)

        sending = asyncio.create_task(send())
        async for message in websocket:
            number = json.loads(message)["frame"]
            latencies.append(time.perf_counter() - sent.pop(number))
            if number == total - 1:
                break
        await sending


def measure_batches(pictures: Sequence[bytes], actions: str, detector: str) -> None:
    """Print the processor time of a picture, alone and in batches."""
    images = [load_image(data) for data in islice(cycle(pictures), max(BATCHES))]
    with Pipeline(actions, detector=detector, threads=1) as pipeline:
        for size in BATCHES:
            batches = [images[start : start + size] for start in range(0, len(images), size)]
            best = min(_time_batches(pipeline, batches) for _ in range(ROUNDS))
            print(f"{size} together: {1000 * best / len(images):.2f} ms of the processor a picture")


def _time_batches(pipeline: Pipeline, batches: Sequence[Sequence[BGRImage]]) -> float:
    """Return the seconds of the processor that batches take, one after the other."""
    began = time.process_time()
    for batch in batches:
        pipeline.analyze_many(batch)
    return time.process_time() - began


if __name__ == "__main__":
    main()
