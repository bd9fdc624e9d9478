from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from faceattr.errors import ImageError
from faceattr.images import load_image
from faceattr.pipeline import ImageResult
from faceattr.sinks import PictureFolder, flatten, to_json, write_csv
from faceattr.types import Classification, Estimate, Face

FACE = Face(
    bbox=(1.04, 2, 30, 40),
    confidence=0.98765,
    attributes={
        "emotion": Classification({"happy": 0.75, "sad": 0.25}),
        "age": Estimate(30.123, unit="years", std=4.0),
    },
)
SEEN = ImageResult("a.png", np.zeros((50, 60, 3), np.uint8), width=60, height=50, faces=[FACE])
EMPTY = ImageResult("b.png", width=60, height=50)
BROKEN = ImageResult("c.png", error=ImageError("c.png: no such file"))


def test_a_face_is_one_flat_row() -> None:
    assert flatten(FACE) == {
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


def test_a_csv_table_has_a_row_for_every_picture() -> None:
    file = io.StringIO()
    write_csv([SEEN, EMPTY, BROKEN], file)
    header, seen, empty, broken = file.getvalue().splitlines()
    assert header.startswith("source,face,x1,y1,x2,y2,confidence,emotion,")
    assert header.endswith(",error")
    assert seen.startswith("a.png,0,1.0,2,30,40,0.9877,happy,")
    assert empty.strip(",") == "b.png"
    assert broken.startswith("c.png,")
    assert broken.endswith("c.png: no such file")


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
    names = [folder.write(ImageResult(f"{n}/x.png", image)).name for n in range(3)]
    assert names == ["x.png", "x-2.png", "x-3.png"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot be made: Not a directory"):
        PictureFolder(tmp_path / "file" / "x")


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ImageError, match=r"a\.png: cannot be written: Is a directory"):
        PictureFolder(tmp_path).write(SEEN)
