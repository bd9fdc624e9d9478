"""Pictures to the faces that are compared: the most confident one of each, with its descriptor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.identity import IdentityAnalyzer
from faceattr.errors import NoFaceError, OptionError
from faceattr.images import ImageSource, describe_source
from faceattr.networks.architectures.dlib_face import NUM_OUTPUTS
from faceattr.pipeline import IDENTITY, Pipeline
from faceattr.types import Descriptor, Face

logger = logging.getLogger(__name__)

READER = IdentityAnalyzer(mirror=True)
"""Reads the faces that are compared and enrolled; of pictures, accuracy is worth the time."""


@lru_cache(maxsize=1)
def default_pipeline() -> Pipeline:
    """Return the pipeline that reads pictures where none is given."""
    return Pipeline([READER])


@overload
def describe_each(
    pictures: Iterable[ImageSource], pipeline: Pipeline, *, missing_ok: Literal[False] = False
) -> Iterator[Face]: ...


@overload
def describe_each(
    pictures: Iterable[ImageSource], pipeline: Pipeline, *, missing_ok: bool
) -> Iterator[Face | None]: ...


def describe_each(
    pictures: Iterable[ImageSource], pipeline: Pipeline, *, missing_ok: bool = False
) -> Iterator[Face | None]:
    """Yield the most confident face of each picture.

    Args:
        pictures: What to read.
        pipeline: Reads it; its actions include an analyzer of the identity.
        missing_ok: Yield None, and log a warning, where a picture cannot be read or shows nobody.

    Raises:
        ImageError: A picture cannot be read.
        NoFaceError: Nobody is on a picture.
    """
    for result in pipeline.analyze_each(list(pictures)):
        error = result.error
        if error is None and not result.faces:
            error = NoFaceError(f"{result.source}: no face was found")
        if error is None:
            yield result.faces[0]
        elif missing_ok:
            logger.warning("%s; it is left out", error)
            yield None
        else:
            raise error


def describe(picture: ImageSource | Face, pipeline: Pipeline) -> Face:
    """Return the most confident face of a picture; a face is returned as it is.

    Raises:
        ImageError: The picture cannot be read.
        NoFaceError: Nobody is on it.
    """
    if isinstance(picture, Face):
        return picture
    found = pipeline.analyze(picture)
    if not found:
        raise NoFaceError(f"{describe_source(picture)}: no face was found")
    return found[0]


def vector_of(face: Face | Descriptor) -> NDArray[np.float32]:
    """Return the descriptor of a face as (D,) float32.

    Raises:
        OptionError: The face was read without the action ``"identity"``, by an analyzer of another
            network, or with a gallery, which gives names instead.
    """
    attribute = face if isinstance(face, Descriptor) else face.attributes.get(IDENTITY)
    if not isinstance(attribute, Descriptor):
        raise OptionError(
            "the face has no descriptor; read it with actions=['identity'] and without a gallery"
        )
    if attribute.vector.shape != (NUM_OUTPUTS,):
        raise OptionError(
            f"the descriptor has {attribute.vector.size} numbers; those of the analyzer 'identity' "
            f"have {NUM_OUTPUTS}, and no others can be compared"
        )
    return attribute.vector
