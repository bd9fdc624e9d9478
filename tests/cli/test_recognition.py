"""`faceattr verify`, `find` and `gallery`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recognition_people import look, paint, pipeline

from faceattr.cli import recognition, run
from faceattr.recognition.gallery import FILE_NAME, Gallery


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "_reader", lambda options: pipeline())


@pytest.fixture
def people(tmp_path: Path) -> Path:
    paint(tmp_path / "people" / "ada" / "1.png", 1)
    paint(tmp_path / "people" / "bob" / "1.png", 2)
    return tmp_path / "people"


def test_verify_says_whether_two_pictures_show_one_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = paint(tmp_path / "a.png", 1), paint(tmp_path / "b.png", 1, 1)
    assert run(["verify", str(first), str(second)]) == 0
    assert capsys.readouterr().out.startswith("the same person: probability above 99.9%, score ")
    other = paint(tmp_path / "c.png", 2)
    assert run(["verify", str(first), str(other), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["same"] is False
    assert described["probability"] < 0.1
    assert "vector" not in str(described)


def test_verify_names_a_picture_of_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = paint(tmp_path / "a.png", 1)
    assert run(["verify", str(first), str(tmp_path / "none.png")]) == 1
    assert "none.png" in capsys.readouterr().err
    assert run(["verify", str(first), str(first), "--odds", "0"]) == 2
    assert "odds is 0.0; it must be above 0" in capsys.readouterr().err


def test_find_names_the_people_of_a_folder(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = [str(paint(tmp_path / f"{seed}.png", seed, 5)) for seed in (2, 3)]
    assert run(["find", *queries, "--in", str(people), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["label"] for one in found] == ["bob", "unknown"]
    assert [one["name"] for one in found[0]["candidates"]] == ["bob", "ada"]
    assert (people / FILE_NAME).exists()
    assert run(["find", queries[0], str(tmp_path / "missing.png"), "--in", str(people)]) == 1
    output = capsys.readouterr()
    assert "bob" in output.out
    assert "missing.png" in output.err


def test_people_are_added_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "people.npz")
    pictures = [str(paint(tmp_path / f"{number}.png", 1, number)) for number in range(2)]
    assert run(["gallery", "add", file, "Ada L", *pictures]) == 0
    assert capsys.readouterr().out == "Ada L: 2 faces\n"
    assert run(["gallery", "list", file]) == 0
    assert "Ada L" in capsys.readouterr().out
    assert run(["gallery", "remove", file, "Ada"]) == 1
    assert "did you mean 'Ada L'" in capsys.readouterr().err
    assert run(["gallery", "remove", file, "Ada L"]) == 0
    assert capsys.readouterr().out == "Ada L: 2 faces removed\n"
    assert Gallery.load(file).people == {}
    assert look(1).tobytes() not in Path(file).read_bytes()
    assert run(["gallery", "list", file]) == 0
    assert capsys.readouterr().out == "nobody\n"


def test_what_is_not_there_is_told(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gallery", "remove", str(tmp_path / "none.npz"), "ada"]) == 1
    assert "none.npz does not exist" in capsys.readouterr().err
    assert not (tmp_path / "none.npz").exists()
    assert run(["gallery", "remove", str(people), "ada"]) == 1
    assert "follows its pictures" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["gallery", "add", str(tmp_path / "g.npz"), "ada", str(tmp_path / "empty")]) == 1
    assert "empty: no pictures there" in capsys.readouterr().err
