"""Live streams: a WebSocket for each client, with tracks of its own and networks for all."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from faceattr.errors import FaceattrError
from faceattr.results import dump_json
from faceattr.serving.errors import RequestError, to_request_error
from faceattr.serving.models import StreamMessage
from faceattr.serving.service import Service
from faceattr.streaming.analysis import LiveAnalysis
from faceattr.types import Frame

FIRST_SECONDS = 10.0  # in which the first message must come
MAX_TEXT = 4096  # characters of a message that chooses analyzers
MAX_RATE = 240  # messages a second, for at most BURST seconds
BURST = 2.0
GOING_AWAY, REFUSED, TOO_BIG, TRY_LATER = 1001, 1008, 1009, 1013  # codes of WebSocket

logger = logging.getLogger("faceattr.serving")


class _Encoded(NamedTuple):
    """A frame as it came: its number, the picture, and when."""

    number: int
    data: bytes
    arrived: float


class Stream:
    """One client's stream: a frame is analyzed at a time, and of those that wait the newest.

    Args:
        websocket: The connection, not yet accepted.
        service: What all share.
    """

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        self._websocket = websocket
        self._service = service
        self._live = LiveAnalysis.sharing(service.reader.pipeline)
        self._ending = asyncio.Event()
        self._attributes: Sequence[str] = tuple(service.reader.pipeline.refresh)
        self._newest: _Encoded | None = None
        self._has_newest = asyncio.Event()
        self._num_frames = 0
        self._begun = time.monotonic()

    async def run(self) -> None:
        """Answer frames until the client goes, does not keep the rules, or the server ends.

        Raises:
            RequestError: There are too many streams.
        """
        is_admitted = bool(self._websocket.state.is_admitted)
        streams = self._service.streams if is_admitted else self._service.strangers
        if len(streams) >= self._service.limits.max_streams:
            raise RequestError(503, "too_many_streams", self._too_many())
        streams.add(self._ending)
        try:
            await self._websocket.accept()
            await self._serve(is_admitted)
        finally:
            self._service.streams.discard(self._ending)
            self._service.strangers.discard(self._ending)

    async def _serve(self, is_admitted: bool) -> None:
        reading = asyncio.ensure_future(self._read_messages(is_admitted))
        answering = asyncio.ensure_future(self._answer_frames())
        waiting = asyncio.ensure_future(self._ending.wait())
        tasks: list[asyncio.Future[Any]] = [reading, answering, waiting]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                await self._close(GOING_AWAY, "the server ends")
            for ended in (reading, answering):
                if ended.done():
                    ended.result()
        except _EndError as end:
            await self._close(end.code, str(end))
        except (WebSocketDisconnect, OSError):
            pass  # the client has gone
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, OSError, RuntimeError):  # the client has gone
            await self._websocket.close(code, reason)

    # Messages in

    async def _read_messages(self, is_admitted: bool) -> None:
        timeout = FIRST_SECONDS
        budget, last = MAX_RATE * BURST, time.monotonic()
        while True:
            try:
                message = await asyncio.wait_for(self._websocket.receive(), timeout)
            except asyncio.TimeoutError as error:
                raise _EndError(REFUSED, f"no message within {timeout:g} s") from error
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))
            now = time.monotonic()
            budget = min(budget + (now - last) * MAX_RATE, MAX_RATE * BURST) - 1
            last = now
            if budget < 0:
                raise _EndError(REFUSED, f"more than {MAX_RATE} messages a second")
            text, data = message.get("text"), message.get("bytes")
            if text is not None:
                is_admitted = await self._choose(text, is_admitted)
            if not is_admitted:
                raise _EndError(REFUSED, "the API key is missing or wrong; send it first")
            if data is not None:
                self._keep(_Encoded(self._num_frames, data, now))
            timeout = self._service.limits.idle_timeout

    async def _choose(self, text: str, is_admitted: bool) -> bool:
        """Read other attributes from now on; return whether the client may go on."""
        if len(text) > MAX_TEXT:
            raise _EndError(TOO_BIG, f"a text of more than {MAX_TEXT} characters")
        try:
            message = StreamMessage.model_validate_json(text)
            if not is_admitted and self._service.keys.find(message.key or "") is not None:
                self._admit()
                is_admitted = True
            if is_admitted and message.actions is not None:
                self._attributes = self._service.reader.attributes_of(message.actions)
        except ValidationError:
            await self._say(
                RequestError(422, "bad_message", 'send a text like {"actions": ["emotion"]}')
            )
        except FaceattrError as error:
            await self._say(to_request_error(error))
        return is_admitted

    def _admit(self) -> None:
        """Count a client that has sent its key, as long as there is room for it."""
        service = self._service
        if len(service.streams) >= service.limits.max_streams:
            raise _EndError(TRY_LATER, self._too_many())
        service.strangers.discard(self._ending)
        service.streams.add(self._ending)

    def _too_many(self) -> str:
        return f"{self._service.limits.max_streams} streams are open, which is the limit"

    def _keep(self, frame: _Encoded) -> None:
        """Let a frame wait, in the place of an older one."""
        if self._newest is not None:
            self._service.metrics.frames.labels("dropped").inc()
        self._newest = frame
        self._num_frames += 1
        self._has_newest.set()

    # Answers out

    async def _answer_frames(self) -> None:
        while True:
            await self._has_newest.wait()
            frame, self._newest = self._newest, None
            self._has_newest.clear()
            assert frame is not None  # the event is set after it
            work = partial(self._analyze, frame, self._attributes)
            try:
                answer = await self._service.pool.run_beside(work)
            except FaceattrError as error:
                await self._say(to_request_error(error, frame.data), frame=frame.number)
                continue
            await self._websocket.send_text(answer)
            self._service.metrics.frames.labels("answered").inc()

    def _analyze(self, frame: _Encoded, attributes: Sequence[str]) -> str:
        """Return the answer to a frame; runs on a worker's thread, one frame at a time."""
        image = self._service.reader.decode(frame.data)
        self._live.choose(attributes)
        faces = self._live.step(Frame(image, frame.number, frame.arrived - self._begun))
        height, width = image.shape[:2]
        return dump_json(
            {
                "frame": frame.number,
                "width": width,
                "height": height,
                "faces": [face.to_dict() for face in faces],
                "seconds": round(time.monotonic() - frame.arrived, 4),
            }
        )

    async def _say(self, error: RequestError, *, frame: int | None = None) -> None:
        number = {} if frame is None else {"frame": frame}
        await self._websocket.send_text(dump_json(number | error.to_dict()))


class _EndError(Exception):
    """A stream ends because its client does not keep the rules."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def stream_router(service: Service) -> APIRouter:
    """Return the route of the streams."""
    router = APIRouter(prefix="/v1")

    @router.websocket("/stream")
    async def stream(websocket: WebSocket) -> None:
        service.require_ready()
        if service.is_ending:
            raise RequestError(503, "not_ready", "the server ends")
        await Stream(websocket, service).run()

    return router
