"""The page: files that are read once, and served with a strict content security policy."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class _File(NamedTuple):
    """A file of the page."""

    data: bytes
    content_type: str
    etag: str


def page_router(folder: Path = FOLDER) -> APIRouter:
    """Return the routes of the page's files, which are all that is in a folder.

    Args:
        folder: With ``index.html``, which is shown at ``/``.
    """
    router = APIRouter(include_in_schema=False)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(folder).as_posix()
            router.add_api_route(
                "/" if name == INDEX else f"/{name}", _shows(_read(path)), methods=["GET", "HEAD"]
            )
    return router


def _shows(file: _File) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that answers with a file."""
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "ETag": file.etag,
    }

    async def show(request: Request) -> Response:
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.content_type, headers=headers)

    return show


def _read(path: Path) -> _File:
    data = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return _File(data, kind or "application/octet-stream", etag)


TYPES = {  # of which the machine's own table may say something else
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
