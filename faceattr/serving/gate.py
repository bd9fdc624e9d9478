"""Every request on its way in and out: who it is from, how long it took, what its answer says."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from starlette.datastructures import Headers, MutableHeaders
from starlette.websockets import WebSocketDisconnect

from faceattr.serving.access import Callers, Keys, Rates
from faceattr.serving.bodies import ClientGoneError
from faceattr.serving.errors import RequestError
from faceattr.serving.service import Service

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = ("/healthz", "/readyz")  # for a load balancer, which has no key
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
CLIENT_GONE = 499  # in the log and the figures, as nobody sees it
LINGER_BYTES = 64_000_000  # of a refused body that are read, so that the answer arrives
LINGER_SECONDS, SILENT_SECONDS = 2.0, 0.2  # for all of them, and without any

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

logger = logging.getLogger("faceattr.serving")


class Gate:
    """ASGI middleware around all routes.

    Args:
        app: The routes.
        keys: API keys.
        rates: Requests of each client.
        callers: Names and pages.
        open_paths: Those of the page, which asks for the key itself.
        service: Says whether the server ends, and counts what passes.
    """

    def __init__(
        self,
        app: App,
        *,
        keys: Keys,
        rates: Rates,
        callers: Callers,
        open_paths: Collection[str],
        service: Service,
    ) -> None:
        self._app = app
        self._keys = keys
        self._rates = rates
        self._callers = callers
        self._open = frozenset(open_paths)
        self._service = service
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._service)
        try:
            self._admit(scope, exchange.headers)
            await self._app(scope, exchange.receive, exchange.send)
        except RequestError as error:
            await exchange.refuse(error)
        except (ClientGoneError, WebSocketDisconnect):
            exchange.status = CLIENT_GONE
        except Exception:  # a bug of ours, which the client must not see
            logger.exception("request %s failed", exchange.request_id)
            await exchange.refuse(
                RequestError(500, "internal", "the server failed; its log says why")
            )
        finally:
            self._note(scope, exchange)

    def _admit(self, scope: Scope, headers: Headers) -> None:
        """Refuse who may not use the server.

        Raises:
            RequestError: The message says why.
        """
        if scope["path"] in HEALTH:
            return
        self._callers.check(headers.get("host"), headers.get("origin"))
        client = scope["client"][0] if scope.get("client") else "unknown"
        state = scope.setdefault("state", {})
        if self._keys:
            key = _key_in(headers)
            name = None if key is None else self._keys.find(key)
            state["is_admitted"] = name is not None
            if name is not None:
                client = name
            elif key is not None or (
                scope["type"] == "http"
                and scope["method"] != "OPTIONS"  # a browser asks whether it may, without a key
                and scope["path"] not in self._open
            ):
                self._rates.count(client)
                raise RequestError(
                    401,
                    "no_key",
                    "the API key is missing or wrong; send it as Authorization: Bearer KEY",
                )
        else:
            state["is_admitted"] = True
        self._rates.count(client)

    def _note(self, scope: Scope, exchange: _Exchange) -> None:
        """Log and count a request; never what was in it."""
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.monotonic() - exchange.begun
        self._metrics.requests.labels(route, str(exchange.status)).inc()
        if scope["type"] == "http":
            self._metrics.seconds.labels(route).observe(seconds)
        logger.info(
            "%s %s %s %s %.0f ms",
            *(exchange.request_id, scope.get("method", "WebSocket"), route, exchange.status),
            1000 * seconds,
        )


def _key_in(headers: Headers) -> str | None:
    """Return the API key that a request has in a header."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return key.strip()
    return headers.get("x-api-key")


class _Exchange:
    """A request and its answer.

    Args:
        scope: As in ASGI, like the others.
        receive: Returns the next message.
        send: Sends one.
        service: Says whether the server ends.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: Service) -> None:
        self.begun = time.monotonic()
        self.headers = Headers(scope=scope)
        asked = self.headers.get("x-request-id", "")
        self.request_id = asked if REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.status = 0
        self._scope = scope
        self._service = service
        self._receive = receive
        self._send = send
        has_body = "transfer-encoding" in self.headers or self.headers.get(
            "content-length", "0"
        ).strip() not in ("0", "")
        self._is_read = not (scope["type"] == "http" and has_body)
        self._closes = False

    async def receive(self) -> Message:
        """Return the next message, and note the end of the body."""
        message = await self._receive()
        if message["type"] in ("http.request", "http.disconnect"):
            self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message with the headers that every answer has."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            self._closes = not self._is_read
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers["X-Request-ID"] = self.request_id
            if self._closes or self._service.is_ending:
                headers["Connection"] = "close"
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "http.response.body" and self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": kind, "body": b"", "more_body": False}
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        status, headers, body = error_answer(error, self.request_id)
        kind = "http.response"
        if self._scope["type"] == "websocket":
            if "websocket.http.response" not in self._scope.get("extensions", {}):
                await self._send({"type": "websocket.close", "code": 1008})
                return
            kind = "websocket.http.response"
            del headers["Content-Length"]  # older versions of Uvicorn add it again
        listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        with suppress(OSError):  # the client has gone
            await self.send({"type": f"{kind}.start", "status": status, "headers": listed})
            await self.send({"type": f"{kind}.body", "body": body, "more_body": False})

    async def _linger(self) -> None:
        """Read on for a moment: a connection that is closed with unread data loses its answer."""
        num_bytes = 0
        end = time.monotonic() + LINGER_SECONDS
        with suppress(asyncio.TimeoutError):
            while not self._is_read and num_bytes < LINGER_BYTES and time.monotonic() < end:
                message = await asyncio.wait_for(self.receive(), SILENT_SECONDS)
                num_bytes += len(message.get("body", b""))


def error_answer(error: RequestError, request_id: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of the answer to a request that failed."""
    body = json.dumps({**error.to_dict(), "request_id": request_id}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(math.ceil(error.retry_after), 1))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return error.status, headers, body
