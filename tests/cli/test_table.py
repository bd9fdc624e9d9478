from __future__ import annotations

import io

import pytest
from cli.conftest import Command

from faceattr.cli.table import FaceTable
from faceattr.cli.text import width_of
from faceattr.errors import ImageError
from faceattr.forms import Labels, Output, Unit
from faceattr.results import ImageResult
from faceattr.types import Attribute, Classification, Estimate, Face

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FORMS: dict[str, Output] = {
    "emotion": Labels(EMOTIONS),
    "age": Unit("years"),
    "gender": Labels(("woman", "man")),
}


def face(emotion: str = "happy", age: float = 31.4) -> Face:
    rest = dict.fromkeys(EMOTIONS, 0.01) | {emotion: 0.94}
    attributes: dict[str, Attribute] = {
        "emotion": Classification(rest),
        "age": Estimate(age, "years", 4.0),
        "gender": Classification({"woman": 1.0, "man": 0.0}),
    }
    return Face((1, 20, 300, 4000), 0.934, attributes=attributes)


def test_a_row_has_a_face_and_the_first_of_a_picture_its_name() -> None:
    table = FaceTable(["a/party.jpg", "a/none.jpg"], FORMS)
    lines = [
        *table.header(),
        *table.rows(ImageResult("a/party.jpg", faces=[face(), face("surprise", 7)])),
        *table.rows(ImageResult("a/none.jpg")),
    ]
    assert lines == [
        "picture    face  detected  emotion              age  gender",
        "───────────────────────────────────────────────────────────────",
        "party.jpg     0       93%  happy     94%   31 years  woman 100%",
        "              1       93%  surprise  94%    7 years  woman 100%",
        "none.jpg   nobody",
    ]


def test_three_actions_fit_80_columns_however_long_the_name() -> None:
    name = "IMG_2034 " + "a long description of the party " * 5 + "(2).jpg"
    table = FaceTable([name], FORMS, width=80)
    first, second = table.rows(ImageResult(name, faces=[face(), face()]))
    assert width_of(first) == 80
    assert first.startswith("IMG_2034 a lo…arty (2).jpg     0 ")
    assert second.startswith(" " * 26 + "     1 ")


@pytest.mark.parametrize(
    "name", ["日本語の写真.jpg", "\N{GRINNING FACE}.jpg", "e\N{COMBINING ACUTE ACCENT}.jpg"]
)
def test_wide_letters_are_aligned(name: str) -> None:
    table = FaceTable([name, "a_name_of_ascii.jpg"], FORMS, width=80)
    rows = [
        next(table.rows(ImageResult(one, faces=[face()]))) for one in (name, "a_name_of_ascii.jpg")
    ]
    assert len({width_of(row) for row in rows}) == 1


def test_a_wide_name_is_shortened_to_its_columns() -> None:
    name = "日本語の写真" * 10 + ".jpg"
    (row,) = FaceTable([name], FORMS, width=80).rows(ImageResult(name, faces=[face()]))
    assert width_of(row) <= 80
    assert row.startswith("日本語の写真…")


def test_a_pipe_gets_names_in_full() -> None:
    name = "a" * 200 + ".jpg"
    (row,) = FaceTable([name, "b.jpg"], FORMS).rows(ImageResult(name, faces=[face()]))
    assert row.startswith(name)
    (row,) = FaceTable([name, "b.jpg"], FORMS).rows(ImageResult("b.jpg", faces=[face()]))
    assert row.startswith("b.jpg".ljust(204))


def test_pictures_of_one_name_are_told_apart_by_their_folders() -> None:
    sources = ["a/1.jpg", "b/1.jpg", "b/2.jpg", "b/2.jpg", "https://x.org/c/"]
    table = FaceTable(sources, {})
    rows = [next(table.rows(ImageResult(source))) for source in sources]
    names = [row.split()[0] for row in rows]
    assert names == ["a/1.jpg", "b/1.jpg", "2.jpg", "2.jpg", "c"]


def test_boxes_are_shown_where_they_are_asked_for() -> None:
    table = FaceTable(["a.jpg"], {}, boxes=True)
    assert next(table.header()).split() == ["picture", "face", "x1", "y1", "x2", "y2", "detected"]
    (row,) = table.rows(ImageResult("a.jpg", faces=[face()]))
    assert row == "a.jpg       0      1     20    300   4000       93%"


def test_labels_and_names_are_shown_and_not_obeyed() -> None:
    forms = {"[mood]": Labels(["[/good]", "\x1b[31m"])}
    said = Face((0, 0, 9, 9), 0.5, attributes={"[mood]": Classification({"[/good]": 1.0})})
    table = FaceTable(["a/[b]\x1b.png"], forms)
    header, _ = table.header()
    (row,) = table.rows(ImageResult("a/[b]\x1b.png", faces=[said]))
    assert "[mood]" in header
    assert row.split() == [r"[b]\x1b.png", "0", "50%", "[/good]", "100%"]


def test_an_uncertain_attribute_has_no_label() -> None:
    unsure = Face((0, 0, 9, 9), 0.5, attributes=face().attributes, uncertain=frozenset({"gender"}))
    (row,) = FaceTable(["a"], FORMS).rows(ImageResult("a", faces=[unsure]))
    assert row.endswith("31 years  uncertain")


def test_a_picture_that_failed_has_no_row() -> None:
    assert not list(FaceTable(["a"], FORMS).rows(ImageResult("a", error=ImageError("a: no"))))


def test_a_locale_without_an_ellipsis_gets_dots() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    name = "日" + "a" * 100
    table = FaceTable([name], FORMS, width=80, stream=stream)
    text = "\n".join([*table.header(), *table.rows(ImageResult(name, faces=[face()]))])
    assert text.isascii()
    assert r"\u65e5aaaaaa...aaaaaaaaaaa     0" in text


def test_rows_are_printed_as_they_come(
    faceattr: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def analyze_each(pipeline: object, sources: list[str]) -> object:
        for source in sources:
            yield ImageResult(source)
            seen.append(capsys.readouterr().out)

    monkeypatch.setattr("faceattr.pipeline.Pipeline.analyze_each", analyze_each)
    assert faceattr("analyze", "a.jpg", "b.jpg").status == 0
    assert [text.splitlines()[-1] for text in seen] == ["a.jpg    nobody", "b.jpg    nobody"]
    assert seen[0].startswith("picture  face")
