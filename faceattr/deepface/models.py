"""Which networks answer deepface's calls: deepface's own, or those that ship with faceattr."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

from faceattr.errors import OptionError, WeightsError

Models: TypeAlias = Literal["deepface", "builtin"]
"""deepface's networks, with its numbers, whose weights are downloaded; or those in the wheel."""

VARIABLE = "FACEATTR_DEEPFACE_MODELS"


def choose_models(models: str | None) -> str:
    """Return which networks a call asks for.

    Args:
        models: One of `Models`; None for ``FACEATTR_DEEPFACE_MODELS``, else deepface's.

    Raises:
        OptionError: It is another word.
    """
    chosen = models or os.environ.get(VARIABLE) or "deepface"
    if chosen not in get_args(Models):
        source = "models" if models else VARIABLE
        raise OptionError(f"{source} is {chosen!r}; it can be 'deepface' or 'builtin'")
    return chosen


@contextmanager
def suggesting_builtin() -> Iterator[None]:
    """Let an error about weights say that the built-in networks need no download."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(
            f"{error}\nfaceattr's own networks need no download: models='builtin', or the "
            f"environment variable {VARIABLE}=builtin"
        ) from error
