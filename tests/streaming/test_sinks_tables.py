from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from disks import full_disk
from faces import COLUMNS, FRAMES, KNOWN, TRACKED, write_all

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.streaming.sinks import CsvSink, JsonLinesSink, ParquetSink, tables


def test_json_lines_hold_a_frame_each(tmp_path: Path) -> None:
    write_all(JsonLinesSink(tmp_path / "a.jsonl"), [TRACKED, KNOWN], count=2)
    _, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert second == {
        "frame": 1,
        "timestamp": 0.1,
        "width": 160,
        "height": 120,
        "faces": [TRACKED.to_dict(), KNOWN.to_dict()],
    }


def test_json_lines_can_hold_a_face_each(tmp_path: Path) -> None:
    write_all(JsonLinesSink(tmp_path / "a.jsonl", per_face=True), [TRACKED, KNOWN], count=2)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["track_id"]) for line in lines] == [(0, 3), (0, 4), (1, 3), (1, 4)]
    assert lines[0] == {"frame": 0, "timestamp": 0.0, **TRACKED.to_dict()}


def test_a_table_has_all_columns_before_an_attribute_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with CsvSink(path) as sink:
        sink.begin(COLUMNS)
        header = path.read_text()
        assert header.startswith("frame,timestamp,track,x1,y1,x2,y2,confidence,emotion,")
        sink.write(FRAMES[1], [TRACKED])
        sink.write(FRAMES[2], [TRACKED, KNOWN])
    assert path.read_text().startswith(header)
    first, second, third = csv.DictReader(io.StringIO(path.read_text()))
    assert [first["frame"], second["frame"], third["track"]] == ["1", "2", "4"]
    assert [first["age"], second["age"], third["age"]] == ["", "", "30.12"]
    assert third["emotion"] == "happy"


@pytest.mark.parametrize("kind", [CsvSink, ParquetSink])
def test_a_table_without_play_is_told_its_columns(
    tmp_path: Path, kind: type[CsvSink] | type[ParquetSink]
) -> None:
    if kind is ParquetSink:
        pytest.importorskip("pyarrow")
    with kind(tmp_path / "a") as sink, pytest.raises(SinkError, match=r"columns=live\.columns"):
        sink.write(FRAMES[0], [])
    with kind(tmp_path / "b", columns=COLUMNS) as sink:
        sink.write(FRAMES[0], [KNOWN])
    with (
        kind(tmp_path / "c", columns=COLUMNS[:3]) as sink,
        pytest.raises(SinkError, match="no column 'emotion_sad'"),
    ):
        sink.write(FRAMES[0], [KNOWN])


@pytest.mark.parametrize(("kind", "num_bytes"), [(CsvSink, 800), (JsonLinesSink, 4000)])
def test_a_full_disk_leaves_whole_lines(
    tmp_path: Path, kind: type[CsvSink] | type[JsonLinesSink], num_bytes: int
) -> None:
    path = tmp_path / "a.txt"
    with full_disk(num_bytes), pytest.raises(SinkError, match="File too large"):
        write_all(kind(path), [KNOWN])
    assert num_bytes / 2 < path.stat().st_size <= num_bytes
    *lines, last = path.read_text().split("\n")
    assert last == ""
    if kind is JsonLinesSink:
        assert all(json.loads(line)["faces"] for line in lines)
    else:
        assert {line.count(",") for line in lines} == {lines[0].count(",")}


@pytest.mark.parametrize("kind", [CsvSink, JsonLinesSink])
def test_a_file_that_cannot_be_opened_is_an_error_at_once(
    tmp_path: Path, kind: type[CsvSink] | type[JsonLinesSink]
) -> None:
    with pytest.raises(SinkError, match="x: cannot be written: No such file or directory"):
        kind(tmp_path / "no" / "x")


def test_a_parquet_table_has_a_row_per_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    with ParquetSink(tmp_path / "a.parquet", columns=COLUMNS) as sink:
        for frame in FRAMES[:3]:
            sink.write(frame, [TRACKED, TRACKED])
        sink.write(FRAMES[3], [KNOWN])
    rows = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["frame"] for row in rows] == [0, 0, 1, 1, 2, 2, 3]
    assert [row["age"] for row in rows] == [None] * 6 + [30.12]
    assert rows[-1]["emotion"] == "happy"


def test_a_parquet_table_may_be_empty(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_all(ParquetSink(tmp_path / "a.parquet"), [])
    assert parquet.read_table(tmp_path / "a.parquet").num_rows == 0


def test_without_pyarrow_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'faceattr\[parquet\]'"):
        ParquetSink(tmp_path / "a.parquet")
