from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from servers import Client, code_of, encode, serving

from faceattr.deepface import DeepFace
from faceattr.results import dump_json


@pytest.fixture(scope="module")
def deepface() -> Iterator[Client]:
    """A client of a server that answers deepface's requests."""
    with serving(deepface=True) as one:
        yield one


@pytest.fixture(scope="module")
def data_uri(astronaut: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(astronaut.read_bytes()).decode()


def in_json(results: list[Any]) -> Any:
    return json.loads(dump_json(results))


def without_time(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    described: dict[str, Any] = answer.json()
    described.pop("time", None)
    return described


def test_analyze_answers_as_deepface_does(deepface: Client, astronaut: Path, data_uri: str) -> None:
    expected = in_json(DeepFace.analyze(astronaut, ["emotion", "age"], models="builtin"))
    body = {"img": data_uri, "actions": ["emotion", "age"]}
    assert deepface.post("/analyze", json=body).json() == {"results": expected}
    form = {"actions": '["emotion", "age"]'}
    files = {"img": ("a.png", astronaut.read_bytes())}
    assert deepface.post("/analyze", data=form, files=files).json() == {"results": expected}
    whole = deepface.post("/analyze", json={"img": data_uri}).json()["results"][0]
    assert {
        "dominant_emotion",
        "dominant_gender",
        "age",
        "region",
        "face_confidence",
    } <= whole.keys()


def test_represent_and_verify_answer_as_deepface_does(
    deepface: Client, astronaut: Path, data_uri: str
) -> None:
    options = {"model_name": "Dlib", "detector_backend": "yunet"}
    answer = deepface.post("/represent", json={"img": data_uri, "max_faces": 1, **options})
    expected = DeepFace.represent(
        astronaut, "Dlib", detector_backend="yunet", max_faces=1, models="builtin"
    )
    assert answer.json() == {"results": in_json(expected)}
    embedding = answer.json()["results"][0]["embedding"]
    body = {"img1": data_uri, "img2": embedding, "distance_metric": "euclidean", **options}
    verified = without_time(deepface.post("/verify", json=body))
    assert (verified["verified"], verified["model"]) == (True, "Dlib")
    assert verified["distance"] == pytest.approx(0, abs=1e-6)
    files = {name: ("a.png", astronaut.read_bytes()) for name in ("img1", "img2")}
    assert without_time(deepface.post("/verify", data=options, files=files))["verified"]


def test_what_a_form_calls_false_is_false(deepface: Client) -> None:
    files = {"img": ("a.png", encode(np.zeros((60, 60, 3), np.uint8)))}
    form = {"actions": "emotion", "enforce_detection": "False"}
    assert deepface.post("/analyze", data=form, files=files).ok
    answer = deepface.post("/analyze", data={"actions": "emotion"}, files=files)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Exception while analyzing: no face")


@pytest.mark.parametrize("value", ["/etc/passwd", "http://127.0.0.1:1/a.png", "", None, 7, {}])
def test_neither_paths_nor_urls_are_opened(deepface: Client, value: object) -> None:
    answer = deepface.post("/analyze", json={"img": value})
    assert answer.status_code == 400
    assert answer.json().keys() == {"exception"}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"actions": ["mood"]}, "actions"),
        ({"actions": ["race"]}, "built-in models"),
        ({"detector_backend": "ssd"}, "not served"),
        ({"detector_backend": "none"}, "detector_backend"),
        ({"detector_backend": ["x"]}, "detector_backend"),
        ({"anti_spoofing": True}, "anti_spoofing"),
    ],
)
def test_what_is_not_offered_is_named(
    deepface: Client, data_uri: str, options: dict[str, Any], words: str
) -> None:
    answer = deepface.post("/analyze", json={"img": data_uri, "actions": "age", **options})
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_a_model_that_faceattr_lacks_is_named(deepface: Client, data_uri: str) -> None:
    answer = deepface.post("/represent", json={"img": data_uri})
    assert (answer.status_code, "'VGG-Face'" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("body", [b"[]", b"{", b"[" * 100_000, b"", b'{"img": [[]]}'])
def test_strange_json_is_refused(deepface: Client, body: bytes) -> None:
    answer = deepface.post("/analyze", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_guards_hold_here_too(deepface: Client, data_uri: str) -> None:
    body = {"img": data_uri}
    foreign = deepface.post("/analyze", json=body, headers={"Origin": "https://evil.example"})
    assert code_of(foreign) == (403, "foreign_origin")
    large = deepface.post("/analyze", data=bytes(20_000_001))
    assert code_of(large) == (413, "too_large")
