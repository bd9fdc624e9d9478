from __future__ import annotations

import csv
import io
import json
import resource
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import frames, scene

from faceattr.errors import ImageError, MissingDependencyError, SinkError
from faceattr.images import load_image
from faceattr.pipeline import ImageResult
from faceattr.streaming import sinks as module
from faceattr.streaming.sinks import (
    CallbackSink,
    CsvSink,
    FrameRate,
    JsonLinesSink,
    ParquetSink,
    PictureFolder,
    Sink,
    TrackTable,
    VideoSink,
    WindowSink,
    flatten,
    to_json,
    write_csv,
)
from faceattr.streaming.sources import VideoFile
from faceattr.types import Classification, Estimate, Face, Frame

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


TRACKED = Face((1, 2, 30, 40), 0.5, track_id=3, frozen={"age": 2.5})
KNOWN = Face((1, 2, 30, 40), 0.5, attributes=FACE.attributes, track_id=4)
FRAMES = frames([scene((step, 10)) for step in range(20)])


def write_all(sink: Sink, faces: Sequence[Face], count: int = 20) -> None:
    with sink:
        for frame in FRAMES[:count]:
            sink.write(frame, faces)


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """No file can grow larger, which fails like a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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


def test_a_table_grows_wider_when_an_attribute_is_read_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with CsvSink(path) as sink:
        sink.write(FRAMES[0], [])
        assert path.read_bytes() == b"frame,timestamp,track,x1,y1,x2,y2,confidence\r\n"
        sink.write(FRAMES[1], [TRACKED])
        sink.write(FRAMES[2], [TRACKED, KNOWN])
    first, second, third = csv.DictReader(io.StringIO(path.read_text()))
    assert [first["frame"], second["frame"], third["track"]] == ["1", "2", "4"]
    assert [first["age"], second["age"], third["age"]] == ["", "", "30.12"]
    assert third["emotion"] == "happy"
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_full_disk_leaves_the_table_as_it_was_before_it_grew_wider(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with CsvSink(path) as sink:
        sink.write(FRAMES[0], [TRACKED])
        before = path.read_text()
        with full_disk(len(before)), pytest.raises(SinkError, match="cannot be written"):
            sink.write(FRAMES[1], [KNOWN])
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


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
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    with ParquetSink(tmp_path / "a.parquet") as sink:
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


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv", "mov"])
def test_a_video_has_a_drawn_frame_for_each(tmp_path: Path, ending: str) -> None:
    write_all(VideoSink(tmp_path / f"a.{ending}", fps=10), [KNOWN])
    found = list(VideoFile(tmp_path / f"a.{ending}"))
    assert len(found) == 20
    assert found[0].image.shape == (120, 160, 3)
    assert (found[0].image[45:80, 5:60] > 100).any()  # the plate under the face


def test_a_video_plays_at_the_speed_of_the_timestamps(tmp_path: Path) -> None:
    times = [100.0, 100.1, 100.2, 100.21, 100.22, 100.7]
    with VideoSink(tmp_path / "a.mp4", fps=10) as sink:
        for index, time in enumerate(times):
            sink.write(Frame(scene((20 * index, 10)), index, time), [])
    found = list(VideoFile(tmp_path / "a.mp4"))
    left = [int(np.flatnonzero(frame.image[20, :, 0] > 128)[0]) // 20 for frame in found]
    assert left == [0, 1, 2, 5, 5, 5, 5, 5]


def test_a_video_keeps_its_size(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=10) as sink:
        sink.write(FRAMES[0], [])
        sink.write(Frame(scene((0, 0), size=(240, 200)), 1, 0.1), [])
    assert [frame.image.shape for frame in VideoFile(tmp_path / "a.mp4")] == [(120, 160, 3)] * 2


def test_a_video_stops_before_the_disk_is_full_and_stays_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    with VideoSink(tmp_path / "a.mp4", fps=10) as sink:
        for frame in FRAMES[:10]:
            sink.write(frame, [])
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=7_000_000))
        with pytest.raises(SinkError, match=r"a\.mp4: the disk is full but for 7 MB"):
            sink.write(FRAMES[10], [])
    assert len(list(VideoFile(tmp_path / "a.mp4"))) == 10


@pytest.mark.parametrize(
    ("name", "message"), [("a.gif", "ends in .avi, .mkv, .mov, .mp4"), ("no/a.mp4", "No such file")]
)
def test_a_video_that_cannot_be_written_is_an_error(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(SinkError, match=message):
        write_all(VideoSink(tmp_path / name), [])


def test_a_video_of_nothing_is_no_error(tmp_path: Path) -> None:
    write_all(VideoSink(tmp_path / "a.mp4"), [], count=0)


def test_a_callback_gets_frames_and_faces() -> None:
    got: list[tuple[Frame, Sequence[Face]]] = []
    write_all(CallbackSink(lambda *arguments: got.append(arguments)), [TRACKED], count=2)
    assert got == [(FRAMES[0], [TRACKED]), (FRAMES[1], [TRACKED])]


def test_a_callback_that_fails_is_named() -> None:
    def divide(frame: Frame, faces: Sequence[Face]) -> float:
        return 1 / len(faces)

    with pytest.raises(SinkError, match="divide failed: ZeroDivisionError"):
        write_all(CallbackSink(divide), [])


def test_each_track_is_summed_up() -> None:
    table = TrackTable()
    with table:
        table.write(FRAMES[0], [KNOWN])
        table.write(FRAMES[5], [KNOWN, TRACKED])
        table.write(FRAMES[9], [KNOWN])
    assert table.presence == {4: (0.0, 0.9, 3), 3: (0.5, 0.5, 1)}
    assert table.attributes == {4: FACE.attributes, 3: {}}


def test_the_rate_of_frames_is_that_of_late() -> None:
    times = iter([0.0, *np.arange(10.0, 13.0, 0.1), 13.5])
    rate = FrameRate(clock=lambda: next(times))
    rates = [rate.fps]
    for frame in (FRAMES * 2)[:32]:
        rate.write(frame, [])
        rates.append(rate.fps)
    assert rates[:3] == [0.0, 0.0, 0.1]
    assert rates[31:] == pytest.approx([10.0, 29 / 3.4])


class FakeScreen:
    """Stands in for OpenCV's windows; keys are pressed in turn, then the window is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: str = "") -> None:
        self.shown: list[np.ndarray] = []
        self._keys = iter(keys)
        self._is_open = True
        monkeypatch.setattr(module, "_require_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda _, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", self._press)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: float(self._is_open))
        monkeypatch.setattr(cv2, "destroyWindow", lambda _: None)

    def _press(self, _: int) -> int:
        key = next(self._keys, None)
        self._is_open = key is not None
        return -1 if key in (".", None) else ord(key)


def test_a_window_shows_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch, "..")
    write_all(WindowSink(status=lambda: "25 fps"), [KNOWN], count=2)
    assert len(screen.shown) == 2
    assert screen.shown[0][:20, :80].max() == 255  # the status
    assert not np.array_equal(screen.shown[0], FRAMES[0].image)


@pytest.mark.parametrize("keys", ["..q", "..", "  .q", " q"])
def test_q_or_a_closed_window_ends_the_stream(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    FakeScreen(monkeypatch, keys)
    with WindowSink() as window:
        for frame in FRAMES[:3]:
            window.write(frame, [])
        assert window.done


def test_space_pauses_until_the_next_space(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeScreen(monkeypatch, ". .....  .")
    write_all(WindowSink(), [], count=4)
    assert len(screen.shown) == 4
    assert next(screen._keys, None) is None


def test_s_saves_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FakeScreen(monkeypatch, ".s.")
    write_all(WindowSink(snapshots=tmp_path), [KNOWN], count=3)
    (path,) = tmp_path.iterdir()
    assert path.name == "faceattr-000001.png"
    assert load_image(path).shape == FRAMES[1].image.shape


def test_without_a_display_a_window_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match="no window can be opened"):
        WindowSink()
