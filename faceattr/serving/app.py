"""The server as an ASGI application."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection

from faceattr import __version__
from faceattr.errors import OptionError
from faceattr.options import PipelineOptions
from faceattr.serving.access import Callers, Rates
from faceattr.serving.errors import RequestError
from faceattr.serving.gate import Gate, error_answer
from faceattr.serving.models import StateAnswer
from faceattr.serving.options import Limits, LoadOptions, ServerOptions, read_keys, split
from faceattr.serving.page import FOLDER, page_router
from faceattr.serving.routes import create_router
from faceattr.serving.service import Service
from faceattr.serving.streams import stream_router

KEYS_VARIABLE = "FACEATTR_API_KEYS"
CODES = {404: "not_found", 405: "wrong_method"}


def create_app(
    options: PipelineOptions | None = None,
    server: ServerOptions | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the server as an ASGI application, which loads everything when it is started.

    Args:
        options: What to load; by default, emotion, age and gender.
        server: Where it listens, and whom it answers.
        limits: What a request may use.

    Raises:
        FaceattrError: An option is wrong, or two contradict each other.
    """
    options = options or LoadOptions()
    server = server or ServerOptions()
    keys = read_keys(server.keys, os.environ.get(KEYS_VARIABLE))
    if not (server.is_local or keys or server.insecure):
        raise OptionError(
            f"{server.host} can be reached by other machines: give API keys with --keys FILE or "
            f"{KEYS_VARIABLE}, or allow everybody with --insecure"
        )
    service = Service(options, server, limits or Limits(), keys)
    app = FastAPI(
        title="faceattr",
        version=__version__,
        summary="Faces in pictures and video, and what can be read off them.",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.service = service
    _add_errors(app)
    _add_state(app, service)
    app.include_router(create_router(service))
    app.include_router(stream_router(service))
    if server.deepface:
        from faceattr.serving.deepface import deepface_router  # which few need

        app.include_router(deepface_router(service))
    open_paths: list[str] = []
    if server.page and FOLDER.is_dir():
        page = page_router()
        app.include_router(page)
        open_paths = [route.path for route in page.routes if isinstance(route, APIRoute)]
    origins = split(server.origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(
        Gate,
        keys=service.keys,
        rates=Rates(service.limits.rate),
        open_paths=open_paths,
        callers=Callers(None if keys else [server.host, *split(server.names)], origins),
        service=service,
    )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.start()
    yield
    service.close()


def _add_state(app: FastAPI, service: Service) -> None:
    """Add the routes that say how the server is."""

    @app.get("/healthz", response_model=StateAnswer)
    async def show_health() -> dict[str, str]:
        """Say that the server runs."""
        return {"status": "ok"}

    @app.get("/readyz", response_model=StateAnswer)
    async def show_readiness() -> dict[str, str]:
        """Say whether everything is loaded, and the server does not end."""
        if not service.is_ready:
            raise RequestError(503, "not_ready", "the server is loading, or ends", retry_after=2)
        return {"status": "ready"}

    @app.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        content, kind = service.metrics.write()
        return Response(content, headers={"Content-Type": kind})


def _add_errors(app: FastAPI) -> None:
    """Let all errors be answered in one form."""

    @app.exception_handler(RequestError)
    async def answer_own(request: HTTPConnection, error: RequestError) -> Response:
        if request.scope["type"] == "websocket":
            raise error  # the gate knows how to refuse one
        status, headers, body = error_answer(error, request.state.request_id)
        return Response(body, status, headers)

    @app.exception_handler(RequestValidationError)
    async def answer_wrong_option(request: Request, error: RequestValidationError) -> Response:
        problem = error.errors()[0]
        name = problem["loc"][-1] if problem["loc"] else "request"
        return await answer_own(
            request, RequestError(422, "bad_option", f"{name}: {problem['msg']}")
        )

    @app.exception_handler(HTTPException)
    async def answer_unknown(request: Request, error: HTTPException) -> Response:
        code = CODES.get(error.status_code, "refused")
        return await answer_own(request, RequestError(error.status_code, code, str(error.detail)))


def describe_start(app: FastAPI) -> str:
    """Return in one line what a server reads, and what it allows."""
    service: Service = app.state.service
    limits, options = service.limits, service.options
    actions = ", ".join(service.reader.actions) or "faces only"
    who = "with an API key" if service.keys else "this machine only"
    if not (service.keys or options.is_local):
        who = "ANYBODY, without an API key"
    return (
        f"{actions} by {', '.join(service.reader.detectors)}; for {who}; "
        f"{service.pool.workers} workers, {limits.queue} pictures may wait; up to "
        f"{limits.max_body:g} MB, {limits.max_pixels:g} megapixels, {limits.max_pictures} pictures "
        f"a request; {limits.max_streams} streams"
    )
