"""Where a call is answered in another way than by deepface: a warning, or an error on request."""

from __future__ import annotations

import os
import sys
import warnings
from functools import cache

from faceattr.errors import OptionError

STRICT = "FACEATTR_DEEPFACE_STRICT"


class DeepFaceWarning(UserWarning):
    """A call is answered in another way than by deepface."""


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
