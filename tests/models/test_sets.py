"""Which pictures are trained on, and which only measure."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.crops import consistent_rows, training_rows
from models.sets import decade, load_measuring, measuring_rows


def test_of_equal_pictures_one_is_trained_on_and_none_if_their_labels_differ() -> None:
    groups = np.array([0, 0, 1, 1, 2])
    age = np.array([20, 20, 30, 40, 50])
    assert consistent_rows(groups, age).tolist() == [0, 4]


def test_no_picture_that_measures_is_trained_on() -> None:
    arrays = {
        "offset": np.arange(6),
        "split": np.array([0, 0, 0, 1, 1]),
        "age": np.array([20, 30, 40, 20, 50]),
        "dup_group": np.array([7, 8, 9, 7, 6]),  # the first is in both splits
    }
    assert training_rows(arrays).tolist() == [1, 2]
    assert measuring_rows(arrays).tolist() == [3, 4]


def test_a_tenth_of_a_set_without_splits_measures() -> None:
    assert measuring_rows({"offset": np.arange(31)}).tolist() == [0, 10, 20]


@pytest.mark.parametrize("age, name", [(0, "0–9"), (19, "10–19"), (90, "90+"), (104, "90+")])
def test_ages_are_grouped_by_decades(age: int, name: str) -> None:
    assert decade(age) == name


def test_a_measuring_set_has_its_pictures_and_labels(tmp_path: Path) -> None:
    codes = [
        cv2.imencode(".webp", np.full((8, 8, 3), 12 * row, np.uint8))[1].ravel()
        for row in range(11)
    ]
    np.savez(
        tmp_path / "faces.npz",
        webp=np.concatenate(codes),
        offset=np.cumsum([0, *map(len, codes)]),
        age=np.arange(11) * 7,
        gender=np.arange(11) % 2,
    )
    data = load_measuring(tmp_path / "faces.npz", attribute="age")
    assert data.pictures == [codes[0].tobytes(), codes[10].tobytes()]
    assert data.ground_truth == {"faces": [0, 70]}
    assert data.groups == {"age": ["0–9", "70–79"], "gender": ["man", "man"]}
