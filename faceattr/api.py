"""The functions of the front door, each a few lines over `Pipeline`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from faceattr.analyzers.base import Analyzer
from faceattr.detectors.base import Detector
from faceattr.errors import FaceattrError
from faceattr.images import ImageSource
from faceattr.pipeline import Pipeline
from faceattr.types import Detection, Face


def analyze(
    image: ImageSource,
    actions: str | Sequence[str | Analyzer] = ("emotion",),
    *,
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[Face]:
    """Return the faces of an image and their attributes, the most confident first.

    What was loaded stays loaded, so that the next call with the same arguments is fast.

    Args:
        image: Path, http(s) URL, bytes, base64 text, binary file, PIL image or BGR array.
        actions: Names of analyzers, or analyzers.
        detector: Name of a detector, or a detector.
        engine: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"`` or ``"f32"``; None for ``FACEATTR_PRECISION``, else ``"auto"``.
        threads: Processor threads of the networks; None for as many as are fast.

    Raises:
        ImageError: The image cannot be read.
        UnknownNameError: A name is in no registry; the message suggests the nearest.
        OptionError: Two actions read the same attribute, or an option is out of range.
    """
    return _pipeline(actions, detector, engine, precision, threads).analyze(image)


def analyze_many(
    images: Iterable[ImageSource],
    actions: str | Sequence[str | Analyzer] = ("emotion",),
    *,
    errors: str = "raise",
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[list[Face] | FaceattrError]:
    """Return the faces of each image, in the order of the images.

    Faces of several images go through the networks together.

    Args:
        images: Each as in `analyze`.
        actions: As in `analyze`.
        errors: ``"raise"`` the first error, or ``"report"`` it in the image's place.
        detector: As in `analyze`.
        engine: As in `analyze`.
        precision: As in `analyze`.
        threads: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    pipeline = _pipeline(actions, detector, engine, precision, threads)
    return pipeline.analyze_many(images, errors=errors)


def detect(
    image: ImageSource,
    *,
    detector: str | Detector = "mtcnn",
    engine: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[Detection]:
    """Return the faces of an image without attributes, the most confident first.

    Args:
        image: As in `analyze`.
        detector: As in `analyze`.
        engine: As in `analyze`.
        precision: As in `analyze`.
        threads: As in `analyze`.

    Raises:
        FaceattrError: As in `analyze`.
    """
    return _pipeline((), detector, engine, precision, threads).detect(image)


def _pipeline(
    actions: str | Sequence[str | Analyzer], detector: str | Detector, *options: Any
) -> Pipeline:
    return _remembered(actions if isinstance(actions, str) else tuple(actions), detector, *options)


@lru_cache(maxsize=8)
def _remembered(
    actions: str | tuple[str | Analyzer, ...],
    detector: str | Detector,
    engine: str | None,
    precision: str | None,
    threads: int | None,
) -> Pipeline:
    return Pipeline(actions, detector=detector, engine=engine, precision=precision, threads=threads)
