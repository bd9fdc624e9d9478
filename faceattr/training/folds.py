"""Pictures to folds of a cross-validation: each class in all folds, each group in one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import OptionError

NUM_FOLDS = 5
WATCHED_FOLDS = 8  # of four fifths of the pictures; one of them is watched
SEED = 0  # so that the same pictures give the same analyzer


def assign_folds(
    classes: NDArray[np.integer], groups: Sequence[Hashable], num_folds: int = NUM_FOLDS
) -> NDArray[np.int_]:
    """Return the fold of each of N pictures, from 0; fewer folds where there are fewer groups.

    Args:
        classes: (N,) indices of the classes, which every fold gets in equal parts as far as the
            groups allow it.
        groups: The group of each picture; its pictures stay in one fold.
        num_folds: Most folds.
    """
    members: dict[Hashable, list[int]] = {}
    for row in np.random.default_rng(SEED).permutation(len(classes)).tolist():
        members.setdefault(groups[row], []).append(row)
    num_folds = min(num_folds, len(members))
    num_classes = int(classes.max()) + 1
    counts = np.zeros((num_folds, num_classes))
    totals = np.maximum(np.bincount(classes, minlength=num_classes), 1)
    folds = np.zeros(len(classes), np.int_)
    for rows in sorted(members.values(), key=len, reverse=True):  # stable, so drawn by chance
        own = np.bincount(classes[rows], minlength=num_classes)
        fullness = (counts * own / totals).sum(axis=1)
        fold = np.lexsort((counts.sum(axis=1), fullness))[0]
        counts[fold] += own
        folds[rows] = fold
    return folds


class Parts(NamedTuple):
    """Rows of the pictures that one training learns from, watches, and is judged by at the end."""

    trained: NDArray[np.intp]
    watched: NDArray[np.intp]
    kept: NDArray[np.intp]


def three_parts(
    classes: NDArray[np.integer], groups: Sequence[Hashable], folds: NDArray[np.int_]
) -> Parts:
    """Return the first fold as what is kept, a tenth of all as what is watched, and the rest.

    Args:
        classes: As in `assign_folds`.
        groups: The group of each picture; its pictures stay in one part.
        folds: (N,) folds of these.

    Raises:
        OptionError: There are fewer than three groups.
    """
    rest = np.flatnonzero(folds != 0)
    inner = assign_folds(classes[rest], [groups[row] for row in rest.tolist()], WATCHED_FOLDS)
    if inner.max() == 0:
        raise OptionError("training all layers needs pictures of at least three groups")
    return Parts(rest[inner != 0], rest[inner == 0], np.flatnonzero(folds == 0))
