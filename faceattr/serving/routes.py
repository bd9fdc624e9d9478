"""The routes of the server's own interface, version 1."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from faceattr import __version__
from faceattr.errors import FaceattrError
from faceattr.forms import Labels, Names, Output, Unit
from faceattr.recognition.gallery import Candidate
from faceattr.recognition.verification import ODDS
from faceattr.results import dump_json
from faceattr.serving.errors import RequestError, to_request_error
from faceattr.serving.models import (
    AnalyzeAnswer,
    AnalyzeQuery,
    AnalyzersAnswer,
    DetectAnswer,
    DetectQuery,
    ErrorAnswer,
    FindAnswer,
    FindQuery,
    GalleryAnswer,
    MatchAnswer,
    PicturesBody,
    VerifyQuery,
)
from faceattr.serving.options import MEGABYTE
from faceattr.serving.reading import Question, Reading
from faceattr.serving.service import Service
from faceattr.types import Detection, Face, Identification

T = TypeVar("T")

BINARY = {"type": "string", "format": "binary"}
PICTURES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture as it is, one or several as files of a form, or base64.",
        "content": {
            "image/*": {"schema": BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": BINARY},
                }
            },
            "application/json": {"schema": PicturesBody.model_json_schema()},
        },
    }
}
WHY = {
    401: "The API key is missing or wrong.",
    403: "Sent from a page of a stranger.",
    408: "The body did not arrive in time.",
    413: "The body, or the number of pictures, is too large.",
    415: "The body has another type.",
    422: "An option is wrong, or the picture cannot be read.",
    429: "Too many requests with this key, or from this address.",
    503: "Too many pictures wait, or the server is not ready.",
    504: "The work took too long.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": why} for status, why in WHY.items()
}


def create_router(service: Service) -> APIRouter:
    """Return the routes, each of which reads pictures with what the service has loaded."""
    router = APIRouter(prefix="/v1", responses=ERRORS)

    @router.post(
        "/analyze",
        response_model=AnalyzeAnswer,
        openapi_extra=PICTURES,
        responses={200: {"content": {"image/jpeg": {"schema": BINARY}}}},
    )
    async def analyze(request: Request, query: Annotated[AnalyzeQuery, Query()]) -> Response:
        """Read attributes off the faces of one picture, or several."""
        question = _checked(partial(service.reader.ask, **query.model_dump()))
        readings = await _read(request, service, question)
        if question.annotated and len(readings) == 1:
            return Response(readings[0].annotated, media_type="image/jpeg")
        return _json({"pictures": [_describe(one) for one in readings]})

    @router.post("/detect", response_model=DetectAnswer, openapi_extra=PICTURES)
    async def detect(request: Request, query: Annotated[DetectQuery, Query()]) -> Response:
        """Find the faces of one picture, or several."""
        question = _checked(partial(service.reader.ask, actions="", **query.model_dump()))
        readings = await _read(request, service, question)
        return _json({"pictures": [_describe_boxes(one) for one in readings]})

    @router.get("/analyzers", response_model=AnalyzersAnswer)
    async def analyzers() -> Response:
        """Say what was loaded, and what may be sent."""
        return _json(describe_service(service))

    if service.reader.identifies:
        _add_verify(router, service)
    if service.reader.gallery is not None:
        _add_gallery(router, service)
    return router


def _add_verify(router: APIRouter, service: Service) -> None:
    @router.post("/verify", response_model=MatchAnswer, openapi_extra=PICTURES)
    async def verify(request: Request, query: Annotated[VerifyQuery, Query()]) -> Response:
        """Say whether two pictures show one person."""
        odds = ODDS if query.odds is None else query.odds
        async with service.pictures(request) as pictures:
            if len(pictures) != 2:
                raise RequestError(
                    422, "not_two", f"there are {len(pictures)} pictures in the request; send two"
                )
            first, second = pictures
            work = partial(service.reader.verify, first, second, odds)
            (match,) = await service.work(request, [work])
        return _json(match.to_dict())


def _add_gallery(router: APIRouter, service: Service) -> None:
    @router.get("/gallery", response_model=GalleryAnswer)
    async def show_gallery() -> Response:
        """List the people of the gallery."""
        assert service.reader.gallery is not None
        return _json({"people": service.reader.gallery.people})

    @router.post("/gallery/find", response_model=FindAnswer, openapi_extra=PICTURES)
    async def find(request: Request, query: Annotated[FindQuery, Query()]) -> Response:
        """Say who of the gallery is on one picture, or several."""
        async with service.pictures(request) as pictures:
            work = [
                partial(service.reader.find, picture, top=query.top, odds=query.odds)
                for picture in pictures
            ]
            found = await service.work(request, work)
        return _json(
            {
                "pictures": [
                    {"name": picture.name, "faces": [_describe_found(*one) for one in faces]}
                    for picture, faces in zip(pictures, found, strict=True)
                ]
            }
        )


def _checked(ask: Callable[[], T]) -> T:
    """Return what a function returns; its errors are those of the request.

    Raises:
        RequestError: An option is wrong.
    """
    try:
        return ask()
    except FaceattrError as error:
        raise to_request_error(error) from error


async def _read(request: Request, service: Service, question: Question) -> list[Reading]:
    """Return what was read off the pictures of a request.

    Raises:
        RequestError: The request has a single picture, which cannot be read; or it is refused.
    """
    async with service.pictures(request) as pictures:
        work = [partial(service.reader.read, picture, question) for picture in pictures]
        readings = await service.work(request, work)
    service.metrics.pictures.inc(len(readings))
    service.metrics.faces.inc(sum(len(one.faces) for one in readings))
    if len(readings) == 1 and readings[0].error is not None:
        raise readings[0].error
    return readings


def _describe(reading: Reading) -> dict[str, Any]:
    described = _describe_picture(reading) | {"faces": [face.to_dict() for face in reading.faces]}
    if reading.annotated is not None:
        described["annotated"] = base64.b64encode(reading.annotated).decode()
    return described


def _describe_boxes(reading: Reading) -> dict[str, Any]:
    boxes = [Detection(one.bbox, one.confidence, one.landmarks) for one in reading.faces]
    return _describe_picture(reading) | {"faces": [one.to_dict() for one in boxes]}


def _describe_picture(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "width": reading.width,
        "height": reading.height,
        "faces": [],
        "error": None if reading.error is None else reading.error.to_dict(),
    }


def _describe_found(
    face: Face, named: Identification, candidates: Sequence[Candidate]
) -> dict[str, Any]:
    box = Detection(face.bbox, face.confidence).to_dict()
    return {
        "bbox": box["bbox"],
        "confidence": box["confidence"],
        "label": named.label,
        "candidates": [asdict(one) for one in candidates],
    }


def describe_service(service: Service) -> dict[str, Any]:
    """Return what a server offers, as `AnalyzersAnswer` says."""
    reader, limits = service.reader, service.limits
    return {
        "version": __version__,
        "analyzers": [
            {"name": name, **_describe_form(reader.pipeline.outputs[attribute])}
            | {"attribute": attribute, "refresh": reader.pipeline.refresh[attribute]}
            for name, attribute in reader.actions.items()
        ],
        "detectors": reader.detectors,
        "identity": reader.identifies,
        "gallery": reader.gallery is not None,
        "key_required": bool(service.keys),
        "limits": {
            "max_body": int(limits.max_body * MEGABYTE),
            "max_pixels": reader.max_pixels,
            "max_pictures": limits.max_pictures,
            "max_faces": reader.options.max_faces,
            "max_frame": int(limits.max_frame * MEGABYTE),
        },
    }


def _describe_form(form: Output) -> dict[str, Any]:
    match form:
        case Labels():
            return {"form": "labels", "labels": list(form.names)}
        case Unit():
            return {"form": "unit", "unit": form.name}
        case Names():
            return {"form": "names"}
    return {"form": "vector"}


def _json(answer: object) -> Response:
    return Response(dump_json(answer), media_type="application/json")
