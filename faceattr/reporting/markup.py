"""HTML in which text cannot become markup: whatever was not built here is escaped."""

from __future__ import annotations

import html
import os
from typing import Any, TypeAlias
from urllib.parse import quote

from faceattr.images import printable

Value: TypeAlias = "str | float | bool | None"
"""Of an HTML attribute; True gives its name alone, False and None leave it out."""

VOID = ("br", "img", "input")  # elements of HTML that have no end
SHAPES = ("circle", "line", "path", "polygon", "rect")  # of SVG, where an element ends itself


class Html(str):
    """Finished HTML, which is not escaped again."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: Value) -> Html:
    """Return an element; children and values that are not `Html` are escaped.

    Args:
        name: Of the element.
        children: HTML, or text.
        attributes: A ``_`` in a name stands for ``-``; one at its end is dropped, as in ``class_``.
    """
    start = "".join(
        f" {key.rstrip('_').replace('_', '-')}{'' if value is True else _quoted(value)}"
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{start}>")
    if name in SHAPES:
        return Html(f"<{name}{start}/>")
    return Html(f"<{name}{start}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Return HTML and text, one after the other, the text escaped."""
    return Html("".join(one if isinstance(one, Html) else escape(one) for one in children))


def escape(text: str) -> Html:
    r"""Return text as HTML; characters that are not visible become escapes such as ``\u202e``."""
    visible = printable(text).encode("utf-8", "backslashreplace").decode()
    return Html(html.escape(visible))


def link_to(source: object, folder: str | None) -> str | None:
    """Return the address of a picture or video for a page in a folder; None if it has none.

    Args:
        source: Path or URL; anything else has no address.
        folder: Real path of the page's folder; None if the page is not a file, for absolute
            addresses.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    path = os.fspath(source)
    if path.startswith(("http://", "https://")):
        return path
    if "://" in path or not os.path.exists(path):
        return None
    if folder is not None:
        try:
            parent, name = os.path.split(os.path.abspath(path))  # a link stays a link
            relative = os.path.relpath(os.path.join(os.path.realpath(parent), name), folder)
        except ValueError:  # on another drive of Windows
            pass
        else:
            return quote(os.fsencode(relative.replace(os.sep, "/")))
    return "file://" + quote(os.fsencode(os.path.abspath(path).replace(os.sep, "/")))


def _quoted(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'="{escape(text)}"'
