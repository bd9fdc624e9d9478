"""The page of a report: a template, filled piece by piece and written to a file."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import IO

import cv2
import numpy as np

from faceattr.errors import SinkError
from faceattr.outputs import OutputFile, Outputs, sink_errors
from faceattr.reporting.markup import Html, element, join
from faceattr.types import BGRImage

SUFFIXES = (".html", ".htm")
THUMBNAIL = 96  # pixels, the side of a face's thumbnail
QUALITY = 82  # of a thumbnail as JPEG, in percent
IN_MEMORY = 1_000_000  # bytes of a part of the page that are kept before it goes to a file

_PLACE = re.compile(r"\$(\w+)")


class Spool:
    """A part of a page that grows while pictures are read, in a temporary file once it is long.

    Attributes:
        count: Number of pieces.
    """

    def __init__(self) -> None:
        self.count = 0
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115

    def add(self, piece: Html) -> None:
        """Add a piece.

        Raises:
            SinkError: There is no room for it.
        """
        with sink_errors(tempfile.gettempdir()):
            self._file.write(piece.encode())
        self.count += 1

    def pieces(self) -> Iterator[Html]:
        """Yield what was added, in parts of any size."""
        self._file.seek(0)
        rest = b""
        while block := self._file.read(1 << 16):
            lines = (rest + block).rpartition(b">")  # so that no letter is cut in two
            rest = lines[2]
            yield Html((lines[0] + lines[1]).decode())
        yield Html(rest.decode())

    def close(self) -> None:
        """Remove the temporary file; may be called again."""
        self._file.close()


def claim(path: str | os.PathLike[str], outputs: Outputs | None) -> OutputFile:
    """Return the file of a page, which is not touched yet.

    Raises:
        SinkError: Its name does not end in ``.html``, or `Outputs.file` refuses it.
    """
    output = (outputs or Outputs(overwrite=True)).file(path)
    if not output.is_special and output.path.suffix.lower() not in SUFFIXES:
        raise SinkError(f"{path}: the name of a report ends in {' or '.join(SUFFIXES)}")
    return output


def folder_of(output: OutputFile) -> str | None:
    """Return the folder that relative links of the page start from; None for a pipe."""
    return None if output.is_special else os.path.dirname(os.path.realpath(output.path))


def write_page(output: OutputFile, *, title: str, body: Iterable[str]) -> None:
    """Write a page, in full or not at all.

    Args:
        output: The file.
        title: Of the window.
        body: HTML; text is escaped.

    Raises:
        SinkError: It cannot be written.
    """
    style, script = _read("page.css"), _read("page.js")
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    places: Mapping[str, Iterable[str]] = {
        "policy": ["; ".join(f"{name} {value}" for name, value in policy.items())],
        "title": [title],
        "style": [Html(style)],
        "script": [Html(script)],
        "body": body,
    }
    with output.replacing() as file:
        for index, part in enumerate(_PLACE.split(_read("page.html"))):
            for piece in places[part] if index % 2 else [Html(part)]:
                file.write(join(piece).encode())


def thumbnail(crop: BGRImage, said: str) -> Html:
    """Return a crop as an image that the page carries in itself.

    Args:
        crop: (`THUMBNAIL`, `THUMBNAIL`, 3) BGR uint8.
        said: The image in words.
    """
    return image_of(encode_thumbnail(crop), said)


def encode_thumbnail(crop: BGRImage) -> bytes:
    """Return a crop as JPEG."""
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(data).tobytes()


def image_of(jpeg: bytes, said: str) -> Html:
    """Return a thumbnail as an image that the page carries in itself."""
    return element(
        "img",
        src=Html(f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"),
        alt=said,
        width=THUMBNAIL,
        height=THUMBNAIL,
        loading="lazy",
    )


def figures(numbers: Mapping[str, str]) -> Html:
    """Return the large numbers at the top of a page, by what they count."""
    items = [
        element("div", element("dt", name), element("dd", value)) for name, value in numbers.items()
    ]
    return element("dl", *items, class_="figures")


def section(title: str, *parts: str, note: str = "", id: str | None = None) -> Html:
    """Return a part of the page under a heading, with a sentence beside it."""
    heading = element("header", element("h2", title), *([element("p", note)] if note else []))
    return element("section", heading, *parts, id=id)


def warning(text: str) -> Html:
    """Return a sentence that nobody should miss."""
    return element("p", text, class_="warning", role="note")


def settings_list(settings: Mapping[str, object]) -> Html:
    """Return how the results came about, folded away."""
    shown = {name.replace("_", " "): _describe(value) for name, value in settings.items()}
    pairs = [
        element("div", element("dt", name), element("dd", value))
        for name, value in shown.items()
        if value
    ]
    return element(
        "details",
        element("summary", "How this report was made"),
        element("dl", *pairs, class_="settings"),
    )


def privacy(*, has_faces: bool) -> Html:
    """Return what to keep in mind before the page is passed on.

    Args:
        has_faces: Whether the page shows faces.
    """
    held = "pictures of faces and what" if has_faces else "no picture of a face, but what"
    seen = "sees the faces" if has_faces else "sees the names of the pictures"
    return element(
        "footer",
        element("h2", "Before you pass this on"),
        element(
            "p",
            f"This page holds {held} a program guessed about them. It was made on one computer, no "
            "picture was sent anywhere, and the page loads nothing from the network. Whoever has "
            f"the file {seen}, so ask the people in the pictures first, and follow the law of your "
            "country.",
        ),
        element(
            "p",
            "What is read off a face is a guess about its appearance, and often wrong for a single "
            "person. It does not show what anybody feels, nor who anybody is. Do not decide about "
            "people by it.",
        ),
    )


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``"1 face"``, ``"1,204 faces"``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_describe(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return "yes" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read(name: str) -> str:
    return files("faceattr.reporting").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return what a content security policy calls the one text that it allows."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
