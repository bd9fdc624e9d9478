"""deepface's `find`: the pictures of a folder that show the people of an image."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.deepface import datastore
from faceattr.deepface.crops import Extraction, scale_down
from faceattr.deepface.datastore import SIDES, Datastore
from faceattr.deepface.descriptors import embed, to_input
from faceattr.deepface.distances import (
    Metric,
    Vectors,
    choose_threshold,
    find_confidence,
    find_distances,
)
from faceattr.errors import MissingDependencyError, OptionError
from faceattr.images import ImageSource

COLUMNS = (
    *("identity", "hash", *SIDES, "threshold"),
    *("source_x", "source_y", "source_w", "source_h", "distance", "confidence"),
)
"""Keys of a row, in deepface's order."""


@dataclass(frozen=True, slots=True)
class Search:
    """What counts as found, with the meanings that `find` gives these options.

    Raises:
        OptionError: An option has a value that it cannot have here.
        MissingDependencyError: A pandas table is asked for, and pandas is not installed.
    """

    metric: Metric
    threshold: float | None
    similarity_search: bool
    k: int | None
    return_type: str | None

    def __post_init__(self) -> None:
        has_pandas = importlib.util.find_spec("pandas") is not None
        chosen = self.return_type or ("pandas" if has_pandas else "dict")
        if chosen not in ("pandas", "dict"):
            raise OptionError(f"return_type is {chosen!r}; it can be 'pandas' or 'dict'")
        if chosen == "pandas" and not has_pandas:
            raise MissingDependencyError(
                "return_type='pandas' needs: pip install 'faceattr[pandas]'; or take 'dict'"
            )
        object.__setattr__(self, "return_type", chosen)
        object.__setattr__(self, "threshold", choose_threshold(self.metric, self.threshold))


def find_people(
    source: ImageSource,
    folder: str,
    extraction: Extraction,
    search: Search,
    normalization: str,
    models: str,
    *,
    refresh: bool,
) -> list[Any]:
    """Return the rows of the pictures that show each face of an image, as `find` gives them."""
    path = datastore.datastore_path(folder, extraction, normalization, models)
    faces = extraction.cut_faces(source)
    store = datastore.load(path)
    if refresh:
        known = store
        store = datastore.refresh(known, folder, extraction, normalization, models)
        if store is not known:
            datastore.save(store, path)
    elif not len(store):
        raise OptionError(f"{path} knows nobody yet; leave refresh_database at True")
    queries = np.array(
        [embed(to_input(scale_down(face.image), normalization), models) for face in faces]
    )
    found = [
        _to_rows(store, distances, face.region, search)
        for face, distances in zip(faces, _measure(store, queries, search), strict=True)
    ]
    return list(map(_to_table, found)) if search.return_type == "pandas" else found


def _measure(store: Datastore, queries: Vectors, search: Search) -> NDArray[np.float64]:
    """Return the (M, N) distances of M faces from the N rows; infinite from those without one."""
    metric, known = search.metric, store.embedding
    if isinstance(metric, str):
        distances = np.array([find_distances(known, query, metric) for query in queries])
    elif search.return_type == "dict":  # called once, as deepface does it
        distances = np.array(metric(known, queries), np.float64)
        if distances.shape != (len(queries), len(known)):
            raise OptionError(
                f"distance_metric returned the shape {distances.shape} for {len(known)} known and "
                f"{len(queries)} new descriptors; with return_type='dict' it must return a row "
                "for each new one and a column for each known one"
            )
    else:
        distances = np.array([[float(metric(one, query)) for one in known] for query in queries])
    distances[:, ~store.has_embedding] = math.inf
    return distances


def _to_rows(
    store: Datastore, distances: NDArray[np.float64], region: dict[str, Any], search: Search
) -> list[dict[str, Any]]:
    """Return the rows of the faces within the threshold, or of all, the nearest first."""
    assert search.threshold is not None  # __post_init__ sees to it
    limit = math.inf if search.similarity_search else search.threshold
    threshold = limit if search.return_type == "dict" else search.threshold  # as deepface's
    rows = np.flatnonzero(distances <= limit)
    rows = rows[np.argsort(distances[rows], kind="stable")][: search.k]
    found = store.at(rows)
    return [
        {
            "identity": identity,
            "hash": digest,
            **dict(zip(SIDES, place, strict=True)),
            "threshold": threshold,
            **{f"source_{side}": region[side] for side in "xywh"},
            "distance": distance,
            "confidence": find_confidence(distance, search.metric, verified=distance <= threshold),
        }
        for identity, digest, place, distance in zip(
            found.identity.tolist(),
            found.hash.tolist(),
            found.places.tolist(),
            distances[rows].tolist(),
            strict=True,
        )
    ]


def _to_table(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd  # an extra

    return pd.DataFrame(rows, columns=list(COLUMNS))
