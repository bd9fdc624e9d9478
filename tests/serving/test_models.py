"""The models say of answers what the library's own `to_dict` methods return."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter

from faceattr.options import PipelineOptions
from faceattr.recognition.gallery import Candidate
from faceattr.recognition.verification import Match
from faceattr.serving.models import (
    AnalyzeQuery,
    CandidateModel,
    ClassificationModel,
    DescriptorModel,
    DetectionModel,
    EstimateModel,
    FaceModel,
    FindQuery,
    IdentificationModel,
    MatchAnswer,
    PicturesBody,
    StreamMessage,
    VerifyQuery,
)
from faceattr.serving.reading import Reader
from faceattr.types import (
    Attribute,
    Classification,
    Descriptor,
    Detection,
    Estimate,
    Face,
    Identification,
)

LANDMARKS = np.arange(10, dtype=np.float32).reshape(5, 2)
SCORES = {"a": 0.25, "b": 0.75}
VECTOR = np.array([0.6, 0.8], np.float32)
ATTRIBUTES: dict[str, Attribute] = {
    "classification": Classification(SCORES),
    "identification": Identification(SCORES, 1.5),
    "estimate": Estimate(30.5, "years", 2.0),
    "number": Estimate(1.0, "levels"),
    "descriptor": Descriptor(VECTOR, private=True),
}
FACES = [
    Face((1, 2, 3, 4), 0.5),
    Face(
        (1.5, 2, 3, 4),
        0.5,
        LANDMARKS,
        ATTRIBUTES,
        7,
        {"estimate": 0.5},
        frozenset(["classification"]),
    ),
]


@pytest.mark.parametrize("face", FACES)
def test_a_face(face: Face) -> None:
    described = face.to_dict()
    assert FaceModel.model_validate(described).model_dump(mode="json") == {
        **described,
        "attributes": {
            name: own | ({"private": True} if "vector" in own else {})
            for name, own in described["attributes"].items()
        },
    }
    assert described.keys() == FaceModel.model_fields.keys()


@pytest.mark.parametrize(
    "model, attribute",
    [
        (ClassificationModel, Classification(SCORES)),
        (IdentificationModel, Identification(SCORES, 1.5)),
        (EstimateModel, Estimate(1, "years")),
        (DescriptorModel, Descriptor(VECTOR, private=True)),
    ],
)
def test_an_attribute(model: type[BaseModel], attribute: Attribute) -> None:
    described = attribute.to_dict()
    assert described.keys() == model.model_fields.keys()
    assert model.model_validate(described).model_dump() == described


def test_a_detection() -> None:
    described = Detection((1, 2, 3, 4), 0.5, LANDMARKS).to_dict()
    assert described.keys() == DetectionModel.model_fields.keys()
    DetectionModel.model_validate(described)


def test_a_match_and_a_candidate() -> None:
    described = Match(True, 2.5, 0.9, *FACES).to_dict()
    assert described.keys() == MatchAnswer.model_fields.keys()
    MatchAnswer.model_validate(described)
    names = {field.name for field in fields(Candidate)}
    assert names == CandidateModel.model_fields.keys()


def test_options_of_a_request_are_those_of_python() -> None:
    own = AnalyzeQuery.model_fields.keys() - {"annotated"}
    assert own <= {field.name for field in fields(PipelineOptions)}
    asked = inspect.signature(Reader.ask).parameters.keys() - {"self"}
    assert asked == AnalyzeQuery.model_fields.keys()


@pytest.mark.parametrize(
    "model", [AnalyzeQuery, VerifyQuery, FindQuery, PicturesBody, StreamMessage]
)
def test_a_request_with_more_than_its_model_is_refused(model: type[BaseModel]) -> None:
    schema = TypeAdapter(model).json_schema()
    assert schema["additionalProperties"] is False
