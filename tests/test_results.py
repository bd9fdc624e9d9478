from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from disks import full_disk

from faceattr.errors import ImageError, SinkError
from faceattr.forms import Labels, Unit
from faceattr.images import load_image
from faceattr.outputs import Outputs
from faceattr.results import (
    CsvTable,
    ImageResult,
    JsonLines,
    JsonList,
    PictureFolder,
    ResultWriter,
    begin,
    face_cells,
    show,
    to_json,
    without_copies,
    write_csv,
)
from faceattr.types import Classification, Estimate, Face

FACE = Face(
    bbox=(1.04, 2, 30, 40),
    confidence=0.98765,
    attributes={
        "emotion": Classification({"happy": 0.75, "sad": 0.25}),
        "age": Estimate(30.123, unit="years", std=4.0),
    },
)
COLUMNS = Labels(["happy", "sad"]).columns("emotion") + Unit("years").columns("age")
SEEN = ImageResult("a.png", np.zeros((50, 60, 3), np.uint8), width=60, height=50, faces=[FACE])
EMPTY = ImageResult("b.png", width=60, height=50)
BROKEN = ImageResult("c.png", error=ImageError("c.png: no such file"))


def test_a_face_is_one_flat_row() -> None:
    assert face_cells(FACE) == {
        "x1": 1.0,
        "y1": 2,
        "x2": 30,
        "y2": 40,
        "confidence": 0.9877,
        "emotion": "happy",
        "emotion_confidence": 0.75,
        "emotion_happy": 0.75,
        "emotion_sad": 0.25,
        "age": 30.12,
        "age_std": 4.0,
    }


def test_the_label_of_an_uncertain_attribute_is_left_empty() -> None:
    cells = face_cells(replace(FACE, uncertain=frozenset({"emotion"})))
    assert cells["emotion"] is None
    assert cells["emotion_happy"] == 0.75


def test_the_columns_of_a_table_do_not_depend_on_what_was_found() -> None:
    tables = [io.StringIO(), io.StringIO()]
    write_csv([SEEN], tables[0], columns=COLUMNS)
    write_csv([EMPTY], tables[1], columns=COLUMNS)
    seen, empty = (list(csv.DictReader(io.StringIO(table.getvalue()))) for table in tables)
    assert list(seen[0]) == list(empty[0])


def test_a_csv_table_has_a_row_for_every_picture() -> None:
    file = io.StringIO()
    write_csv([SEEN, EMPTY, BROKEN], file, columns=COLUMNS)
    header, seen, empty, broken = file.getvalue().splitlines()
    assert header.startswith("source,face,x1,y1,x2,y2,confidence,emotion,")
    assert header.endswith(",error")
    assert seen.startswith("a.png,0,1.0,2.0,30.0,40.0,0.9877,happy,")
    assert empty.strip(",") == "b.png"
    assert broken.startswith("c.png,")
    assert broken.endswith("c.png: no such file")


def test_json_has_a_line_for_each_entry_and_none_for_a_coordinate() -> None:
    face = replace(FACE, attributes={}, landmarks=np.arange(10, dtype=np.float32).reshape(5, 2))
    text = to_json([ImageResult("[ 1,\n2 ]", width=6, height=5, faces=[face]), EMPTY, BROKEN])
    assert text.splitlines() == [
        "[",
        "  {",
        r'    "source": "[ 1,\n2 ]",',
        '    "width": 6,',
        '    "height": 5,',
        '    "faces": [',
        "      {",
        '        "bbox": [1.04, 2.0, 30.0, 40.0],',
        '        "confidence": 0.98765,',
        '        "landmarks": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]],',
        '        "attributes": {},',
        '        "track_id": null,',
        '        "frozen": {}',
        "      }",
        "    ]",
        "  },",
        "  {",
        '    "source": "b.png",',
        '    "width": 60,',
        '    "height": 50,',
        '    "faces": []',
        "  },",
        "  {",
        '    "source": "c.png",',
        '    "error": "c.png: no such file"',
        "  }",
        "]",
    ]


@pytest.mark.parametrize("results", [[], [SEEN], [SEEN, EMPTY, BROKEN]])
def test_a_json_file_is_written_like_a_json_text(
    tmp_path: Path, results: list[ImageResult]
) -> None:
    path = tmp_path / "a.json"
    with JsonList(path) as file:
        begin([file], [result.source for result in results])
        for result in results:
            file.write(result)
    assert json.loads(path.read_text()) == json.loads(to_json(results))
    if results:
        assert path.read_text() == to_json(results) + "\n"


def test_a_notebook_shows_the_picture_and_each_face() -> None:
    html = SEEN._repr_html_()
    assert html.count("data:image/jpeg;base64,") == 2  # the picture, and the face in it
    assert "a.png: 60×50 pixels, 1 face<" in html
    assert "happy 75%" in html
    assert "data:" not in replace(SEEN, image=None)._repr_html_()
    outside = replace(SEEN, faces=[replace(FACE, bbox=(900, 900, 990, 990))])
    assert outside._repr_html_().count("data:image/jpeg;base64,") == 1
    assert "no such file" in BROKEN._repr_html_()


def test_a_notebook_escapes_what_it_shows() -> None:
    error = ImageError("<script>.png: no such file")
    html = ImageResult("<script>.png", error=error)._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2


def test_an_image_is_shown_with_its_faces() -> None:
    rgb = np.full((50, 60, 3), (10, 20, 30), np.uint8)
    result = show(rgb, [FACE], color="rgb")
    assert result == ImageResult("<array (50, 60, 3) uint8>", None, 60, 50, [FACE])
    assert result.image is not None
    assert result.image[0, 0].tolist() == [30, 20, 10]


def test_json_is_a_list_of_objects() -> None:
    seen, empty, broken = json.loads(to_json([SEEN, EMPTY, BROKEN]))
    assert seen == {"source": "a.png", "width": 60, "height": 50, "faces": [FACE.to_dict()]}
    assert empty["faces"] == []
    assert broken == {"source": "c.png", "error": "c.png: no such file"}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("photos/me.JPG", "me.jpg"),
        ("http://localhost/me.webp?size=1", "me.webp"),
        ("still.gif", "still.gif.png"),
        ("<array (50, 60, 3) uint8>", "<array (50, 60, 3) uint8>.png"),
    ],
)
def test_annotated_pictures_keep_their_names(tmp_path: Path, source: str, name: str) -> None:
    image = np.zeros((50, 60, 3), np.uint8)
    path = PictureFolder(tmp_path / "new").write(ImageResult(source, image, faces=[FACE]))
    assert path == tmp_path / "new" / name
    assert load_image(path).any()


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path)
    image = np.zeros((9, 9, 3), np.uint8)
    paths = [folder.write(ImageResult(f"{n}/x.png", image)) for n in range(3)]
    assert [path.name for path in paths if path] == ["x.png", "x-2.png", "x-3.png"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot be made: Not a directory"):
        PictureFolder(tmp_path / "file" / "x")


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(SinkError, match=r"a\.png: cannot be written: Is a directory"):
        PictureFolder(tmp_path).write(SEEN)


SOURCES = [f"{index}.png" for index in range(6)]
FACE_2 = replace(FACE, bbox=(5, 6, 7, 8))
TEXTS: dict[str, Callable[..., ResultWriter]] = {
    "a.csv": lambda path, **options: CsvTable(path, columns=COLUMNS, **options),
    "a.jsonl": JsonLines,
}


def results(sources: Sequence[str]) -> Iterator[ImageResult]:
    """The third image cannot be read, the fourth has nobody, the others have two faces."""
    for source in sources:
        image = np.full((20, 20, 3), 10 * int(source[0]), np.uint8)
        if source == "2.png":
            yield ImageResult(source, error=ImageError("2.png: no image"))
        else:
            faces = [] if source == "3.png" else [FACE, FACE_2]
            yield ImageResult(source, image, width=20, height=20, faces=faces)


def run(folder: Path, names: Sequence[str], *, stop: int = 99, resume: bool = False) -> list[str]:
    """Write the results of six images, or fewer; return those that were to do."""
    outputs = Outputs(resume=resume)
    writers: list[ResultWriter] = [PictureFolder(folder / "out", outputs=outputs)]
    writers += [TEXTS[name](folder / name, outputs=outputs) for name in names]
    todo = begin(writers, SOURCES)
    for result in results(todo[:stop]):
        for writer in writers:
            writer.write(result)
    for writer in writers:
        writer.close()
    return todo


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("stop", range(7))
def test_a_run_that_is_resumed_writes_what_one_run_does(tmp_path: Path, stop: int) -> None:
    run(tmp_path / "one", list(TEXTS))
    run(tmp_path / "two", list(TEXTS), stop=stop)
    todo = run(tmp_path / "two", list(TEXTS), resume=True)
    assert todo == SOURCES[max(stop - 1, 0) :]  # the last in a table may lack rows
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_cut_off_anywhere_can_be_resumed(tmp_path: Path, name: str) -> None:
    run(tmp_path, [name])
    whole = files_of(tmp_path)
    for size in range(0, len(whole[name]), 17):
        (tmp_path / name).write_bytes(whole[name][:size])
        run(tmp_path, [name], resume=True)
        assert files_of(tmp_path) == whole


def test_a_picture_that_is_missing_is_made_again(tmp_path: Path) -> None:
    run(tmp_path, ["a.jsonl"])
    whole = files_of(tmp_path)
    (tmp_path / "out" / "5.png").unlink()
    assert run(tmp_path, ["a.jsonl"], resume=True) == ["5.png"]
    assert files_of(tmp_path) == whole


@pytest.mark.parametrize("name", TEXTS)
def test_another_file_cannot_be_resumed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("my diary\n")
    with pytest.raises(SinkError, match=r"line 1 is not a result .* --overwrite"):
        run(tmp_path, [name], resume=True)
    assert (tmp_path / name).read_text() == "my diary\n"


def test_odd_names_can_be_resumed(tmp_path: Path) -> None:
    sources = ['a"b\n.png', "=1+1.png", "caf\udce9.png", "日本.png", "-x,y.png", "a\r.png", "z.png"]
    for name, make in TEXTS.items():
        for resume in (False, True):
            with make(tmp_path / name, outputs=Outputs(resume=resume)) as writer:
                todo = begin([writer], sources)
                for source in todo[: len(todo) if resume else -1]:
                    writer.write(ImageResult(source, faces=[FACE]))
            if resume:
                assert todo == sources[-2 if name == "a.csv" else -1 :]
    text = (tmp_path / "a.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["source"] for row in rows] == [
        *('a"b\n.png', "'=1+1.png", r"caf\udce9.png", "日本.png", "'-x,y.png", "a\r.png", "z.png")
    ]
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["source"] for line in lines] == sources


def test_the_same_image_twice_is_resumed_once_for_each(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "a.jsonl") as writer:
        writer.write(EMPTY)
    with JsonLines(tmp_path / "a.jsonl", outputs=Outputs(resume=True)) as writer:
        assert begin([writer], ["b.png", "b.png", "b.png"]) == ["b.png", "b.png"]


@pytest.mark.parametrize("name", TEXTS)
def test_results_of_images_that_are_not_named_again_stay(tmp_path: Path, name: str) -> None:
    run(tmp_path, [name])
    whole = (tmp_path / name).read_bytes()
    outputs = Outputs(resume=True)
    folder = PictureFolder(tmp_path / "out", outputs=outputs)
    with TEXTS[name](tmp_path / name, outputs=outputs) as table:
        assert begin([folder, table], ["new.png"]) == ["new.png"]
        if name == "a.jsonl":  # a table does its last image again
            assert (tmp_path / name).read_bytes() == whole
        else:
            assert whole.startswith((tmp_path / name).read_bytes())
            assert b"4.png" in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("columns", [(), COLUMNS[:-2], (*COLUMNS, "mood")])
def test_a_file_of_other_actions_or_labels_cannot_be_resumed(
    tmp_path: Path, columns: Sequence[str]
) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path, columns=COLUMNS) as writer:
        for one in (EMPTY, BROKEN, SEEN):
            writer.write(one)
    whole = path.read_bytes()
    for own in (COLUMNS, None):
        assert JsonLines(path, columns=own, outputs=Outputs(resume=True)).find([]).done
    with pytest.raises(SinkError, match=r"line 3 is not a result .* these options"):
        JsonLines(path, columns=columns, outputs=Outputs(resume=True)).find([])
    assert path.read_bytes() == whole


WRITERS: dict[str, Callable[..., ResultWriter]] = {**TEXTS, "out": PictureFolder}
OPTIONS = {"detector": "yunet", "threshold": 0.6, "labels": {"good": ["happy"]}}


def write_some(path: Path, number: int, *, resume: bool = False, **options: object) -> list[str]:
    """Write the first results that are to do, like a run that is killed then; return the others."""
    outputs = Outputs(resume=resume, options=OPTIONS | options)
    with WRITERS[path.name](path, outputs=outputs) as writer:
        todo = begin([writer], SOURCES)
        for result in results(todo[:number]):
            writer.write(result)
        if number >= len(todo):
            writer.finish()
    return todo[number:]


@pytest.mark.parametrize("name", WRITERS)
def test_a_run_is_not_resumed_with_other_options(tmp_path: Path, name: str) -> None:
    write_some(tmp_path / name, 4)
    before = files_of(tmp_path)
    for _ in range(2):
        message = "had the options threshold=0.6; this one has threshold=0.9; resume with the same"
        with pytest.raises(SinkError, match=message):
            write_some(tmp_path / name, 99, resume=True, threshold=0.9)
    with pytest.raises(SinkError, match=r"has labels=\{\}, engine='tensorflow'; "):
        write_some(tmp_path / name, 99, resume=True, labels={}, engine="tensorflow")
    assert files_of(tmp_path) == before
    assert write_some(tmp_path / name, 1, resume=True)  # and is killed again
    with pytest.raises(SinkError, match="detector='yunet'; this one has detector='haar'"):
        write_some(tmp_path / name, 99, resume=True, detector="haar")
    assert write_some(tmp_path / name, 99, resume=True) == []
    assert not list(tmp_path.rglob(".*"))  # a finished run leaves nothing but its results


@pytest.mark.parametrize("name", WRITERS)
def test_adding_to_a_finished_run_says_that_its_options_are_not_known(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_some(tmp_path / name, 99)
    with WRITERS[name](tmp_path / name, outputs=Outputs(resume=True, options={})) as writer:
        assert "new.png" in begin([writer], [*SOURCES, "new.png"])
    assert "its options are not known any more" in caplog.text


def test_pictures_that_a_killed_run_was_to_replace_are_not_taken_for_its_own(
    tmp_path: Path,
) -> None:
    write_some(tmp_path / "out", 99)
    for path in (tmp_path / "out").iterdir():
        os.utime(path, (1, 1))
    options = OPTIONS | {"detector": "haar"}
    writer = PictureFolder(tmp_path / "out", outputs=Outputs(overwrite=True, options=options))
    begin([writer], SOURCES)
    for result in results(SOURCES[:2]):
        writer.write(result)
    for _ in range(2):  # killed again
        again = PictureFolder(tmp_path / "out", outputs=Outputs(resume=True, options=options))
        assert begin([again], SOURCES) == SOURCES[2:]


def test_pictures_of_a_finished_run_are_kept_however_often_it_is_resumed(tmp_path: Path) -> None:
    write_some(tmp_path / "out", 99)
    (tmp_path / "out" / "5.png").unlink()
    for _ in range(2):  # killed in between
        assert write_some(tmp_path / "out", 0, resume=True) == ["2.png", "5.png"]


@pytest.mark.parametrize("damage", ["", "[1", "3", '{"detector"'])
def test_a_mark_that_is_cut_off_counts_as_none(tmp_path: Path, damage: str) -> None:
    write_some(tmp_path / "a.jsonl", 2)
    (tmp_path / ".a.jsonl.unfinished").write_text(damage)
    assert len(write_some(tmp_path / "a.jsonl", 1, resume=True, detector="haar")) == 3
    with pytest.raises(SinkError, match="had the options detector='haar'"):
        write_some(tmp_path / "a.jsonl", 99, resume=True)


def test_a_run_that_starts_anew_has_options_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 230}.jsonl"  # the name of its mark would be too long
    for options in (OPTIONS, {"detector": "haar"}):
        with JsonLines(path, outputs=Outputs(overwrite=True, options=options)) as writer:
            begin([writer], SOURCES)
            writer.write(EMPTY)
    again = JsonLines(path, outputs=Outputs(resume=True, options={"detector": "haar"}))
    assert again.find([]).has_known_options
    with pytest.raises(SinkError, match="had the options detector='haar'"):
        JsonLines(path, outputs=Outputs(resume=True, options=OPTIONS)).find([])
    again.finish()
    assert list(tmp_path.iterdir()) == [path]


def test_annotated_copies_below_the_images_are_not_done_again(tmp_path: Path) -> None:
    photos, copies = tmp_path / "photos", tmp_path / "photos" / "out"
    sources = [str(path) for path in (photos / "a.png", copies / "a.png", copies / "b.gif")]
    found = without_copies(sources, [str(photos)], copies)
    assert found == [sources[0], sources[2]]  # a copy of a GIF is a PNG
    for named in (copies, copies / "a.png"):  # which is refused as an input later
        assert without_copies(sources, [str(photos), str(named)], copies) == sources


def test_a_json_list_in_a_file_is_complete_after_every_image(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with JsonList(path) as writer:
        begin([writer], SOURCES)
        assert json.loads(path.read_text()) == []
        for count, result in enumerate([SEEN, EMPTY, BROKEN], start=1):
            writer.write(result)
            assert len(json.loads(path.read_text())) == count
    assert path.read_text() == to_json([SEEN, EMPTY, BROKEN]).rstrip() + "\n"


def test_a_json_list_on_a_stream_ends_when_it_is_closed() -> None:
    text = io.StringIO()
    with JsonList(text) as writer:
        writer.write(SEEN)
        writer.write(BROKEN)
    assert json.loads(text.getvalue()) == [SEEN.to_dict(), BROKEN.to_dict()]
    with JsonList(empty := io.StringIO()) as writer:
        begin([writer], [])
    assert json.loads(empty.getvalue()) == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "utf-16"])
@pytest.mark.parametrize("make", [JsonLines, JsonList])
def test_json_is_valid_in_any_encoding(
    encoding: str, make: Callable[[TextIO], ResultWriter]
) -> None:
    source = "日本 é 😀 \udce9.png"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    with make(stream) as writer:
        writer.write(ImageResult(source))
    found = json.loads(raw.getvalue().decode(encoding))
    assert (found if make is JsonLines else found[0])["source"] == source


def test_csv_is_written_in_any_encoding() -> None:
    raw = io.BytesIO()
    with CsvTable(io.TextIOWrapper(raw, encoding="ascii"), columns=()) as writer:
        writer.write(ImageResult("日本.png"))
    assert raw.getvalue().splitlines()[1].startswith(rb"\u65e5\u672c.png,")


class FullPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_stream_that_takes_no_more_is_an_error() -> None:
    with pytest.raises(SinkError, match="output: cannot be written: No space left on device"):
        JsonLines(FullPipe()).write(SEEN)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_json_never_has_numbers_that_are_not_finite(tmp_path: Path, number: float) -> None:
    face = replace(FACE, attributes={"age": Estimate(number, "years")})
    for make in (JsonLines, JsonList):
        writer = make(tmp_path / make.__name__)
        with writer, pytest.raises(SinkError, match="infinite or NaN"):
            writer.write(replace(SEEN, faces=[face]))


def test_each_image_has_a_picture_of_its_own(tmp_path: Path) -> None:
    sources = [
        "x/a.jpg",
        "y/a.jpg",
        "a-2.jpg",
        "A.jpg",
        "z/a.JPG",
        "http://h/a.jpg?b=1",
        "http://h/",
    ]
    folder = PictureFolder(tmp_path)
    begin([folder], sources)
    images = [ImageResult(source, np.zeros((9, 9, 3), np.uint8)) for source in sources]
    paths = [folder.write(result) for result in images]
    assert [path.name for path in paths if path] == [
        *("a.jpg", "a-3.jpg", "a-2.jpg", "A-4.jpg", "a-5.jpg", "a-6.jpg", "image.png")
    ]
    assert len(list(tmp_path.iterdir())) == len(sources)


def test_a_name_that_is_too_long_is_cut(tmp_path: Path) -> None:
    source = "ü" * 123 + ".gif.tar.xz"
    path = PictureFolder(tmp_path).write(ImageResult(source, np.zeros((9, 9, 3), np.uint8)))
    assert path is not None
    assert path.name.startswith("ü" * 110)
    assert path.suffix == ".png"


def test_a_full_disk_leaves_no_half_picture(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    with full_disk(1000), pytest.raises(SinkError, match=r"a\.png: cannot be written"):
        PictureFolder(tmp_path).write(ImageResult("a.png", image))
    assert not list(tmp_path.iterdir())


def test_an_image_that_its_format_cannot_hold_is_an_error(tmp_path: Path) -> None:
    image = np.zeros((1, 70_000, 3), np.uint8)
    with pytest.raises(SinkError, match=r"OpenCV cannot write 70000×1 pixels as \.jpg"):
        PictureFolder(tmp_path).write(ImageResult("a.jpg", image))
