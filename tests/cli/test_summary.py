from __future__ import annotations

import os
from pathlib import Path

from faceattr.cli.summary import Tally
from faceattr.errors import ImageError
from faceattr.results import ImageResult
from faceattr.types import Face


def test_a_run_is_told_in_one_line() -> None:
    tally = Tally()
    face = Face((0, 0, 9, 9), 0.9)
    for result in (
        ImageResult("a", faces=[face, face]),
        ImageResult("b"),
        ImageResult("c", error=ImageError("c: no")),
    ):
        tally.add(result)
    assert tally.describe(2.06) == "3 pictures, 2 faces, 1 without a face, 1 failed, 2.1 s"
    tally.add_copy(Path("annotated/a.png"))
    tally.add_copy(Path("annotated/b.png"))
    assert tally.describe(0.5, written=Path("faces.csv")).endswith(
        f"1 failed, 0.5 s; wrote faces.csv and 2 pictures in {Path('annotated')}{os.sep}"
    )


def test_what_did_not_happen_is_not_told() -> None:
    tally = Tally()
    tally.add(ImageResult("a", faces=[Face((0, 0, 9, 9), 0.9)]))
    assert tally.describe(1) == "1 picture, 1 face, 1.0 s"
