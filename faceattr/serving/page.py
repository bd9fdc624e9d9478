"""The page: files that are read once, and served with a strict content security policy."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from faceattr.serving.errors import RequestError

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
    files = {
        path.relative_to(folder).as_posix(): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    @router.api_route("/{name:path}", methods=["GET", "HEAD"])
    async def show(request: Request, name: str = "") -> Response:
        file = files.get(name or INDEX)
        if file is None:
            raise RequestError(404, "not_found", "there is nothing at this address")
        headers = {
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-cache",
            "ETag": file.etag,
        }
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.content_type, headers=headers)

    return router


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
