from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from disks import full_disk, skipping_without_links
from scenes import frames, scene

from faceattr.errors import FaceattrError, OptionError, SinkError
from faceattr.images import load_image
from faceattr.outputs import AppendFile, Outputs, numbered
from faceattr.results import CsvTable, ImageResult, JsonLines, JsonList, PictureFolder, begin
from faceattr.streaming.analysis import LiveAnalysis, play
from faceattr.streaming.sinks import (
    CsvSink,
    JsonLinesSink,
    ParquetSink,
    Sink,
    TimelineSink,
    VideoSink,
)
from faceattr.streaming.sources import Pictures, VideoFile, open_source

SINKS: dict[str, Callable[..., Sink]] = {
    "a.csv": CsvSink,
    "a.jsonl": JsonLinesSink,
    "a.parquet": ParquetSink,
    "a.png": TimelineSink,
    "a.mp4": VideoSink,
    "a.avi": VideoSink,
    "a.mkv": VideoSink,
}
WRITERS: dict[str, Callable[..., CsvTable | JsonLines | JsonList]] = {
    "b.csv": lambda path, **options: CsvTable(path, columns=(), **options),
    "b.jsonl": JsonLines,
    "b.json": JsonList,
}
EVERYTHING = {**SINKS, **WRITERS}
SPELLINGS: dict[str, Callable[[Path], Path]] = {
    "same": lambda path: path,
    "dots": lambda path: path.parent / ".." / path.parent.name / "." / path.name,
    "symlink": lambda path: link(path, os.symlink),
    "hard link": lambda path: link(path, os.link),
    "folder link": lambda path: link_folder(path.parent) / path.name,
    "upper case": lambda path: path.with_name(path.name.upper()),
    "relative": lambda path: Path(os.path.relpath(path)),
}
IMAGE = np.full((30, 40, 3), 90, np.uint8)


def link(path: Path, make: Callable[[Path, Path], None]) -> Path:
    name = path.parent / f"link{path.suffix}"
    with skipping_without_links():
        make(path, name)
    return name


def link_folder(folder: Path) -> Path:
    name = folder / "again"
    with skipping_without_links():
        name.symlink_to(folder)
    return name


def needs(name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", EVERYTHING)
def test_no_output_is_an_input(tmp_path: Path, name: str, spelling: str) -> None:
    needs(name)
    path = tmp_path / name
    path.write_bytes(b"precious")
    output = SPELLINGS[spelling](path)
    for overwrite in (False, True):
        with pytest.raises(SinkError, match="this is an input of the run"):
            EVERYTHING[name](output, outputs=Outputs(inputs=[path], overwrite=overwrite))
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", EVERYTHING)
def test_no_output_is_another_output(tmp_path: Path, name: str, spelling: str) -> None:
    needs(name)
    path = tmp_path / name
    outputs = Outputs(overwrite=True)
    if spelling == "hard link":
        path.touch()
    outputs.file(path)
    with pytest.raises(SinkError, match="the run writes two results there"):
        EVERYTHING[name](SPELLINGS[spelling](path), outputs=outputs)


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_output_that_exists_is_replaced_only_if_that_is_asked_for(
    tmp_path: Path, name: str
) -> None:
    needs(name)
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(SinkError, match=r"exists already; .* --overwrite"):
        EVERYTHING[name](path, outputs=Outputs())
    assert path.read_bytes() == b"old"
    writer = EVERYTHING[name](path, outputs=Outputs(overwrite=True))
    assert path.read_bytes() == b"old"  # until something is written
    write(writer)
    assert not path.read_bytes().startswith(b"old")


def write(writer: Sink | CsvTable | JsonLines | JsonList) -> None:
    with writer:
        if isinstance(writer, Sink):
            writer.begin(())
            for frame in frames([scene((step, 10)) for step in range(5)]):
                writer.write(frame, [])
        else:
            writer.write(ImageResult("x.png", IMAGE))


@pytest.mark.parametrize("folder", [b"caf\xe9", b"12:30", b"100%d%s", "日本".encode(), b"long"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_files_have_any_name(tmp_path: Path, name: str, folder: bytes) -> None:
    needs(name)
    parent = tmp_path / os.fsdecode(folder)
    if folder == b"long":
        parent = Path(tmp_path, *("x" * 200 for _ in range(18)))
    try:
        parent.mkdir(parents=True)
    except OSError:
        pytest.skip("the file system has no such names")
    path = parent / (name if folder == b"long" else os.fsdecode(folder) + name)
    write(EVERYTHING[name](path, outputs=Outputs()))
    assert path.stat().st_size > 0
    assert list(parent.iterdir()) == [path]


@pytest.mark.parametrize("sink", SINKS)
def test_a_stream_never_writes_over_its_source(tmp_path: Path, sink: str) -> None:
    needs(sink)
    video = tmp_path / sink
    video.write_bytes(make_video(tmp_path / "film.mp4"))
    for spelling in ("same", "symlink", "hard link"):
        output = SPELLINGS[spelling](video)
        results = play(LiveAnalysis([], detector="whole"), VideoFile(video), [SINKS[sink](output)])
        with pytest.raises(SinkError, match="this is an input of the run"):
            next(results)
        if output != video:
            output.unlink()
    assert video.read_bytes() == (tmp_path / "film.mp4").read_bytes()


def make_video(path: Path) -> bytes:
    with VideoSink(path) as sink:
        for frame in frames([scene((step, 10)) for step in range(5)]):
            sink.write(frame, [])
    return path.read_bytes()


def test_a_stream_of_pictures_knows_its_files(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), IMAGE)
    for source in (
        open_source(tmp_path),
        open_source(str(tmp_path / "*.png")),
        open_source(tmp_path / "b.png"),
        Pictures([tmp_path / "a.png", tmp_path / "b.png"]),
    ):
        sink = TimelineSink(tmp_path / "b.png")
        with pytest.raises(SinkError, match=r"b\.png: this is an input"):
            next(play(LiveAnalysis([], detector="whole"), source, [sink]))
    assert load_image(tmp_path / "b.png").shape == IMAGE.shape


def test_two_sinks_of_a_stream_have_two_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    sinks = [CsvSink(path), JsonLinesSink(path)]
    with pytest.raises(SinkError, match="two results"):
        next(play(LiveAnalysis([], detector="whole"), Pictures([IMAGE] * 3), sinks))
    assert not path.exists()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_annotated_pictures_are_never_inputs(tmp_path: Path, spelling: str) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), IMAGE)
    before = path.read_bytes()
    source = str(SPELLINGS[spelling](path))
    for overwrite in (False, True):
        folder = PictureFolder(tmp_path, outputs=Outputs(inputs=[source], overwrite=overwrite))
        with pytest.raises(SinkError, match="this is an input of the run"):
            begin([folder], [str(tmp_path / "a.png")])
    assert path.read_bytes() == before


def test_annotated_pictures_do_not_replace_others(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(SinkError, match="exists already"):
        begin([PictureFolder(tmp_path, outputs=Outputs())], ["x/a.png"])
    folder = PictureFolder(tmp_path, outputs=Outputs(overwrite=True))
    begin([folder], ["x/a.png"])
    folder.write(ImageResult("x/a.png", IMAGE))
    assert load_image(tmp_path / "a.png").shape == (300, 400, 3)  # enlarged, as it is tiny


def test_inputs_that_are_no_paths_are_ignored(tmp_path: Path) -> None:
    inputs = ["https://localhost/a.png", "data:image/png;base64," + "A" * 9999, "a\0b", IMAGE, 7]
    assert Outputs(inputs=inputs).file(tmp_path / "a.png").path == tmp_path / "a.png"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "no" / "a", "No such file or directory"),
        (lambda path: path, "Is a directory"),
        (lambda path: path / "file" / "a", "Not a directory"),
        (lambda path: path / ("x" * 300), "File name too long"),
        (lambda path: path / "a\0b", "embedded null"),
    ],
)
def test_a_place_that_cannot_be_written_is_known_at_once(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=f"cannot be written: .*{message}"):
        Outputs().file(make(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_devices_and_pipes_are_written_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as file, JsonLines(f"/dev/fd/{writing}", outputs=Outputs()) as sink:
        sink.write(ImageResult("a.png"))
        os.close(writing)
        sink.close()
        assert file.read() == '{"source": "a.png", "width": 0, "height": 0, "faces": []}\n'
    with Outputs().file("/dev/null").replacing() as null:
        null.write(b"nothing")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_is_replaced_keeps_its_link_and_its_mode(tmp_path: Path) -> None:
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.txt").symlink_to(real)
    Outputs(overwrite=True).file(tmp_path / "link.txt").write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_half_a_file_never_has_the_final_name(tmp_path: Path) -> None:
    output = Outputs(overwrite=True).file(tmp_path / "a.txt")
    output.write_text("old")
    with full_disk(1000), pytest.raises(SinkError, match="File too large"):
        output.write_bytes(bytes(2000))
    with pytest.raises(KeyboardInterrupt), output.replacing():
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


@pytest.mark.parametrize("over", [b"", b"end"])
def test_a_piece_is_added_in_full_or_not_at_all(tmp_path: Path, over: bytes) -> None:
    file = AppendFile(tmp_path / "a")
    file.write("first, end")
    with full_disk(100), pytest.raises(SinkError, match="cannot be written: File too large"):
        file.write(bytes(200), over=over)
    assert (tmp_path / "a").read_text() == "first, end"
    file.write("second", over=b"end")
    file.patch(0, b"FIRST")
    file.write("!")
    file.close()
    assert (tmp_path / "a").read_text() == "FIRST, second!"


def test_what_a_killed_run_left_goes_when_it_is_resumed(tmp_path: Path) -> None:
    (tmp_path / ".faceattr-1234").touch()
    Outputs(resume=True).folder(tmp_path)
    assert not list(tmp_path.iterdir())


def test_overwrite_and_resume_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="exclude each other"):
        Outputs(overwrite=True, resume=True)


def test_a_number_is_added_before_the_suffix() -> None:
    names = numbered("a.png")
    assert [next(names) for _ in range(3)] == ["a.png", "a-2.png", "a-3.png"]


def test_every_refusal_is_an_error_of_ours(tmp_path: Path) -> None:
    assert issubclass(SinkError, FaceattrError)
    text = io.StringIO()
    with CsvTable(text, columns=()) as table:
        table.write(ImageResult("a.png"))
    assert text.getvalue().startswith("source,face,")  # an open stream is never refused


@pytest.mark.parametrize("path", [None, 3, b"a.csv", ["a.csv"]])
def test_a_path_of_a_wrong_type_is_refused(path: Any) -> None:
    with pytest.raises(SinkError, match="not the path of a file"):
        Outputs().file(path)
