"""A worker reads what a chunk names: pictures, tar files, segments of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batch_runs import OPTIONS, Inline, read_rows, write_shard

from faceattr import Detection
from faceattr.batch import plan, run, seams, storage, work
from faceattr.batch.plan import Segment
from faceattr.options import PipelineOptions
from faceattr.streaming.analysis import LiveAnalysis
from faceattr.streaming.sources import VideoFile
from faceattr.testing import FixedDetector

pytest.importorskip("pyarrow")

TWO = FixedDetector([Detection((0, 0, 20, 20), 0.9), Detection((40, 40, 60, 60), 0.8)])


def test_a_tar_file_holds_pictures(folder: Path, tmp_path: Path, inline: Inline) -> None:
    shard = write_shard(tmp_path / "a.tar", folder / "0.png", folder / "more" / "broken.jpg")
    assert run(shard, tmp_path / "out", OPTIONS).counts == (2, 1, 0, 1)
    first, second = read_rows(tmp_path / "out")
    assert first["key"] == f"{shard}/inside/0.png"
    assert "inside/broken.jpg: " in second["error"]


def test_a_damaged_tar_file_is_a_row(folder: Path, tmp_path: Path, inline: Inline) -> None:
    shard = write_shard(tmp_path / "a.tar", folder / "0.png", folder / "1.png")
    shard.write_bytes(shard.read_bytes()[: 7 * 512 + 30])  # in the second picture
    assert run(shard, tmp_path / "out", OPTIONS).counts == (2, 1, 0, 1)
    assert "the tar file cannot be read" in read_rows(tmp_path / "out")[0]["error"]


def test_remote_pictures_are_read_and_missing_ones_are_rows(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    names = [f"file://{folder}/{index}.png" for index in (*range(7), 77)] * 3
    (tmp_path / "list.txt").write_text("\n".join(names))
    assert run(tmp_path / "list.txt", tmp_path / "out", OPTIONS).counts == (24, 21, 0, 3)
    errors = {row["error"] for row in read_rows(tmp_path / "out") if row["key"] == names[7]}
    assert len(errors) == 1
    assert str(errors.pop()).startswith(f"{names[7]}: ")


def test_a_store_that_does_not_answer_is_no_bad_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inline: Inline
) -> None:
    def fail(path: str) -> bytes:
        raise storage.StorageError(f"{path}: away")

    monkeypatch.setattr(storage, "read_bytes", fail)
    (tmp_path / "list.txt").write_text("file:///a.png")
    assert run(tmp_path / "list.txt", tmp_path / "out", OPTIONS).errors == ("file:///a.png: away",)
    assert not read_rows(tmp_path / "out")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of two seconds that overlap by half a second."""
    monkeypatch.setattr(plan, "SEGMENT", 2.0)
    monkeypatch.setattr(work, "SEGMENT", 2.0)
    monkeypatch.setattr(seams, "OVERLAP", 0.5)


@pytest.mark.usefixtures("short")
def test_the_segments_of_a_video_become_one_part(
    clip: Path, tmp_path: Path, inline: Inline
) -> None:
    options = PipelineOptions(actions=(), detector=TWO)
    assert run(clip, tmp_path / "out", options).counts == (60, 120, 0, 0)
    assert [type(chunk.work).__name__ for chunk in inline.engines[0].done] == [
        *("Segment", "Segment", "Segment", "Video"),
    ]
    rows = read_rows(tmp_path / "out")
    with VideoFile(clip) as video, LiveAnalysis((), detector=TWO) as live:
        expected = [
            (frame.timestamp, face.track_id, face.bbox)
            for frame, faces in live.run(video)
            for face in faces
        ]
    assert [
        (row["timestamp"], row["track"], tuple(row["bbox"].values())) for row in rows
    ] == expected
    assert not list((tmp_path / "out" / "_segments").iterdir())


@pytest.mark.usefixtures("short")
def test_a_video_that_cannot_be_sought_in_is_read_from_its_beginning(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = Segment(str(clip), 2.0, 4.0)
    times = [frame.timestamp for frame in seams.frames_of(str(clip), segment)]
    assert times == pytest.approx([2 + index / 10 for index in range(25)])
    monkeypatch.setattr(VideoFile, "seek", lambda self, seconds: list(self))
    assert [frame.timestamp for frame in seams.frames_of(str(clip), segment)] == times


def test_a_video_that_is_none_is_a_row(tmp_path: Path, inline: Inline) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert run(tmp_path / "a.mp4", tmp_path / "out", OPTIONS).counts == (1, 0, 0, 1)


def rows_of(*tracks: tuple[float, int, float]) -> Any:
    """Return rows of a segment: time, track and left border of a box each."""
    import pyarrow

    box = {"y1": 0.0, "x2": 0.0, "y2": 10.0}
    rows = [
        {"timestamp": time, "track": track, "bbox": {"x1": x, **box, "x2": x + 10}, "error": None}
        for time, track, x in tracks
    ]
    corners = pyarrow.struct([(name, pyarrow.float32()) for name in ("x1", "y1", "x2", "y2")])
    return pyarrow.Table.from_pylist(
        rows,
        pyarrow.schema(
            [
                ("timestamp", pyarrow.float64()),
                ("track", pyarrow.int64()),
                ("bbox", corners),
                ("error", pyarrow.string()),
            ]
        ),
    )


@pytest.mark.usefixtures("short")
def test_tracks_go_on_where_their_boxes_meet() -> None:
    first = rows_of((1.9, 1, 0), (1.9, 2, 50), (2.0, 1, 0), (2.0, 2, 50))
    second = rows_of((2.0, 1, 50), (2.0, 2, 0), (2.6, 1, 50), (2.6, 2, 0), (3.0, 3, 90))
    joined = seams.join([first, second], 2.0).select(["timestamp", "track"]).to_pylist()
    assert [(row["timestamp"], row["track"]) for row in joined] == [
        *((1.9, 1), (1.9, 2), (2.0, 1), (2.0, 2)),
        *((2.6, 2), (2.6, 1), (3.0, 3)),
    ]
