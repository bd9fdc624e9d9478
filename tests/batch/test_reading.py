"""What a run wrote opens elsewhere, with the types that it was written with."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from batch_runs import BrightnessDetector, Inline
from conftest import Brightness, Light

from faceattr import Labels, Pipeline, Unit
from faceattr.batch import run
from faceattr.batch.reading import Parts, holds_parts
from faceattr.cli import run as run_command
from faceattr.errors import ImageError
from faceattr.images import find_images
from faceattr.options import PipelineOptions

pytest.importorskip("pyarrow")

READING = PipelineOptions(
    actions=[Light(), Brightness()], detector=BrightnessDetector(), min_confidence=0.6
)


@pytest.fixture
def out(folder: Path, tmp_path: Path, inline: Inline) -> Path:
    """The parts of a folder of pictures."""
    run(folder, tmp_path / "out", READING, chunk_size=4)
    return tmp_path / "out"


def test_results_come_back_as_they_were(folder: Path, out: Path) -> None:
    parts = {result.source: result for result in Parts(str(out))}
    assert holds_parts(str(out))
    assert not holds_parts(str(folder))
    for expected in Pipeline.from_options(READING).analyze_each(find_images([folder])):
        result = parts.pop(expected.source)
        assert (result.width, result.height) == (expected.width, expected.height)
        assert str(result.error) == str(expected.error)
        for face, known in zip(result.faces, expected.faces, strict=True):
            assert face.bbox == known.bbox
            assert face.uncertain == known.uncertain
            assert face.text("brightness") == known.text("brightness")
            assert face.classification("light").scores == pytest.approx(
                known.classification("light").scores
            )
    assert not parts


def test_the_forms_of_attributes_are_in_the_parts(out: Path) -> None:
    light, brightness = Parts(str(out)).outputs.values()
    assert isinstance(light, Labels)
    assert light.names == Light.output.names
    assert isinstance(brightness, Unit)
    assert brightness.name == Brightness.output.name


def test_a_run_that_has_finished_nothing_has_no_results(out: Path) -> None:
    for part in out.glob("part-*"):
        part.unlink()
    with pytest.raises(ImageError, match="no part is finished yet"):
        Parts(str(out))


def test_pandas_opens_the_folder(out: Path) -> None:
    table = pd.read_parquet(out)
    assert len(table) == 9
    assert table["error"].notna().sum() == 1
    assert set(table["light"].dropna().iloc[0]) == {"label", "confidence", "scores"}


def test_duckdb_opens_the_folder(out: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    query = f"select count(*), max(brightness.value), min(bbox.x2) from '{out}/*.parquet'"
    ((count, value, right),) = duckdb.sql(query).fetchall()
    assert (count, right) == (9, 10)
    assert value > 0


def test_a_part_says_how_it_came_about(out: Path) -> None:
    import pyarrow.parquet

    part = next(out.glob("part-*"))
    described = json.loads(pyarrow.parquet.read_schema(part).metadata[b"faceattr"])
    assert described["settings"]["min_confidence"] == 0.6
    assert described["settings"]["faceattr"]


def test_a_report_is_made_of_the_folder(out: Path, tmp_path: Path) -> None:
    assert run_command(["report", str(out), "--to", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "7 faces in 9 pictures" in page
    assert page.count("data:image/") >= 7
