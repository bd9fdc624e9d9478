"""Pictures from a store of objects, and parts to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_runs import OPTIONS, Inline, write_picture, write_shard

from faceattr.batch import run, storage
from faceattr.batch.schema import Row

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """URI of an empty bucket on a server in this process, with %s for what is in it."""
    moto = pytest.importorskip("moto.server", reason="needs moto: pip install 'moto[server]'")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        options = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        uri = f"s3://pictures/%s?{options}&allow_bucket_creation=true"
        storage.make_folder(uri % "")
        yield uri
    server.stop()


def copy(folder: Path, uri: str) -> None:
    """Copy the files below a folder to a store."""
    for path in folder.rglob("*"):
        if path.is_file():
            name = path.relative_to(folder.parent).as_posix()
            storage.write(uri % name, path.read_bytes())


def rows_in(uri: str) -> list[Row]:
    """Return the rows of all parts in a folder of a store, sorted by key."""
    arrow = storage.import_arrow()
    rows: list[Row] = []
    for entry in storage.entries(uri):
        if entry.name.startswith("part-"):
            system, inside = storage.locate(entry.path)
            rows += arrow.parquet.read_table(inside, filesystem=system).to_pylist()
    return sorted(rows, key=lambda row: str(row["key"]))


def test_a_run_reads_from_s3_and_writes_to_it(
    folder: Path, tmp_path: Path, bucket: str, inline: Inline
) -> None:
    copy(folder, bucket)
    summary = run(bucket % "pictures", bucket % "out", OPTIONS, chunk_size=4)
    assert (summary.counts, summary.errors) == ((9, 7, 1, 1), ())
    rows = rows_in(bucket % "out")
    assert [row["key"].partition("?")[0] for row in rows][:2] == [
        "s3://pictures/pictures/0.png",
        "s3://pictures/pictures/1.png",
    ]
    assert len(rows) == 9
    assert storage.exists(bucket % "out/_SUCCESS.json")
    assert run(bucket % "pictures", bucket % "out", OPTIONS, chunk_size=4).new == 0


def test_globs_lists_and_tar_files_may_be_on_s3(
    tmp_path: Path, bucket: str, clip: Path, inline: Inline
) -> None:
    picture = write_picture(tmp_path / "a.png")
    shard = write_shard(tmp_path / "b.tar", picture)
    for path in (picture, shard, clip):
        storage.write(bucket % f"in/{path.name}", path.read_bytes())
    missing = bucket % "in/missing.png"
    storage.write(bucket % "list.txt", f"{bucket % 'in/a.png'}\n{missing}".encode())
    inputs = [bucket % "in/*.tar", bucket % "list.txt", bucket % "in/clip.mp4"]
    summary = run(inputs, str(tmp_path / "out"), OPTIONS)
    assert summary.counts == (1 + 2 + 60, 1 + 1 + 60, 0, 1)
    assert not summary.errors
