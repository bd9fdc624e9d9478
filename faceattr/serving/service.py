"""What the routes of a server share: what it has loaded, its workers, its limits, its figures."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from fastapi import Request

from faceattr.errors import FaceattrError
from faceattr.options import PipelineOptions
from faceattr.serving.access import Keys
from faceattr.serving.bodies import Bodies, ClientGoneError, to_pictures
from faceattr.serving.errors import RequestError
from faceattr.serving.metrics import Metrics
from faceattr.serving.options import Limits, ServerOptions, split
from faceattr.serving.reading import Picture, Reader
from faceattr.serving.work import WorkPool

T = TypeVar("T")

CHECK_AGAIN = 2.0  # seconds, while the server loads
QUICK_BYTES = 100_000  # of a body that is taken apart sooner than a thread would begin

logger = logging.getLogger("faceattr.serving")


class Service:
    """Loads what a server needs, and does the work of its requests.

    Attributes:
        streams: An event of each open stream; setting it ends the stream.
        strangers: The same of those whose clients have yet to send an API key.
        error: Why loading failed, None if it did not.
        when_loaded: Called when loading has ended, on the thread that loads.
        is_ending: Whether the server was told to end.

    Args:
        options: What to load.
        server: Where it listens, and whom it answers.
        limits: What a request may use.
        keys: API keys.

    Raises:
        FaceattrError: An option is wrong.
    """

    def __init__(
        self, options: PipelineOptions, server: ServerOptions, limits: Limits, keys: Sequence[str]
    ) -> None:
        self.options = server
        self.limits = limits
        self.keys = Keys(keys)
        self.reader = Reader(
            options, detectors=split(server.detectors), max_megapixels=limits.max_pixels
        )
        self.pool = WorkPool(
            workers=server.num_workers,
            queue=limits.queue,
            queue_timeout=limits.queue_timeout,
            work_timeout=limits.work_timeout,
        )
        self.metrics = Metrics(self.pool, lambda: len(self.streams))
        self.streams: set[asyncio.Event] = set()
        self.strangers: set[asyncio.Event] = set()
        self.error: FaceattrError | None = None
        self.when_loaded: Callable[[], None] = _do_nothing
        self._bodies = Bodies(limits)
        self._is_ready = False
        self.is_ending = False
        self._loaders: list[Callable[[], None]] = [self.reader.load]

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered: everything is loaded, and the server does not end."""
        return self._is_ready and not self.is_ending

    def add_loader(self, load: Callable[[], None]) -> None:
        """Call a function as well when everything is loaded."""
        self._loaders.append(load)

    def start(self) -> None:
        """Begin to load everything, on a thread."""

        def load() -> None:
            try:
                for one in self._loaders:
                    one()
                self._is_ready = True
            except FaceattrError as error:
                self.error = error
            self.when_loaded()

        threading.Thread(target=load, name="faceattr-load", daemon=True).start()

    def begin_to_end(self) -> None:
        """Say that the server is not ready any more, and end all streams."""
        self.is_ending = True
        for stream in self.streams | self.strangers:
            stream.set()

    def close(self) -> None:
        """Release what was loaded."""
        self.pool.close()
        self.reader.close()

    def require_ready(self) -> None:
        """Refuse a request before everything is loaded.

        Raises:
            RequestError: Try again in a moment.
        """
        if not self._is_ready:
            raise RequestError(
                503, "loading", "the server is loading; try again soon", retry_after=CHECK_AGAIN
            )

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body of a request; its memory counts until the end.

        Raises:
            RequestError: It is too large or too slow.
        """
        self.require_ready()
        length = request.headers.get("content-length")
        async with self._bodies.read(request.receive, length) as body:
            yield body

    @asynccontextmanager
    async def pictures(self, request: Request) -> AsyncIterator[list[Picture]]:
        """Yield the pictures of a request.

        Raises:
            RequestError: The body is too large, too slow, malformed, or of another type.
        """
        async with self.body(request) as body:
            kind = request.headers.get("content-type")
            take_apart = partial(to_pictures, kind, body, max_pictures=self.limits.max_pictures)
            if len(body) > QUICK_BYTES:
                yield await asyncio.to_thread(take_apart)
            else:
                yield take_apart()

    async def work(self, request: Request, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results of functions that run on the workers, unless the client goes.

        Raises:
            RequestError: The queue is full, or it takes too long.
            ClientGoneError: The client has closed the connection.
        """
        work = asyncio.ensure_future(self.pool.run(functions))
        gone = asyncio.ensure_future(_wait_for_end(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGoneError
            return work.result()
        finally:
            for one in (work, gone):
                one.cancel()
                with suppress(asyncio.CancelledError, RequestError):
                    await one


async def _wait_for_end(request: Request) -> None:
    """Return when the client has closed the connection; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _do_nothing() -> None:
    pass
