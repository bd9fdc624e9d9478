"""The recipes of the identity model, on made-up faces."""

from __future__ import annotations

import numpy as np
import pytest
from dlib_files import random_layers
from recognition_people import strangers

from faceattr.networks.architectures.dlib_face import dlib_face, to_weights
from faceattr.networks.graph import Network
from faceattr.recognition.scores import Calibration
from models.identity.describe import balanced
from models.identity.evaluate import Lfw, accuracy, strict_threshold
from models.identity.export import keep_mean_color
from models.identity.norms import (
    Faces,
    calibrate,
    fit,
    groups_of,
    stranger_scores,
    with_offsets,
)


def test_rounding_the_first_kernel_does_not_shift_what_it_sees() -> None:
    network = Network("identity", dlib_face(), to_weights(random_layers()))
    corrected = keep_mean_color(network)
    (_, before), (_, after) = network.weights["stem"], corrected.weights["stem"]
    assert 0 < abs(after - before).max() < 0.02
    assert corrected.weights["descriptor"] is network.weights["descriptor"]


def test_groups_are_of_adults_children_and_the_old() -> None:
    labels = {
        "age": np.array([20, 20, 5, 10, 70]),
        "race": np.array([0, 2, 4, 1, 3]),
        "gender": np.array([0, 1, 0, 0, 1]),
    }
    groups = groups_of(Faces(np.zeros((5, 128), np.float32), labels))
    assert len(groups) == 14
    assert {name: members.tolist() for name, members in groups.items() if len(members)} == {
        "white men": [0],
        "asian women": [1],
        "children under 6": [2],
        "children under 16": [3],
        "indian over 50": [4],
    }


def test_offsets_let_strangers_of_every_group_pass_equally_often() -> None:
    vectors = np.concatenate([strangers(group, 120) for group in (0, 5)])
    groups = {"one": np.arange(120), "other": np.arange(120, 240)}
    cohort = with_offsets(fit(vectors, groups), vectors, groups)
    shares = [(stranger_scores(cohort, vectors[own]) > 3).mean() for own in groups.values()]
    assert shares == pytest.approx([0.004, 0.004], abs=0.001)


def test_a_calibration_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 6, 40_000)
    same = rng.random(len(scores)) < 1 / (1 + np.exp(6 - 2 * scores))
    found = calibrate(scores[same], scores[~same])
    shift = np.log(same.sum() / (~same).sum())  # both kinds count the same
    assert found.slope == pytest.approx(2, rel=0.05)
    assert found.offset == pytest.approx(-6 - shift, rel=0.05)
    assert found == Calibration(found.slope, found.offset)


def test_as_many_faces_of_each_kind_are_described() -> None:
    labels = {
        "age": np.repeat([20, 70], 6),
        "gender": np.zeros(12, int),
        "race": np.zeros(12, int),
        "split": np.array([0] * 5 + [1] + [0] * 6),
        "dup_group": np.array([0, 0, 2, 3, 4, 5, 6, 7, 8, 5, 10, 11]),  # 9 repeats a test picture
    }
    chosen = balanced(labels, 2)
    assert len(chosen) == 5
    assert 5 in chosen
    assert not {1, 9} & set(chosen.tolist())
    assert (labels["age"][chosen] == 20).sum() == 3


def test_accuracy_is_by_the_threshold_of_the_other_folds() -> None:
    same = np.tile([True, False], 20)
    alike = np.where(same, 0.9, 0.1).astype(np.float32)
    lfw = Lfw(np.zeros((40, 2), np.intp), same, np.repeat([1, 2], 20))
    assert accuracy(alike, lfw) == 1
    assert accuracy(-alike, lfw) == 0.5
    assert strict_threshold(alike, lfw) == np.float32(0.1)
    alike[3] = 0.95
    assert accuracy(alike, lfw) == pytest.approx(39 / 40)
