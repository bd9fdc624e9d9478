"""A run writes each picture's rows once, whatever happens on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from batch_runs import OPTIONS, BrightnessDetector, Inline, read_rows, write_picture

from faceattr.batch import Counts, Progress, run
from faceattr.batch.engines import Killed
from faceattr.batch.storage import StorageError
from faceattr.errors import ImageError, OptionError, PluginError, SinkError
from faceattr.options import PipelineOptions

pytest.importorskip("pyarrow")

ALL = Counts(pictures=9, faces=7, empty=1, failed=1)


def test_every_picture_has_a_row(folder: Path, tmp_path: Path, inline: Inline) -> None:
    summary = run(folder, tmp_path / "out", OPTIONS, chunk_size=4)
    assert (summary.counts, summary.chunks, summary.errors) == (ALL, 3, ())
    rows = read_rows(tmp_path / "out")
    assert [os.path.relpath(row["key"], folder) for row in rows] == [
        *(f"{index}.png" for index in range(7)),
        os.path.join("more", "black.png"),
        os.path.join("more", "broken.jpg"),
    ]
    assert rows[0]["bbox"] == {"x1": 0, "y1": 0, "x2": 10, "y2": 8}
    assert (rows[0]["width"], rows[0]["height"], rows[0]["face"]) == (10, 8, 0)
    assert rows[0]["confidence"] == pytest.approx(100 / 255)
    assert (rows[7]["width"], rows[7]["face"], rows[7]["error"]) == (10, None, None)
    assert "broken.jpg" in rows[8]["error"]
    success = json.loads((tmp_path / "out" / "_SUCCESS.json").read_text())
    assert {name: success[name] for name in ALL._fields} == ALL._asdict()


def test_a_second_call_does_nothing_again(folder: Path, tmp_path: Path, inline: Inline) -> None:
    run(folder, tmp_path / "out", OPTIONS, chunk_size=4)
    summary = run(folder, tmp_path / "out", OPTIONS, chunk_size=4)
    assert (summary.counts, summary.new, inline.num_done) == (ALL, 0, 3)


def test_a_run_goes_on_where_it_was_interrupted(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.chunks == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out", OPTIONS, chunk_size=2, on_progress=interrupt)
    assert not (tmp_path / "out" / "_SUCCESS.json").exists()
    assert run(folder, tmp_path / "out", OPTIONS, chunk_size=2).new == 3
    run(folder, tmp_path / "whole", OPTIONS, chunk_size=2)
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "whole")


def test_shares_make_up_the_whole(folder: Path, tmp_path: Path, inline: Inline) -> None:
    for share in ("1/2", "2/2"):
        run(folder, tmp_path / "out", OPTIONS, chunk_size=2, chunk=share)
    assert not (tmp_path / "out" / "_SUCCESS.json").exists()
    summary = run(folder, tmp_path / "out", OPTIONS, chunk_size=2)
    assert (summary.counts, summary.new) == (ALL, 0)
    assert (tmp_path / "out" / "_SUCCESS.json").exists()


def test_a_chunk_whose_process_is_killed_is_done_again(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    kills = iter(range(2))
    inline.fate = lambda chunk: Killed() if next(kills, None) is not None else None
    assert run(folder, tmp_path / "out", OPTIONS).counts == ALL
    assert [chunk.apart for chunk in inline.engines[0].done] == [False]


def test_a_chunk_that_was_killed_three_times_is_taken_apart(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    inline.fate = lambda chunk: None if chunk.apart else Killed()
    run(write_picture(tmp_path / "a.png"), tmp_path / "out", OPTIONS)
    assert [chunk.apart for chunk in inline.engines[0].done] == [True]


def test_a_chunk_that_cannot_be_done_is_left_to_the_next_call(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    inline.fate = lambda chunk: StorageError("the disk is away") if len(chunk.id) else None
    summary = run(folder, tmp_path / "out", OPTIONS)
    assert (summary.errors, summary.chunks) == (("the disk is away",), 0)
    assert not (tmp_path / "out" / "_SUCCESS.json").exists()
    inline.fate = lambda _: None
    assert run(folder, tmp_path / "out", OPTIONS).counts == ALL


def test_an_error_that_all_would_meet_ends_the_run(
    folder: Path, tmp_path: Path, inline: Inline
) -> None:
    inline.fate = lambda _: PluginError("no such model")
    with pytest.raises(PluginError, match="no such model"):
        run(folder, tmp_path / "out", OPTIONS, chunk_size=1)


def test_a_run_of_failures_ends(folder: Path, tmp_path: Path, inline: Inline) -> None:
    for index in range(30):
        write_picture(folder / f"more-{index}.png")
    inline.fate = lambda _: StorageError("the disk is away")
    with pytest.raises(Exception, match="20 chunks failed in a row"):
        run(folder, tmp_path / "out", OPTIONS, chunk_size=1)


def test_parts_of_an_earlier_state_of_a_folder_are_deleted(
    folder: Path, tmp_path: Path, inline: Inline, caplog: pytest.LogCaptureFixture
) -> None:
    run(folder, tmp_path / "out", OPTIONS, chunk_size=4)
    write_picture(folder / "0-first.png")
    assert run(folder, tmp_path / "out", OPTIONS, chunk_size=4).counts.pictures == 10
    assert len({row["key"] for row in read_rows(tmp_path / "out")}) == 10
    assert len(read_rows(tmp_path / "out")) == 10
    assert "earlier state" in caplog.text


def test_a_folder_belongs_to_one_run(folder: Path, tmp_path: Path, inline: Inline) -> None:
    run(folder, tmp_path / "out", OPTIONS)
    other = PipelineOptions(actions=(), detector=BrightnessDetector(), max_faces=1)
    with pytest.raises(SinkError, match="max_faces None"):
        run(folder, tmp_path / "out", other)
    with pytest.raises(SinkError, match="inputs"):
        run(folder / "more", tmp_path / "out", OPTIONS)


def test_a_folder_with_other_files_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"holds 0\.png"):
        run(folder, folder, OPTIONS)


def test_nothing_to_do_is_an_error(tmp_path: Path, inline: Inline) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no pictures there"):
        run(tmp_path / "empty", tmp_path / "out", OPTIONS)


@pytest.mark.parametrize("share", ["0/2", "3/2", "a/b", "1", "1/"])
def test_a_share_that_is_none_is_refused(folder: Path, tmp_path: Path, share: str) -> None:
    with pytest.raises(OptionError, match="write it like 3/8"):
        run(folder, tmp_path / "out", OPTIONS, chunk=share)


def test_wrong_options_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="it can be 'local' or 'ray'"):
        run(folder, tmp_path / "out", OPTIONS, engine="cloud")
    with pytest.raises(OptionError, match="must be at least 1"):
        run(folder, tmp_path / "out", OPTIONS, workers=0)
    with pytest.raises(OptionError, match="add --engine ray"):
        run(folder, tmp_path / "out", OPTIONS, address="here:1")
