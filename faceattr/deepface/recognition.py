"""deepface's `represent` and `verify`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from faceattr.deepface.crops import Extraction, scale_down
from faceattr.deepface.descriptors import (
    check_descriptor,
    embed,
    to_input,
    to_range,
    to_unit_length,
)
from faceattr.deepface.distances import (
    Metric,
    choose_threshold,
    find_confidence,
    find_distances,
)
from faceattr.images import ImageSource, load_image

NO_AREA = dict.fromkeys(("x", "y", "w", "h", "left_eye", "right_eye"))


def represent_image(
    source: ImageSource,
    extraction: Extraction,
    normalization: str,
    models: str,
    *,
    l2_normalize: bool,
    minmax_normalize: bool,
    return_face: bool,
) -> list[dict[str, Any]]:
    """Return deepface's dict of each face of an image: its descriptor, and where it is."""
    results = []
    for face, region, confidence in _faces(source, extraction):
        pixels = to_input(face, normalization)
        descriptor = embed(pixels, models)
        if minmax_normalize:
            descriptor = to_range(descriptor)
        if l2_normalize:
            descriptor = to_unit_length(descriptor)
        result = {"embedding": descriptor, "facial_area": region, "face_confidence": confidence}
        results.append(result | {"face": pixels} if return_face else result)
    return results


def _faces(source: ImageSource, extraction: Extraction) -> list[tuple[Any, dict[str, Any], float]]:
    """Return the pixels of each face, where it is, and the detector's confidence."""
    if extraction.detector_backend == "skip":
        image = load_image(source)
        height, width = image.shape[:2]
        return [(image, {"x": 0, "y": 0, "w": height, "h": width}, 0)]  # exchanged, as deepface's
    faces = extraction.cut_faces(source)
    return [(scale_down(face.image), face.region, face.confidence) for face in faces]


def verify_images(
    images: tuple[ImageSource | list[float], ImageSource | list[float]],
    extraction: Extraction,
    metric: Metric,
    threshold: float | None,
    normalization: str,
    models: str,
) -> dict[str, Any]:
    """Return deepface's dict of whether the two faces that are most alike show one person."""
    start = time.perf_counter()
    threshold = choose_threshold(metric, threshold)
    first, second = (
        _describe(image, f"img{number}_path", extraction, normalization, models)
        for number, image in enumerate(images, start=1)
    )
    pairs = [
        (_distance(a, b, metric), {"img1": area_a, "img2": area_b})
        for a, area_a in first
        for b, area_b in second
    ]
    distance, areas = min(pairs, key=lambda pair: pair[0])
    verified = bool(distance <= threshold)
    return {
        "verified": verified,
        "distance": distance,
        "threshold": threshold,
        "confidence": find_confidence(distance, metric, verified=verified),
        "model": "Dlib",
        "detector_backend": extraction.detector_backend,
        "similarity_metric": metric,
        "facial_areas": areas,
        "time": round(time.perf_counter() - start, 2),
    }


def _describe(
    image: ImageSource | list[float],
    name: str,
    extraction: Extraction,
    normalization: str,
    models: str,
) -> list[tuple[list[float], dict[str, Any]]]:
    """Return the descriptor of each face of an image, and where it is."""
    if isinstance(image, list):
        return [(check_descriptor(image, name), dict(NO_AREA))]
    return [
        (embed(to_input(scale_down(face.image), normalization), models), face.region)
        for face in extraction.cut_faces(image)
    ]


def _distance(first: Sequence[float], second: Sequence[float], metric: Metric) -> float:
    a, b = np.asarray(first), np.asarray(second)
    if isinstance(metric, str):
        return float(find_distances(a[None], b, metric)[0])
    return float(metric(a, b))
