"""Runs a server until it is told to end, and lets its requests end first."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Any

import cv2
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from faceattr.errors import OptionError
from faceattr.serving.options import MEGABYTE, ServerOptions
from faceattr.serving.service import Service

HEAD_SECONDS = 15.0  # in which the head of a request must arrive
KEEP_ALIVE_SECONDS = 15  # between two requests on one connection
BACKLOG = 2048  # connections that the system accepts before the server does
DRAIN_SECONDS = 0.5  # for requests that are on their way when the server is told to end


class Server(uvicorn.Server):
    """A server that answers all that it has accepted before it ends.

    Args:
        app: What `create_app` returned.
    """

    def __init__(self, app: FastAPI) -> None:
        self.service: Service = app.state.service
        options, limits = self.service.options, self.service.limits
        longest = limits.body_timeout + limits.queue_timeout + limits.work_timeout
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="websockets-sansio",
                ws_max_size=int(limits.max_frame * MEGABYTE),
                ws_per_message_deflate=False,  # pictures are compressed
                lifespan="on",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,  # anybody can send them
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=math.ceil(longest),
                ssl_certfile=options.ssl_certfile,
                ssl_keyfile=options.ssl_keyfile,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, end the streams, answer what has come, then end."""
        for listener in self.servers:
            listener.close()
        self.service.begin_to_end()
        await asyncio.sleep(DRAIN_SECONDS)  # answers now say that the connection will be closed
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """Closes a connection on which the head of a request does not arrive in time."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """See the base class."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """See the base class."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See the base class."""
        self._forget_head()
        super().connection_lost(exc)

    @property
    def _awaits_head(self) -> bool:
        """Whether neither a request nor a WebSocket is served on the connection."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and self in self.connections  # where a WebSocket takes its place

    def _watch_head(self) -> None:
        if not self._awaits_head:
            self._forget_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._awaits_head:
            self.transport.close()


def bind(options: ServerOptions) -> socket.socket:
    """Return a socket that listens where a server shall.

    Raises:
        OptionError: The address is not one of this machine, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise OptionError(
            f"cannot listen at {options.host}, port {options.port}: {error.strerror or error}; "
            "choose another --port or --host"
        ) from error


def serve(app: FastAPI, when_ready: Callable[[str], None]) -> None:
    """Serve until a signal comes; then end all requests and return, or raise the signal again.

    Args:
        app: What `create_app` returned.
        when_ready: Called with the address once everything is loaded.

    Raises:
        FaceattrError: The address cannot be used, or what was asked for cannot be loaded.
    """
    cv2.setNumThreads(1)  # several pictures at a time use the processors better
    server = Server(app)
    service = server.service
    try:
        server.config.load()
    except OSError as error:  # ssl.SSLError is one
        raise OptionError(f"the certificate or its key cannot be used: {error}") from error
    with bind(service.options) as listener:
        address = address_of(service.options, listener)

        def finish_loading() -> None:
            if service.error is not None:
                server.should_exit = True
            else:
                when_ready(address)

        service.when_loaded = finish_loading
        server.run(sockets=[listener])
    if service.error is not None:
        raise service.error


def address_of(options: ServerOptions, listener: socket.socket) -> str:
    """Return the address of a server, as a browser takes it."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{options.scheme}://{host}:{listener.getsockname()[1]}"
