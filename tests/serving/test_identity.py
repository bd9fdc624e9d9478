from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import Client, code_of, encode, serving

import faceattr
from faceattr.images import load_image
from faceattr.recognition.gallery import Gallery
from faceattr.serving.models import AnalyzersAnswer, FindAnswer, GalleryAnswer, MatchAnswer


@pytest.fixture(scope="module")
def known(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that knows one person."""
    path = tmp_path_factory.mktemp("people") / "people.gallery"
    gallery = Gallery()
    gallery.add("Eileen", astronaut)
    gallery.save(path)
    with serving(actions="identity", detector="yunet", options={"gallery": path}) as one:
        yield one


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("p", (f"{number}.png", data)) for number, data in enumerate(pictures)]


def test_two_pictures_are_compared_as_in_python(known: Client, astronaut: Path) -> None:
    flipped = encode(load_image(astronaut)[:, ::-1])
    answer = known.post("/v1/verify", files=files(astronaut.read_bytes(), flipped))
    MatchAnswer.model_validate_json(answer.content)
    assert answer.json() == faceattr.verify(astronaut, flipped, threads=1).to_dict()
    assert answer.json()["same"] is True
    assert "vector" not in answer.text


def test_what_cannot_be_compared_is_named(known: Client, astronaut: Path) -> None:
    data, blank = astronaut.read_bytes(), encode(np.zeros((99, 99, 3), np.uint8))
    for pictures, code in (
        ([data], "not_two"),
        ([data, data, data], "not_two"),
        ([data, blank], "no_face"),
        ([data, b"GIF89a"], "bad_picture"),
    ):
        answer = known.post("/v1/verify", files=files(*pictures))
        assert code_of(answer) == (422, code)
    assert answer.json()["error"].startswith("1.png: ")
    assert code_of(known.post("/v1/verify?odds=0", files=files(data, data)))[1] == "bad_option"


def test_people_of_the_gallery_are_listed_and_found(known: Client, astronaut: Path) -> None:
    people = GalleryAnswer.model_validate_json(known.get("/v1/gallery").content).people
    assert people == {"Eileen": 1}
    blank = encode(np.zeros((99, 99, 3), np.uint8))
    answer = known.post("/v1/gallery/find?top=1", files=files(astronaut.read_bytes(), blank))
    first, second = FindAnswer.model_validate_json(answer.content).pictures
    assert [face.label for face in first.faces] == ["Eileen"]
    assert first.faces[0].candidates[0].name == "Eileen"
    assert first.faces[0].candidates[0].probability > 0.99
    assert second.faces == []


def test_faces_are_named_and_descriptors_not_given(known: Client, astronaut: Path) -> None:
    answer = known.send(astronaut.read_bytes())
    (face,) = answer.json()["pictures"][0]["faces"]
    assert face["attributes"]["identity"]["label"] == "Eileen"
    assert "vector" not in answer.text
    offer = AnalyzersAnswer.model_validate_json(known.get("/v1/analyzers").content)
    assert (offer.identity, offer.gallery, offer.analyzers[0].form) == (True, True, "names")
