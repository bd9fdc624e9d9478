from __future__ import annotations

import numpy as np

from faceattr.training.folds import assign_folds


def test_every_fold_gets_its_part_of_each_class() -> None:
    classes = np.repeat([0, 1, 2], [50, 20, 10])
    folds = assign_folds(classes, range(80))
    for fold in range(5):
        assert np.bincount(classes[folds == fold]).tolist() == [10, 4, 2]


def test_a_group_is_in_one_fold() -> None:
    groups = [row // 7 for row in range(84)]
    folds = assign_folds(np.arange(84) % 2, groups)
    assert all(len({folds[row] for row in range(84) if groups[row] == one}) == 1 for one in groups)
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}


def test_there_are_no_more_folds_than_groups() -> None:
    assert set(assign_folds(np.zeros(6, int), list("aabbcc")).tolist()) == {0, 1, 2}


def test_the_same_pictures_give_the_same_folds() -> None:
    classes = np.arange(40) % 3
    np.testing.assert_array_equal(
        assign_folds(classes, range(40)), assign_folds(classes, range(40))
    )
