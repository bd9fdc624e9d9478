"""What requests send and answers hold, as OpenAPI describes it.

The models of faces have the fields that `Face.to_dict` and its like return, which a test compares;
answers themselves are written by those methods.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from faceattr.options import Flag, PipelineOptions

BASE64 = "Encoded picture (JPEG, PNG, WebP, …) in base64; it may begin as a data URI does."


def _help(name: str) -> str:
    """Return what the options say of one of them."""
    (field,) = [one for one in fields(PipelineOptions) if one.name == name]
    flag = field.metadata["flag"]
    assert isinstance(flag, Flag)
    return flag.help


class Strict(BaseModel):
    """A model without other fields than its own."""

    model_config = ConfigDict(extra="forbid")


# Requests


class PictureBody(Strict):
    """A picture."""

    data: Annotated[str, Field(description=BASE64)]
    name: Annotated[str | None, Field(description="A name, which the answer repeats.")] = None


class PicturesBody(Strict):
    """Pictures in base64."""

    pictures: list[PictureBody]


class DetectQuery(Strict):
    """Which faces to find."""

    detector: Annotated[str | None, Field(description="One of those that the server loaded.")] = (
        None
    )
    threshold: Annotated[float | None, Field(description=_help("threshold"))] = None
    max_faces: Annotated[int | None, Field(description=_help("max_faces"))] = None


class AnalyzeQuery(DetectQuery):
    """Which faces to find, and what to read off them."""

    actions: Annotated[
        str | None,
        Field(description="Analyzers, with commas between; all that the server loaded by default."),
    ] = None
    labels: Annotated[str | None, Field(description=_help("labels"))] = None
    min_confidence: Annotated[float | None, Field(description=_help("min_confidence"))] = None
    annotated: Annotated[
        bool,
        Field(
            description="Draw the faces: one picture is answered with a JPEG, of several each has "
            "one in base64."
        ),
    ] = False


class VerifyQuery(Strict):
    """How to compare two pictures."""

    odds: Annotated[
        float | None,
        Field(description="Of one person, before looking: 0.1 is one to ten.", gt=0),
    ] = None


class FindQuery(Strict):
    """How to search the gallery."""

    top: Annotated[int, Field(description="How many people to name for each face.", ge=1)] = 3
    odds: Annotated[
        float, Field(description="Of a face showing anybody there: 1 is as likely as not.", gt=0)
    ] = 1.0


# Answers


class ErrorAnswer(Strict):
    """Why a request was not done."""

    error: Annotated[str, Field(description="What is wrong, why, and what to do.")]
    code: Annotated[str, Field(description="Short name of the reason.")]
    request_id: Annotated[str, Field(description="As in the header X-Request-ID and in the log.")]


class PictureError(Strict):
    """Why a picture could not be read."""

    error: str
    code: str


class ClassificationModel(Strict):
    """Which of several classes a face belongs to."""

    label: Annotated[str | None, Field(description="The most probable label; null if uncertain.")]
    confidence: Annotated[float, Field(description="Its probability.")]
    scores: Annotated[dict[str, float], Field(description="Probability of each label.")]


class IdentificationModel(Strict):
    """Who a face is, among the people of the gallery."""

    label: str | None
    confidence: float
    score: Annotated[float, Field(description="Normalized; about 0 for different people.")]
    candidates: Annotated[dict[str, float], Field(description="Probability of each person.")]


class EstimateModel(Strict):
    """A number with a unit."""

    value: float
    unit: str
    std: Annotated[float | None, Field(description="Standard deviation in the same unit.")]


class DescriptorModel(Strict):
    """A direction in which similar faces lie."""

    vector: list[float]
    private: Annotated[bool, Field(description="People can be found again by it.")] = False


class DetectionModel(Strict):
    """A face that was found."""

    bbox: Annotated[
        tuple[float, float, float, float], Field(description="x1, y1, x2, y2 in pixels.")
    ]
    confidence: Annotated[float, Field(description="Of the detector, in [0, 1].")]
    landmarks: Annotated[
        list[tuple[float, float]] | None,
        Field(
            description="Left eye, right eye, nose tip, left and right mouth corner in pixels, the "
            "viewer's left and right."
        ),
    ]


class FaceModel(DetectionModel):
    """A face, and what was read off it."""

    attributes: dict[
        str, ClassificationModel | IdentificationModel | EstimateModel | DescriptorModel
    ]
    track_id: Annotated[int | None, Field(description="Number of its track on a stream.")]
    frozen: Annotated[
        dict[str, float],
        Field(description="Seconds until an attribute may be read again, on a stream."),
    ]


class PictureModel(Strict):
    """A picture, and the faces on it; the most confident first."""

    name: str
    width: Annotated[int, Field(description="Pixels, upright; 0 if it could not be read.")]
    height: int
    faces: list[FaceModel]
    error: PictureError | None
    annotated: Annotated[str | None, Field(description="JPEG in base64, if asked for.")] = None


class AnalyzeAnswer(Strict):
    """What was read off each picture, in the order of the request."""

    pictures: list[PictureModel]


class DetectedPicture(Strict):
    """A picture, and the faces found on it; the most confident first."""

    name: str
    width: int
    height: int
    faces: list[DetectionModel]
    error: PictureError | None


class DetectAnswer(Strict):
    """The faces found on each picture, in the order of the request."""

    pictures: list[DetectedPicture]


class MatchAnswer(Strict):
    """Whether two pictures show one person."""

    same: Annotated[bool, Field(description="More probably of one person than not.")]
    score: Annotated[float, Field(description="Normalized; about 0 for different people.")]
    probability: Annotated[float, Field(description="That they are of one person.")]
    first: FaceModel
    second: FaceModel


class CandidateModel(Strict):
    """Somebody whom a face may show."""

    name: str
    score: float
    probability: float


class FoundFace(Strict):
    """A face, and who it may be."""

    bbox: tuple[float, float, float, float]
    confidence: float
    label: Annotated[str, Field(description="Who it is, or unknown.")]
    candidates: list[CandidateModel]


class FoundPicture(Strict):
    """A picture, and who is on it."""

    name: str
    faces: list[FoundFace]


class FindAnswer(Strict):
    """Who is on each picture, in the order of the request."""

    pictures: list[FoundPicture]


class GalleryAnswer(Strict):
    """The people of the gallery."""

    people: Annotated[dict[str, int], Field(description="Enrolled faces by name.")]


class AnalyzerModel(Strict):
    """An analyzer that the server loaded."""

    name: Annotated[str, Field(description="As in ?actions=.")]
    attribute: Annotated[str, Field(description="Key of what it reads in attributes.")]
    form: Annotated[str, Field(description="labels, unit, vector or names.")]
    labels: Annotated[list[str] | None, Field(description="If its form is labels.")] = None
    unit: Annotated[str | None, Field(description="If its form is unit.")] = None
    refresh: Annotated[float, Field(description="Seconds between runs on a stream; 0: each frame.")]


class LimitsModel(Strict):
    """What a request and a stream may send."""

    max_body: Annotated[int, Field(description="Bytes of a body.")]
    max_pixels: Annotated[int, Field(description="Pixels of a picture.")]
    max_pictures: Annotated[int, Field(description="Pictures of a request.")]
    max_faces: Annotated[int | None, Field(description="Faces of a picture; null for any.")]
    max_frame: Annotated[int, Field(description="Bytes of a frame of a stream.")]


class AnalyzersAnswer(Strict):
    """What the server offers."""

    version: Annotated[str, Field(description="Of faceattr.")]
    analyzers: list[AnalyzerModel]
    detectors: Annotated[list[str], Field(description="The usual one first.")]
    identity: Annotated[bool, Field(description="Whether /v1/verify is there.")]
    gallery: Annotated[bool, Field(description="Whether /v1/gallery is there.")]
    key_required: Annotated[bool, Field(description="Whether requests need an API key.")]
    limits: LimitsModel


class StateAnswer(Strict):
    """Whether the server is there."""

    status: str


# Streams


class StreamMessage(Strict):
    """What a client of a stream sends as text: first, and to choose other analyzers."""

    actions: Annotated[list[str] | None, Field(description="Names of analyzers.")] = None
    key: Annotated[str | None, Field(description="An API key, if one is needed.")] = None


class StreamAnswer(Strict):
    """What a client of a stream gets for a frame that was analyzed."""

    frame: Annotated[int, Field(description="Number of the binary message, from 0.")]
    width: int
    height: int
    faces: list[FaceModel]
    seconds: Annotated[float, Field(description="From the message to this answer.")]


class StreamError(Strict):
    """What a client of a stream gets for a frame, or a message, that cannot be read."""

    error: str
    code: str
    frame: int | None = None
