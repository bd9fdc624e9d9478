"""Figures for Prometheus: requests, seconds, faces, the queue and the workers."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from faceattr.serving.work import WorkPool

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # bounds of the histogram


class Metrics:
    """Figures of one server.

    Args:
        pool: Its workers.
        num_streams: Returns how many streams are open.
    """

    def __init__(self, pool: WorkPool, num_streams: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "faceattr_requests",
            "Requests that were answered.",
            ("route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "faceattr_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.pictures = Counter(
            "faceattr_pictures", "Pictures that were analyzed.", registry=self._registry
        )
        self.faces = Counter("faceattr_faces", "Faces that were found.", registry=self._registry)
        self.frames = Counter(
            "faceattr_frames",
            "Frames of streams: answered, or dropped for a newer one.",
            ("outcome",),
            registry=self._registry,
        )
        self._gauge("faceattr_waiting", "Pictures that wait.", lambda: pool.num_waiting)
        self._gauge("faceattr_busy_workers", "Workers at work.", lambda: pool.num_running)
        self._gauge("faceattr_workers", "Workers.", lambda: pool.workers)
        self._gauge("faceattr_streams", "Streams that are open.", num_streams)

    def _gauge(self, name: str, text: str, value: Callable[[], int]) -> None:
        Gauge(name, text, registry=self._registry).set_function(value)

    def write(self) -> tuple[bytes, str]:
        """Return the figures as text, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
