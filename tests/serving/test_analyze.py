from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from servers import Client, code_of, encode, level_of, picture, serving

import faceattr
from faceattr.serving.models import (
    AnalyzeAnswer,
    AnalyzersAnswer,
    DetectAnswer,
    ErrorAnswer,
    StateAnswer,
)
from faceattr.types import Face


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_picture_can_be_sent_as_it_is(client: Client) -> None:
    answer = client.send(picture(120, (40, 30)))
    (one,) = answer.json()["pictures"]
    assert (one["name"], one["width"], one["height"]) == ("picture 1", 30, 40)
    assert [face["bbox"] for face in one["faces"]] == [[0, 0, 10, 10], [20, 0, 30, 10]]
    assert level_of(answer) == 120
    assert one["error"] is None


def test_pictures_can_be_sent_as_files_of_a_form(client: Client) -> None:
    files = [(name, (name, picture(level))) for name, level in (("a.png", 10), ("../b.png", 20))]
    pictures = client.post("/v1/analyze", files=files).json()["pictures"]
    assert [one["name"] for one in pictures] == ["a.png", "b.png"]
    levels = [one["faces"][0]["attributes"]["brightness"]["value"] for one in pictures]
    assert levels == [10, 20]


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_pictures_can_be_sent_as_base64(client: Client, prefix: str) -> None:
    body = {"pictures": [{"data": prefix + in_base64(picture(30)), "name": "c"}]}
    answer = client.post("/v1/analyze", json=body)
    assert level_of(answer) == 30
    assert answer.json()["pictures"][0]["name"] == "c"


def test_answers_are_those_of_python(astronaut: Path) -> None:
    with serving(actions="emotion,age", detector="yunet") as real:
        answer = real.send(astronaut.read_bytes())
        described = AnalyzeAnswer.model_validate_json(answer.content).pictures[0].faces
        expected = faceattr.analyze(astronaut, ["emotion", "age"], threads=1)
        assert answer.json()["pictures"][0]["faces"] == [face.to_dict() for face in expected]
        assert len(described) == len(expected) == 1
        assert Face.from_dict(answer.json()["pictures"][0]["faces"][0]).emotion.label == "happy"


def test_a_request_chooses_among_what_was_loaded(client: Client) -> None:
    query = "?actions=light&labels=day,dark=dusk%2Bnight&min_confidence=0.9&max_faces=1"
    (face,) = client.send(picture(100), "/v1/analyze" + query).json()["pictures"][0]["faces"]
    scores = {"day": round(100 / 255, 5), "dark": round(155 / 255, 5)}
    assert face["attributes"] == {
        "light": {"label": None, "confidence": scores["dark"], "scores": scores}
    }


def test_a_request_chooses_the_detector_and_its_threshold(client: Client, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    found = client.send(data, "/v1/detect?detector=haar").json()["pictures"][0]["faces"]
    expected = faceattr.detect(astronaut, detector="haar")
    assert found == [face.to_dict() for face in expected]
    (only,) = client.send(data, "/v1/detect?threshold=0.95").json()["pictures"][0]["faces"]
    assert only["confidence"] == 1


@pytest.mark.parametrize(
    "query, words",
    [
        ("actions=emotion", "unknown analyzer 'emotion'"),
        ("detector=mtcnn", "unknown detector 'mtcnn'"),
        ("labels=day,nihgt", "did you mean 'night'"),
        ("labels=", "labels"),
        ("threshold=2", "threshold"),
        ("threshold=nan", "threshold"),
        ("max_faces=0", "max_faces"),
        ("max_faces=many", "max_faces"),
        ("min_confidence=-1", "min_confidence"),
        ("annotated=perhaps", "annotated"),
        ("action=light", "action"),
        ("img_path=/etc/passwd", "img_path"),
    ],
)
def test_a_wrong_option_is_named(client: Client, query: str, words: str) -> None:
    answer = client.send(picture(1), f"/v1/analyze?{query}")
    assert code_of(answer) == (422, "bad_option")
    assert words in answer.json()["error"]


def test_an_annotated_picture_is_a_jpeg_and_several_are_base64(client: Client) -> None:
    alone = client.send(picture(200), "/v1/analyze?annotated=1")
    assert alone.headers["Content-Type"] == "image/jpeg"
    files = [("a", ("a.png", picture(200))), ("b", ("b.png", b"no picture"))]
    first, second = client.post("/v1/analyze?annotated=1", files=files).json()["pictures"]
    assert base64.b64decode(first["annotated"]) == alone.content
    assert "annotated" not in second
    drawn = cv2.imdecode(np.frombuffer(alone.content, np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert drawn.std() > 1


def test_a_picture_that_cannot_be_read_is_reported_in_its_place(client: Client) -> None:
    files = [("a", ("a.png", picture(9))), ("b", ("b.png", b"GIF89a")), ("c", ("c", picture(8)))]
    one, two, three = client.post("/v1/analyze", files=files).json()["pictures"]
    assert (len(one["faces"]), len(three["faces"])) == (2, 2)
    assert two["faces"] == []
    assert two["error"]["code"] == "bad_picture"
    assert "truncated GIF" in two["error"]["error"]


def png_of_size(width: int, height: int) -> bytes:
    """Return a small PNG that says it has this many pixels, all black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * min((3 * width + 1) * height, 1_000_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        png_of_size(9000, 9000),
        png_of_size(2**31 - 1, 2**31 - 1),
        encode(np.zeros((40, 30, 3), np.uint8), ".jpg")[:-9],
        picture(1)[:50],
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"/etc/passwd",
        b"http://169.254.169.254/latest/meta-data/",
    ],
    ids=["bomb", "overflow", "truncated-jpeg", "truncated-png", "svg", "path", "url"],
)
def test_what_is_no_picture_is_refused(client: Client, data: bytes) -> None:
    assert code_of(client.send(data)) == (422, "bad_picture")


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "http://127.0.0.1:1/x.png", "data:text/html,x", ""]
)
def test_neither_paths_nor_urls_are_opened(client: Client, text: str) -> None:
    answer = client.post("/v1/analyze", json={"pictures": [{"data": text}]})
    assert answer.status_code == 422
    assert code_of(answer)[1] in ("bad_base64", "no_picture", "bad_picture")


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'[{"data": "x"}]',
        b"{}",
        b'"text"',
        b'{"pictures": "x"}',
        b'{"pictures": [{"data": 7}]}',
        b'{"pictures": [{"data": "", "path": "/etc/passwd"}]}',
        b'{"pictures": []}',
        b"{",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"pictures": [{"data": "é"}]}).encode(),
    ],
    ids=range(13),
)
def test_json_of_another_form_is_refused(client: Client, body: bytes) -> None:
    answer = client.post("/v1/analyze", data=body, headers={"Content-Type": "application/json"})
    assert code_of(answer)[0] == 422


PART = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'


@pytest.mark.parametrize(
    "kind, body",
    [
        ("multipart/form-data", PART + b"1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=", PART + b"1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + 999 * "x", PART),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", PART),
        ("multipart/form-data; boundary=x", PART + b"1\r\n--y--\r\n"),
        ("multipart/form-data; boundary=x", PART.replace(b"\r\n", b"\n") + b"1\n--x--\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + 9999 * b"A: b\r\n" + b"\r\n1\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", PART.replace(b"; filename", b"; name") + b"\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: \xff\xfe\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b"\r\n".join([PART + b"1"] * 200) + b"\r\n--x--\r\n"),
    ],
    ids=range(13),
)
def test_a_malformed_form_is_refused(client: Client, kind: str, body: bytes) -> None:
    answer = client.post("/v1/analyze", data=body, headers={"Content-Type": kind})
    assert code_of(answer)[0] in (413, 422)


def test_options_are_not_taken_from_a_form(client: Client) -> None:
    answer = client.post("/v1/analyze", files={"a": ("a.png", picture(1))}, data={"actions": "x"})
    assert code_of(answer) == (422, "bad_form")
    assert "'actions'" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", ";"])
def test_another_type_is_refused(client: Client, kind: str) -> None:
    answer = client.send(picture(1), **{"Content-Type": kind})
    assert code_of(answer) == (415, "unknown_type")
    assert "image/jpeg" in answer.json()["error"]


def test_an_empty_body_is_refused(client: Client) -> None:
    assert code_of(client.send(b"")) == (422, "no_picture")


def test_too_many_pictures_are_refused(client: Client) -> None:
    files = [("a", (f"{number}.png", picture(1))) for number in range(17)]
    assert code_of(client.post("/v1/analyze", files=files)) == (413, "too_many_pictures")


def test_detect_gives_boxes_only(client: Client) -> None:
    answer = client.send(picture(1), "/v1/detect")
    (one,) = DetectAnswer.model_validate_json(answer.content).pictures
    assert [face.confidence for face in one.faces] == [1, 0.9]


def test_the_server_says_what_it_offers(client: Client) -> None:
    answer = client.get("/v1/analyzers")
    offer = AnalyzersAnswer.model_validate_json(answer.content)
    assert [(one.name, one.attribute, one.form) for one in offer.analyzers] == [
        ("Brightness", "brightness", "unit"),
        ("Light", "light", "labels"),
        ("Holdable", "held", "unit"),
    ]
    assert offer.analyzers[1].labels == ["day", "dusk", "night"]
    assert offer.detectors == ["EveryCorner", "haar"]
    assert (offer.identity, offer.gallery, offer.key_required) == (False, False, False)
    assert offer.limits.max_body == 20_000_000


def test_what_is_not_loaded_has_no_routes(client: Client) -> None:
    for path in ("/v1/verify", "/v1/gallery/find", "/represent", "/docs", "/redoc"):
        assert code_of(client.post(path)) == (404, "not_found")


def test_a_wrong_method_is_refused(client: Client) -> None:
    assert code_of(client.get("/v1/analyze")) == (405, "wrong_method")


def test_the_server_says_how_it_is(client: Client) -> None:
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        assert StateAnswer.model_validate_json(client.get(path).content).status == status


def test_a_request_has_an_id_that_the_client_may_give(client: Client) -> None:
    given = client.get("/healthz", headers={"X-Request-ID": "my-id.1"})
    assert given.headers["X-Request-ID"] == "my-id.1"
    strange = client.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert strange.headers["X-Request-ID"] not in ("a b\tc", "my-id.1", "")


def test_every_answer_has_the_headers_that_protect_browsers(client: Client) -> None:
    for answer in (client.send(picture(1)), client.send(b""), client.get("/none")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Server" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_figures_count_requests_pictures_and_faces(client: Client) -> None:
    def figures() -> dict[str, float]:
        lines = client.get("/metrics").text.splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }

    before = figures()
    files = [("a", ("a.png", picture(1))), ("b", ("b.png", picture(2)))]
    client.post("/v1/analyze", files=files)
    after = figures()
    requests = 'faceattr_requests_total{route="/v1/analyze",status="200"}'
    assert after[requests] - before.get(requests, 0) == 1
    assert after["faceattr_pictures_total"] - before["faceattr_pictures_total"] == 2
    assert after["faceattr_faces_total"] - before["faceattr_faces_total"] == 4
    assert (after["faceattr_waiting"], after["faceattr_busy_workers"]) == (0, 0)
    assert after["faceattr_workers"] == 2


def test_openapi_describes_each_route(client: Client) -> None:
    described: dict[str, Any] = client.get("/openapi.json").json()
    assert {"/v1/analyze", "/v1/detect", "/v1/analyzers", "/healthz"} <= described["paths"].keys()
    analyze = described["paths"]["/v1/analyze"]["post"]
    names = [one["name"] for one in analyze["parameters"]]
    assert {"actions", "detector", "labels", "min_confidence", "annotated"} <= set(names)
    assert all(one["description"] for one in analyze["parameters"])
    assert {"200", "401", "413", "415", "422", "503", "504"} <= analyze["responses"].keys()
    kinds = analyze["requestBody"]["content"]
    assert kinds.keys() == {"image/*", "multipart/form-data", "application/json"}
    answers = described["components"]["schemas"]
    assert answers["FaceModel"]["properties"].keys() >= {"bbox", "attributes", "track_id"}
    assert ErrorAnswer.__name__ in answers
