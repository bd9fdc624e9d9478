"""Where a call is answered in another way than by deepface: a warning, or an error on request."""

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from typing import NoReturn

from faceattr.errors import OptionError, UnknownAttributeError

STRICT = "FACEATTR_DEEPFACE_STRICT"
NO_DATABASE = "is not offered, as faceattr connects to no database;"
ABSENT = {
    "register": f"{NO_DATABASE} enroll people with faceattr.Gallery and its add(), or let "
    "DeepFace.find keep the descriptors of a folder",
    "search": f"{NO_DATABASE} take search() or identify() of a faceattr.Gallery, or DeepFace.find",
    "identify": f"{NO_DATABASE} take identify() of a faceattr.Gallery, or DeepFace.verify",
    "build_index": f"{NO_DATABASE} a faceattr.Gallery needs none, or takes approximate=True",
    "detectFace": "is not offered, as deepface has deprecated it; take extract_faces",
}
"""Functions of deepface 0.0.103 that are not offered here, and what to do instead."""


class DeepFaceWarning(UserWarning):
    """A call is answered in another way than by deepface."""


def refuse(name: str) -> NoReturn:
    """Say why there is no function of that name, and what to call instead.

    Raises:
        UnknownAttributeError: Always.
    """
    reason = ABSENT.get(name, "is no function of faceattr.deepface")
    raise UnknownAttributeError(f"DeepFace.{name} {reason}")


def warn_once(message: str) -> None:
    """Warn of a difference, once in this process.

    Raises:
        OptionError: The environment variable ``FACEATTR_DEEPFACE_STRICT`` asks for errors.
    """
    if os.environ.get(STRICT, "").lower() not in {"", "0", "false", "no"}:
        raise OptionError(f"{message} ({STRICT} makes this an error)")
    _warn(message)


@cache
def _warn(message: str) -> None:
    warnings.warn(f"{message} ({STRICT}=1 makes this an error)", DeepFaceWarning, _stack_level())


def _stack_level() -> int:
    """Return how far above its caller the first line outside faceattr is."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").startswith("faceattr."):
        level += 1
    return level
