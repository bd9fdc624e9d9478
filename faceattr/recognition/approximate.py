"""An index of very many descriptors, which finds most of the nearest ones by looking at few."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import MissingDependencyError

if TYPE_CHECKING:
    from faceattr.recognition.scores import Vectors

LISTS = 4  # times the square root of the number of descriptors
SAMPLE = 40  # descriptors by which the center of a list is found; faiss asks for 39
PROBED = 1 / 8  # of the lists, those that a search looks at


class ApproximateIndex:
    """Descriptors in lists of similar ones; a search looks at the lists that are most similar.

    In memory it takes 136 bytes for each descriptor. To make it ready takes two minutes of a
    processor for a million.

    Args:
        vectors: (N, D) descriptors of length 1.

    Raises:
        MissingDependencyError: faiss is not installed.
    """

    def __init__(self, vectors: Vectors) -> None:
        faiss = import_faiss()
        if os.getpid() != _first_process():
            faiss.omp_set_num_threads(1)  # GNU's OpenMP hangs in a fork of a process that used it
        num_lists = max(1, min(round(LISTS * len(vectors) ** 0.5), len(vectors) // SAMPLE))
        self._index = faiss.index_factory(
            vectors.shape[1], f"IVF{num_lists},SQ8", faiss.METRIC_INNER_PRODUCT
        )
        self._index.cp.max_points_per_centroid = SAMPLE
        self._index.train(vectors)
        self._index.add(vectors)
        self._index.nprobe = max(1, round(PROBED * num_lists))

    def nearest(self, vector: NDArray[np.float32], count: int) -> NDArray[np.intp]:
        """Return the rows of most of the descriptors whose cosines are largest.

        Args:
            vector: (D,) of length 1.
            count: How many rows; there are fewer if the lists have no more.
        """
        _, (rows,) = self._index.search(vector[None], count)
        return np.asarray(rows[rows >= 0], np.intp)


@lru_cache(maxsize=1)
def _first_process() -> int:
    """Return the process that made the first index, of which this one may be a fork."""
    return os.getpid()


def import_faiss() -> Any:
    """Return the module faiss.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            "an approximate search needs faiss: pip install 'faceattr[faiss]'"
        ) from error
    return faiss
