"""Inputs become the same chunks in every run, and their list is never kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_runs import OPTIONS

from faceattr.batch import plan, storage
from faceattr.batch.plan import Job, Pictures, Shard, Video, list_chunks, list_names
from faceattr.errors import OptionError
from faceattr.options import PipelineOptions

pytest.importorskip("pyarrow")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with folders, a link in a circle, a hidden file and one that is no picture."""
    pictures = ("b/2.png", "b/10.png", "a/deep/x.jpg", "c.PNG", ".hidden.png")
    for name in (*pictures, "notes.md", "s.tar"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).touch()
    (tmp_path / "tree" / "b" / "circle").symlink_to(tmp_path / "tree")
    return tmp_path / "tree"


def names(tree: Path, *inputs: str) -> list[str]:
    """Return what inputs name, relative to a folder."""
    return [os.path.relpath(name, tree) for name in list_names(inputs)]


def test_a_folder_is_searched_in_order(tree: Path) -> None:
    assert names(tree, str(tree)) == ["a/deep/x.jpg", "b/10.png", "b/2.png", "c.PNG", "s.tar"]
    assert names(tree, f"file://{tree}/b")[0].endswith("b/10.png")


def test_a_glob_looks_into_no_folder_in_vain(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(tree, f"{tree}/*") == ["c.PNG", "s.tar"]
    assert names(tree, f"{tree}/**/*.png") == ["b/10.png", "b/2.png"]
    assert names(tree, f"{tree}/**/x.jpg") == ["a/deep/x.jpg"]
    looked: list[str] = []
    entries = storage.entries

    def look(folder: str) -> Iterator[Any]:
        looked.append(os.path.basename(folder))
        return entries(folder)

    monkeypatch.setattr(storage, "entries", look)
    assert names(tree, f"{tree}/b/*.png") == ["b/10.png", "b/2.png"]
    assert looked == ["b"]


@pytest.mark.parametrize("name", ["list.txt", "@list"])
def test_a_text_names_a_picture_per_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "BLOCK", 5)
    Path(name.strip("@")).write_bytes(
        b"\xef\xbb\xbf# pictures\r\nb.png\r\n\ns3://x/a.png\nlast.png"
    )
    expected = [str(tmp_path / "b.png"), "s3://x/a.png", str(tmp_path / "last.png")]
    assert list(list_names([name])) == expected


@pytest.mark.parametrize("column", ["path", "image"])
def test_a_table_names_a_picture_per_row(tmp_path: Path, column: str) -> None:
    import pyarrow.parquet

    table = pyarrow.table({"number": [1, 2], column: ["/b.png", "s3://x/a.png"]})
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    assert list(list_names([f"{tmp_path}/list.parquet"])) == ["/b.png", "s3://x/a.png"]
    assert list(list_names([f"{tmp_path}/*.parquet"])) == ["/b.png", "s3://x/a.png"]


def test_a_list_that_is_none_is_an_error(tmp_path: Path) -> None:
    import pyarrow.parquet

    (tmp_path / "a.txt").write_bytes(b"\0")
    with pytest.raises(OptionError, match="not a list"):
        list(list_names([f"{tmp_path}/a.txt"]))
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(OptionError, match="not a Parquet table"):
        list(list_names([f"{tmp_path}/a.parquet"]))
    table = pyarrow.table({"one": ["a"], "two": ["b"]})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    with pytest.raises(OptionError, match="which column names the pictures"):
        list(list_names([f"{tmp_path}/b.parquet"]))
    with pytest.raises(OptionError, match="no such file or folder"):
        list(list_names([f"{tmp_path}/missing"]))
    with pytest.raises(OptionError, match="the list cannot be read"):
        list(list_names([f"@{tmp_path}/missing"]))


def test_chunks_are_the_same_for_the_same_pictures_and_options(tree: Path, tmp_path: Path) -> None:
    def ids(job: Job, size: int = 2) -> list[str]:
        return [chunk.id for chunk in list_chunks([str(tree)], job, size=size)]

    job = Job("out", OPTIONS)
    assert ids(job) == ids(Job("elsewhere", OPTIONS))
    assert not set(ids(job)) & set(ids(Job("out", replace(OPTIONS, max_faces=1))))
    works = [chunk.work for chunk in list_chunks([str(tree)], job, size=3)]
    assert [len(work.names) if isinstance(work, Pictures) else work for work in works] == [
        *(3, 1),
        Shard(str(tree / "s.tar")),
    ]


def test_a_list_is_read_as_far_as_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def endless(_inputs: object) -> Iterator[str]:
        for index in range(10**9):
            read.append(index)
            yield f"{index}.png"

    monkeypatch.setattr(plan, "list_names", endless)
    next(list_chunks([], Job("out", OPTIONS), size=100))
    assert len(read) == 100


def test_a_video_waits_for_its_segments(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SEGMENT", 2.0)
    (chunk,) = list_chunks([str(clip)], Job("out", PipelineOptions(actions=())), size=10)
    assert isinstance(chunk.work, Video)
    assert chunk.work.segments == tuple(one.id for one in chunk.after)
    assert len(chunk.after) == 3
