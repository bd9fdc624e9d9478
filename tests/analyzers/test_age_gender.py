"""The built-in age and gender: one network, two heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceattr.analyzers.age_gender import AgeAnalyzer, GenderAnalyzer
from faceattr.engines import create_engine
from faceattr.pipeline import Pipeline
from faceattr.types import Classification, Estimate


def features(ages: dict[int, float], *, woman: float) -> np.ndarray:
    row = np.zeros((1, 103), np.float32)
    for age, probability in ages.items():
        row[0, age] = probability
    row[0, 101:] = woman, 1 - woman
    return row


def test_age_is_the_mean_of_the_distribution_and_its_standard_deviation() -> None:
    (age,) = AgeAnalyzer().predict_from(features({20: 0.5, 30: 0.5}, woman=1))
    assert age == Estimate(25.0, unit="years", std=5.0)


def test_gender_is_read_from_the_other_head() -> None:
    (gender,) = GenderAnalyzer().predict_from(features({20: 1}, woman=0.25))
    assert gender == Classification({"woman": 0.25, "man": 0.75})


def test_both_share_one_trunk() -> None:
    engine = create_engine(threads=1)
    age, gender = AgeAnalyzer(), GenderAnalyzer()
    age.load(engine)
    gender.load(engine)
    assert age.trunk is gender.trunk


def test_a_photograph_of_a_woman_who_looks_younger_than_her_43_years(astronaut: Path) -> None:
    (face,) = Pipeline(["age", "gender"]).analyze(astronaut)
    age, gender = face.attributes["age"], face.attributes["gender"]
    assert isinstance(age, Estimate)
    assert isinstance(gender, Classification)
    assert gender.label == "woman"
    assert 20 < age.value < 50
    assert age.std is not None
    assert 2 < age.std < 12
