"""The built-in age and gender: one network, two heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceattr.analyzers import builtin
from faceattr.analyzers.age_gender import CROP
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.base import HeadAnalyzer
from faceattr.engines.base import Engine
from faceattr.forms import Unit
from faceattr.labels import NUM_AGES
from faceattr.pipeline import Pipeline
from faceattr.types import Classification, Crops, Estimate, Features, Trunk


def test_age_is_the_mean_of_the_distribution_and_its_standard_deviation() -> None:
    scores = np.zeros(NUM_AGES)
    scores[[20, 30]] = 0.5
    assert to_age(scores) == Estimate(25.0, unit="years", std=5.0)


def test_both_are_heads_on_one_trunk_and_so_can_others_be(
    astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def record(name: str, run: Callable[[Crops], Features]) -> Trunk:
        def noted(crops: Crops) -> Features:
            passes.append(len(crops))
            return run(crops)

        return Trunk(name, recorded.setdefault(run, noted))

    recorded: dict[Callable[[Crops], Features], Callable[[Crops], Features]] = {}
    monkeypatch.setattr(builtin, "Trunk", record)
    (face,) = Pipeline(["age", "gender", Youth()], features=True).analyze(astronaut)
    assert passes == [1]
    (features,) = face.features.values()
    assert face.estimate("youth").value == pytest.approx(float(features.mean()))


class Youth(HeadAnalyzer):
    """Mean of the features, on the trunk of the built-in age and gender."""

    attribute = "youth"
    output = Unit("units")
    crop = CROP

    def load_trunk(self, engine: Engine) -> Trunk:
        return builtin.load_builtin_trunk("age_gender", engine)

    def load_head(self, engine: Engine) -> Callable[[Features], list[Estimate]]:
        return lambda features: [Estimate(float(row.mean()), "units") for row in features]


def test_a_photograph_of_a_woman_who_looks_younger_than_her_43_years(astronaut: Path) -> None:
    (face,) = Pipeline(["age", "gender"]).analyze(astronaut)
    age, gender = face.attributes["age"], face.attributes["gender"]
    assert isinstance(age, Estimate)
    assert isinstance(gender, Classification)
    assert gender.label == "woman"
    assert 20 < age.value < 50
    assert age.std is not None
    assert 2 < age.std < 12
