"""The body of a request: read within its limits, and taken apart into pictures."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from pydantic import ValidationError
from python_multipart import exceptions
from python_multipart.multipart import MultipartParser, parse_options_header

from faceattr.serving.errors import RequestError
from faceattr.serving.models import PicturesBody
from faceattr.serving.options import MEGABYTE, Limits
from faceattr.serving.reading import Picture

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

RAW = ("application/octet-stream", "image/")
MULTIPART, JSON = "multipart/form-data", "application/json"
MAX_NAME = 255  # characters of a picture's name
MAX_PARTS = 100  # of a multipart body, pictures or not
BODIES_IN_MEMORY = 16  # of the largest size; more than that is refused
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Bodies:
    """Reads bodies, and holds not more of them than fit into memory.

    Args:
        limits: Largest size of one, and how long it may take.
    """

    def __init__(self, limits: Limits) -> None:
        self._largest = int(limits.max_body * MEGABYTE)
        self._timeout = limits.body_timeout
        self._left = BODIES_IN_MEMORY * self._largest

    @asynccontextmanager
    async def read(self, receive: Receive, length: str | None) -> AsyncIterator[bytes]:
        """Yield the body of a request, whose memory is free again at the end.

        Args:
            receive: Returns the next message of the request.
            length: What the header Content-Length says, None if it is missing.

        Raises:
            RequestError: The body is too large, or does not arrive in time.
            ClientGoneError: The client has closed the connection.
        """
        if length is not None and length.isdecimal() and int(length) > self._largest:
            raise self._too_large()
        body = bytearray()
        try:
            await asyncio.wait_for(self._collect(receive, body), self._timeout)
            yield bytes(body)
        except asyncio.TimeoutError as error:  # Python 3.10's own
            raise RequestError(
                408, "body_timeout", f"the body did not arrive within {self._timeout:g} s"
            ) from error
        finally:
            self._left += len(body)

    async def _collect(self, receive: Receive, body: bytearray) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            if len(body) + len(chunk) > self._largest:
                raise self._too_large()
            if len(chunk) > self._left:
                raise RequestError(
                    503, "busy", "too much is being sent at once; try again later", retry_after=1
                )
            body += chunk
            self._left -= len(chunk)
            if not message.get("more_body", False):
                return

    def _too_large(self) -> RequestError:
        return RequestError(
            413, "too_large", f"the body is larger than {self._largest:,} bytes; send a smaller one"
        )


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


def to_pictures(content_type: str | None, body: bytes, *, max_pictures: int) -> list[Picture]:
    """Return the pictures in a body, at least one.

    Args:
        content_type: What the header Content-Type says.
        body: An encoded picture, a form with files, or JSON as in `PicturesBody`.
        max_pictures: Most pictures.

    Raises:
        RequestError: The body is of another type, is malformed, or has too many pictures or none.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind.startswith(RAW):
        pictures = [Picture("picture 1", body)]
    elif kind == MULTIPART:
        pictures = _from_form(content_type or "", body)
    elif kind == JSON:
        pictures = _from_json(body)
    else:
        raise RequestError(
            415,
            "unknown_type",
            f"Content-Type is {kind or 'missing'!r}; send a picture as image/jpeg or another "
            f"image type, several as {MULTIPART}, or base64 as {JSON}",
        )
    if not pictures or (len(pictures) == 1 and not pictures[0].data):
        raise RequestError(422, "no_picture", "there is no picture in the request; send one")
    if len(pictures) > max_pictures:
        raise RequestError(
            413,
            "too_many_pictures",
            f"{len(pictures)} pictures; one request may have {max_pictures}",
        )
    return pictures


def _from_json(body: bytes) -> list[Picture]:
    try:
        described = PicturesBody.model_validate_json(body)
    except ValidationError as error:
        raise RequestError(422, "bad_json", f"the JSON cannot be read: {_first(error)}") from error
    return [
        Picture(_to_name(one.name, number), from_base64(one.data))
        for number, one in enumerate(described.pictures, start=1)
    ]


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong, without the value itself."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def from_base64(text: str) -> bytes:
    """Return the bytes of base64 text, which may begin as a data URI does.

    Raises:
        RequestError: It is something else, such as a path or a URL.
    """
    found = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[found.end() if found else 0 :], validate=True)
    except (ValueError, binascii.Error) as error:
        raise RequestError(
            422,
            "bad_base64",
            "a picture is not valid base64; paths and URLs are not opened, send the picture itself",
        ) from error


def _from_form(content_type: str, body: bytes) -> list[Picture]:
    pictures = []
    for number, part in enumerate(read_form(content_type, body), start=1):
        if part.file_name is None:
            raise RequestError(
                422,
                "bad_form",
                f"the field {part.field!r} is not a file; options are given in the address, as in "
                "?actions=emotion",
            )
        pictures.append(Picture(_to_name(part.file_name, number), bytes(part.data)))
    return pictures


class Part:
    """A field of a form, which may be a file."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.data = bytearray()

    @property
    def field(self) -> str:
        """Name of the field."""
        return self._option(b"name") or ""

    @property
    def file_name(self) -> str | None:
        """Name of the file, None if it is none."""
        return self._option(b"filename")

    def _option(self, name: bytes) -> str | None:
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        value = options.get(name)
        return None if value is None else value.decode("utf-8", "replace")


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Return the fields of a form.

    Raises:
        RequestError: It is malformed, or has too many fields.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise RequestError(422, "bad_form", "Content-Type has no boundary; a client sets it itself")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks)
        parser.write(body)
        parser.finalize()
    except exceptions.FormParserError as error:
        raise RequestError(422, "bad_form", "the form is malformed") from error
    if not collector.ended:
        raise RequestError(422, "bad_form", "the form is cut off: its last boundary is missing")
    return collector.parts


class _Collector:
    """Collects the fields of a form from the callbacks of the parser."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._name = self._value = b""
        self.callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise RequestError(413, "too_many_pictures", f"more than {MAX_PARTS} fields in a form")
        self.parts.append(Part())

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self.parts[-1].headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _end(self) -> None:
        self.ended = True


def _to_name(name: str | None, number: int) -> str:
    """Return the last part of a file's name, or a name with a number."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _CONTROL.sub("", last)[:MAX_NAME] or f"picture {number}"
