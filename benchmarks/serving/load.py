"""Clients that send pictures and frames to a server, and what its process takes meanwhile.

Clients run on one thread of this process and speak HTTP themselves, so that they take little of
the processor that the server needs.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")  # a second
MEGABYTE = 1_000_000


class Load(NamedTuple):
    """What some clients got, and what it took the server.

    Attributes:
        clients: How many sent one request after the other.
        statuses: How many answers had each status.
        seconds: Wall-clock time of all.
        latencies: Seconds of each request that was answered with 200.
        cpu_seconds: Time of all cores that the server used.
        num_bytes: Resident memory of the server at the end.
    """

    clients: int
    statuses: Counter[int]
    seconds: float
    latencies: Sequence[float]
    cpu_seconds: float
    num_bytes: int

    def __str__(self) -> str:
        done = self.statuses[200]
        p50, p99 = percentiles(self.latencies, 50, 99)
        others = {status: count for status, count in self.statuses.items() if status != 200}
        return (
            f"| {self.clients} | {done / self.seconds:.1f} | {1000 * p50:.0f} | {1000 * p99:.0f} | "
            f"{1000 * self.cpu_seconds / max(done, 1):.1f} | {self.num_bytes / MEGABYTE:.0f} | "
            f"{done} | {others or 'none'} |"
        )


HEAD = (
    "| clients | answers/s | p50 ms | p99 ms | CPU ms each | MB | answered | others |\n"
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def percentiles(values: Sequence[float], *percents: int) -> list[float]:
    """Return the values below which so many percent lie; NaN without values."""
    if len(values) < 2:
        return [values[0] if values else float("nan")] * len(percents)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return [cuts[percent - 1] for percent in percents]


class Process(NamedTuple):
    """A server's process, with those that it has started.

    Attributes:
        pid: Its number.
    """

    pid: int

    @property
    def pids(self) -> list[int]:
        """Its number and those of its children and theirs."""
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    @property
    def cpu_seconds(self) -> float:
        """Time of all cores since its start."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS

    @property
    def num_bytes(self) -> int:
        """Resident memory."""
        pages = 0
        for pid in self.pids:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def to_request(url: str, body: bytes, content_type: str) -> bytes:
    """Return a request as it goes over the wire."""
    address = urlsplit(url)
    path = address.path + (f"?{address.query}" if address.query else "")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_load(
    url: str, requests: Sequence[bytes], process: Process, *, clients: int, total: int
) -> Load:
    """Let clients send requests in turn, each its next one when the last was answered.

    Args:
        url: Of the server.
        requests: As `to_request` returns them; they are sent in a loop.
        process: The server's.
        clients: How many send at a time.
        total: Number of requests, after one of each client that is not counted.
    """
    address = urlsplit(url)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    numbers = iter(range(total))
    warm = [asyncio.Event() for _ in range(clients)]
    begin = asyncio.Event()

    async def run_client(index: int) -> None:
        connection = _Connection(str(address.hostname), address.port or 80)
        await connection.ask(requests[index % len(requests)])
        warm[index].set()
        await begin.wait()
        for number in numbers:
            began = time.perf_counter()
            status = await connection.ask(requests[number % len(requests)])
            statuses[status] += 1
            if status == 200:
                latencies.append(time.perf_counter() - began)
        await connection.close()

    tasks = [asyncio.create_task(run_client(index)) for index in range(clients)]
    for event in warm:
        await event.wait()
    began, cpu_seconds = time.perf_counter(), process.cpu_seconds
    begin.set()
    await asyncio.gather(*tasks)
    return Load(
        clients,
        statuses,
        time.perf_counter() - began,
        latencies,
        process.cpu_seconds - cpu_seconds,
        process.num_bytes,
    )


class _Connection:
    """A connection that is kept, and opened again when the server has closed it.

    Args:
        host: Name or address.
        port: Port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer, 0 if there is none."""
        if self._streams is not None and self._streams[0].at_eof():  # idle for too long
            await self.close()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = head.partition("content-length:")[2].split()[0]
            await reader.readexactly(int(length))
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return 0
        if "connection: close" in head:
            await self.close()
        return int(head.split()[1])

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
