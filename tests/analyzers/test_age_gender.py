"""The built-in age and gender: one network, two heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceattr.analyzers.age_gender import AgeAnalyzer, GenderAnalyzer
from faceattr.analyzers.ages import to_age
from faceattr.engines import create_engine
from faceattr.labels import NUM_AGES
from faceattr.pipeline import Pipeline
from faceattr.types import Classification, Estimate


def test_age_is_the_mean_of_the_distribution_and_its_standard_deviation() -> None:
    scores = np.zeros(NUM_AGES)
    scores[[20, 30]] = 0.5
    assert to_age(scores) == Estimate(25.0, unit="years", std=5.0)


def test_both_are_heads_on_one_trunk() -> None:
    engine = create_engine(threads=1)
    age, gender = AgeAnalyzer(), GenderAnalyzer()
    assert age.crop == gender.crop
    assert age.load_trunk(engine).run is gender.load_trunk(engine).run


def test_one_trunk_serves_both_and_its_features_can_be_had(astronaut: Path) -> None:
    (face,) = Pipeline(["age", "gender"], features=True).analyze(astronaut)
    (features,) = face.features.values()
    engine = create_engine()
    (age,) = AgeAnalyzer().load_head(engine)(features[None])
    (gender,) = GenderAnalyzer().load_head(engine)(features[None])
    assert face.attributes == {"age": age, "gender": gender}


def test_a_photograph_of_a_woman_who_looks_younger_than_her_43_years(astronaut: Path) -> None:
    (face,) = Pipeline(["age", "gender"]).analyze(astronaut)
    age, gender = face.attributes["age"], face.attributes["gender"]
    assert isinstance(age, Estimate)
    assert isinstance(gender, Classification)
    assert gender.label == "woman"
    assert 20 < age.value < 50
    assert age.std is not None
    assert 2 < age.std < 12
