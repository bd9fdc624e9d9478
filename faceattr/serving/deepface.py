"""The routes of deepface's own server, with its requests and answers.

Other than there, neither paths nor URLs are opened, ``"false"`` in a form means false, errors come
without a traceback, and by default the networks are those that ship with faceattr, unless
``FACEATTR_DEEPFACE_MODELS`` says ``deepface``. The guards are those of all routes.

Reference: deepface 0.0.103, ``api/src/modules/core``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from faceattr.deepface import DeepFace
from faceattr.deepface.detection import BACKENDS, SUBSTITUTES, load_finder
from faceattr.deepface.models import VARIABLE, Models, choose_models
from faceattr.deepface.results import ACTIONS, BUILTIN
from faceattr.errors import FaceattrError, OptionError
from faceattr.results import dump_json
from faceattr.serving.bodies import JSON, MULTIPART, from_base64, read_form
from faceattr.serving.errors import RequestError, to_request_error
from faceattr.serving.service import Service
from faceattr.types import BGRImage

PRELOADED = ("opencv", "mtcnn", "yunet")  # detectors whose weights need no download
OFFERED = (*PRELOADED, "skip", *SUBSTITUTES)
URL_ENCODED = "application/x-www-form-urlencoded"
FALSE = ("false", "0", "no", "off", "")
WORDS = {"analyze": "analyzing", "verify": "verifying", "represent": "representing"}

Image: TypeAlias = "bytes | list[float]"
"""An encoded picture, or a descriptor in its place."""


class _Asked(NamedTuple):
    """What a request holds: its pictures by the names of their fields, and its options."""

    images: Mapping[str, Image]
    options: Mapping[str, Any]


def deepface_router(service: Service) -> APIRouter:
    """Return the routes, and load their networks when the server starts."""
    models = cast("Models", choose_models(os.environ.get(VARIABLE) or "builtin"))
    service.add_loader(partial(_load, models))
    router = APIRouter(tags=["deepface"], include_in_schema=False)

    async def answer(
        request: Request, task: str, fields: tuple[str, ...], work: Callable[..., Any]
    ) -> Response:
        async with service.body(request) as body:
            kind = request.headers.get("content-type") or ""
            try:
                asked = await asyncio.to_thread(_read, kind, body, fields)
            except RequestError as error:
                return _json({"exception": str(error)}, 400)
            do = partial(_answer, service, task, partial(work, asked.options, models), asked)
            ((described, status),) = await service.work(request, [do])
        return _json(described, status)

    @router.post("/analyze")
    async def analyze(request: Request) -> Response:
        return await answer(request, "analyze", ("img",), _analyze)

    @router.post("/verify")
    async def verify(request: Request) -> Response:
        return await answer(request, "verify", ("img1", "img2"), _verify)

    @router.post("/represent")
    async def represent(request: Request) -> Response:
        return await answer(request, "represent", ("img",), _represent)

    return router


def _load(models: Models) -> None:
    """Load what requests may ask for.

    Raises:
        WeightsError: Weights of deepface's networks are missing.
    """
    for action in BUILTIN if models == "builtin" else ACTIONS:
        DeepFace.build_model(action.capitalize(), "facial_attribute", models=models)
    DeepFace.build_model("Dlib", models=models)
    for name in PRELOADED:
        load_finder(name, os.getpid())


# Requests


def _read(content_type: str, body: bytes, fields: tuple[str, ...]) -> _Asked:
    """Take a request apart.

    Raises:
        RequestError: It is malformed, or a picture is missing.
    """
    given: dict[str, Any] = {}
    kind = content_type.partition(";")[0].strip().lower()
    if kind == MULTIPART:
        for part in read_form(content_type, body):
            is_file = part.file_name is not None
            given[part.field] = (
                bytes(part.data) if is_file else part.data.decode("utf-8", "replace")
            )
    elif kind == JSON:
        given = _read_json(body)
    elif kind == URL_ENCODED:
        given = dict(parse_qsl(body.decode("utf-8", "replace")))
    images = {name: _to_image(given.pop(name, None), name) for name in fields}
    return _Asked(images, given)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(422, "bad_json", "the JSON cannot be read") from error
    if not isinstance(given, dict):
        raise RequestError(422, "bad_json", "the JSON is not an object")
    return given


def _to_image(value: object, name: str) -> Image:
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value:
        return from_base64(value)
    if isinstance(value, list):
        return value
    raise RequestError(
        422, "no_picture", f"'{name}' not found in request in either json or form data"
    )


# Work, which happens on a worker's thread


def _answer(
    service: Service, task: str, work: Callable[..., Any], asked: _Asked
) -> tuple[dict[str, Any], int]:
    """Return deepface's answer to a request, and its status."""
    images: list[BGRImage | list[float]] = []
    try:
        for data in asked.images.values():
            images.append(service.reader.decode(data) if isinstance(data, bytes) else data)
        return work(*images), 200
    except FaceattrError as error:
        told = to_request_error(error, data if isinstance(data, bytes) else None)
        return {"error": f"Exception while {WORDS[task]}: {told}"}, 400


def _analyze(options: Mapping[str, Any], models: Models, image: BGRImage) -> dict[str, Any]:
    actions = options.get("actions", list(BUILTIN if models == "builtin" else ACTIONS))
    if isinstance(actions, str):
        actions = [one.strip("[]()\"' ") for one in actions.split(",")]
    found = DeepFace.analyze(image, actions=actions, models=models, **_common(options))
    return {"results": found}


def _verify(
    options: Mapping[str, Any],
    models: Models,
    first: BGRImage | list[float],
    second: BGRImage | list[float],
) -> dict[str, Any]:
    return DeepFace.verify(
        first,
        second,
        model_name=str(options.get("model_name", "VGG-Face")),
        distance_metric=options.get("distance_metric", "cosine"),
        models=models,
        **_common(options),
    )


def _represent(options: Mapping[str, Any], models: Models, image: BGRImage) -> dict[str, Any]:
    most = options.get("max_faces")
    found = DeepFace.represent(
        image,
        model_name=str(options.get("model_name", "VGG-Face")),
        max_faces=None if most is None else _to_number(most),
        models=models,
        **_common(options),
    )
    return {"results": found}


def _common(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that all of deepface's functions have.

    Raises:
        OptionError: The detector was not loaded.
    """
    detector = options.get("detector_backend", "opencv")
    if detector in BACKENDS and detector not in OFFERED:
        raise OptionError(
            f"detector_backend {detector!r} is not served; it can be {', '.join(OFFERED)}"
        )
    return {
        "detector_backend": detector,
        "enforce_detection": _to_bool(options.get("enforce_detection", True)),
        "align": _to_bool(options.get("align", True)),
        "anti_spoofing": _to_bool(options.get("anti_spoofing", False)),
    }


def _to_bool(value: object) -> bool:
    return value.strip().lower() not in FALSE if isinstance(value, str) else bool(value)


def _to_number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise OptionError(f"max_faces is {value!r:.100}; give a whole number") from error


def _json(answer: Mapping[str, Any], status: int) -> Response:
    return Response(dump_json(answer), status, media_type="application/json")
