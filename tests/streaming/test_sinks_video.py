"""Videos without an ffmpeg: MPEG-4 and JPEG by OpenCV, in containers of our own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
from disks import full_disk
from faces import FRAMES, KNOWN, write_all
from scenes import frames, scene

from faceattr.errors import OptionError, SinkError
from faceattr.outputs import AppendFile
from faceattr.streaming.sinks import Sink, VideoSink, containers, video
from faceattr.streaming.sources import VideoFile
from faceattr.types import BGRImage, Frame


@pytest.fixture(autouse=True)
def _no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "find_ffmpeg", lambda: None)


def record(sink: VideoSink, images: Sequence[BGRImage]) -> None:
    with sink:
        for frame in frames(images, fps=25.0):
            sink.write(frame, [])


def noise(seed: int) -> BGRImage:
    small = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    return np.asarray(cv2.resize(small, (160, 120)), np.uint8)


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


def count_frames(path: Path) -> int:
    return sum(1 for _ in VideoFile(path))


def write_at(sink: Sink, times: Sequence[float]) -> None:
    with sink:
        for index, time in enumerate(times):
            sink.write(Frame(scene((index % 100, 10)), index, time), [])


def test_a_jump_of_timestamps_becomes_a_short_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_at(VideoSink(tmp_path / "a.mp4", fps=10), [0, 0.1, 86_400, 86_400.1, 86_400.2])
    assert count_frames(tmp_path / "a.mp4") == 2 + 50 + 2
    assert "timestamps jump by 86399.9 s at frame 2" in caplog.text


def test_a_slide_show_is_no_jump(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_at(VideoSink(tmp_path / "a.mp4", fps=0.1), [0, 10, 20, 40])
    assert count_frames(tmp_path / "a.mp4") == 5
    assert not caplog.text


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (121, 161), (2, 900)])
def test_a_video_has_frames_of_any_size(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    path = tmp_path / f"a.{ending}"
    record(VideoSink(path), [np.full((*size, 3), 200, np.uint8)] * 30)
    found = list(VideoFile(path))
    assert len(found) == 30
    height, width = found[0].image.shape[:2]
    assert abs(height - size[0]) <= 1
    assert abs(width - size[1]) <= 1
    assert found[-1].image.mean() == pytest.approx(200, abs=3)


def test_ctrl_c_while_a_video_is_written_leaves_it_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    write, calls = AppendFile._write, count()

    def interrupted(file: AppendFile, data: bytes) -> None:
        write(file, data)
        if next(calls) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(AppendFile, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_at(VideoSink(path, fps=10), [index / 10 for index in range(99)])
    assert count_frames(path) >= 1


def test_a_clock_that_is_set_back_stops_no_video(tmp_path: Path) -> None:
    write_at(VideoSink(tmp_path / "a.mp4", fps=10), [1000, 1000.1, 5, 5.1, 5.2])
    assert count_frames(tmp_path / "a.mp4") == 5


@pytest.mark.parametrize(
    ("claimed", "real", "expected"), [(1000, 30, 30), (90, 30, 30), (240, 240, 240), (50, 25, 50)]
)
def test_a_high_frame_rate_is_measured(
    tmp_path: Path, claimed: float, real: float, expected: float
) -> None:
    times = [index / real for index in range(40)]
    write_at(VideoSink(tmp_path / "a.mp4", fps=claimed), times)
    source = VideoFile(tmp_path / "a.mp4")
    assert source.fps == pytest.approx(expected)
    assert len(list(source)) == pytest.approx(40 * expected / real, abs=1)


def test_a_high_frame_rate_of_a_few_frames_is_measured(tmp_path: Path) -> None:
    write_at(VideoSink(tmp_path / "a.mp4", fps=1000), [0, 0.04, 0.08])
    assert count_frames(tmp_path / "a.mp4") == 3
    write_at(VideoSink(tmp_path / "b.mp4", fps=1000), [0])
    assert count_frames(tmp_path / "b.mp4") == 1
    write_at(VideoSink(tmp_path / "c.mp4", fps=1000), [0.0] * 20)  # no times at all
    assert count_frames(tmp_path / "c.mp4") == 1


@pytest.mark.parametrize("fps", [0.5, 14.985, 29.97, 59.94])
@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_a_video_has_any_frame_rate(tmp_path: Path, ending: str, fps: float) -> None:
    path = tmp_path / f"a.{ending}"
    write_at(VideoSink(path, fps=fps), [index / fps for index in range(40)])
    found = list(VideoFile(path))
    assert len(found) == 40
    assert found[-1].timestamp == pytest.approx(39 / fps, rel=1e-3)


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_a_frame_rate_is_a_number_above_zero(tmp_path: Path, fps: float) -> None:
    with pytest.raises(OptionError, match="must be above 0"):
        VideoSink(tmp_path / "a.mp4", fps=fps)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi"])
def test_a_video_can_be_read_while_it_grows(tmp_path: Path, ending: str) -> None:
    path, copy = tmp_path / f"a.{ending}", tmp_path / f"copy.{ending}"
    with VideoSink(path, fps=10) as sink:
        for index in range(45):
            sink.write(Frame(scene((index, 10)), index, index / 10), [])
            copy.write_bytes(path.read_bytes())
            assert index - 10 < count_frames(copy) <= index + 1
    assert count_frames(path) == 45
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 45
    capture.set(cv2.CAP_PROP_POS_FRAMES, 33)  # the index at the end makes it possible
    assert int(np.flatnonzero(capture.read()[1][20, :, 0] > 128)[0]) == pytest.approx(33, abs=2)


def test_a_large_avi_file_has_several_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MAX_RIFF", 20_000)
    write_at(VideoSink(tmp_path / "a.avi", fps=10), [index / 10 for index in range(60)])
    assert (tmp_path / "a.avi").read_bytes().count(b"AVIX") >= 2
    assert count_frames(tmp_path / "a.avi") == 60


KILLED = """
import sys
import numpy as np
from faceattr.streaming.sinks import CsvSink, JsonLinesSink, VideoSink, video
from faceattr.types import Face, Frame

video.find_ffmpeg = lambda: None
sinks = [VideoSink(sys.argv[1]), CsvSink("a.csv", columns=()), JsonLinesSink("a.jsonl")]
for index in range(100_000):
    frame = Frame(np.full((120, 160, 3), index % 256, np.uint8), index, index / 25)
    for sink in sinks:
        sink.write(frame, [Face((1, 2, 30, 40), 0.5, track_id=1)])
    print(index + 1, flush=True)
"""


@pytest.mark.parametrize("num_frames", [1, 2, 30, 77])
@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_a_process_that_is_killed_leaves_readable_files(
    tmp_path: Path, ending: str, num_frames: int
) -> None:
    command = [sys.executable, "-c", KILLED, f"a.{ending}"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < num_frames:
            pass
        process.kill()
        written = max([num_frames, *map(int, process.stdout.read().split())])
    assert max(1, written - 25) <= count_frames(tmp_path / f"a.{ending}") <= written + 1
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert {row.count(",") for row in rows} == {7}
    assert min(len(lines), len(rows) - 1) >= written - 1


def test_a_video_keeps_its_size(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=10) as sink:
        sink.write(FRAMES[0], [])
        sink.write(Frame(scene((0, 0), size=(240, 200)), 1, 0.1), [])
    assert [frame.image.shape for frame in VideoFile(tmp_path / "a.mp4")] == [(120, 160, 3)] * 2


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv", "mov"])
def test_a_video_on_a_full_disk_stays_readable(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    message = rf"a\.{ending}: cannot be written: File too large"
    with full_disk(200_000), pytest.raises(SinkError, match=message):
        record(VideoSink(path), [noise(index) for index in range(200)])
    assert 50_000 < path.stat().st_size <= 200_000
    assert len(list(VideoFile(path))) >= 20


@pytest.mark.parametrize(
    ("name", "message"), [("a.gif", "ends in .avi, .mkv, .mov, .mp4"), ("no/a.mp4", "No such file")]
)
def test_a_video_that_cannot_be_written_is_an_error(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(SinkError, match=message):
        write_all(VideoSink(tmp_path / name), [])


def test_an_opencv_without_ffmpeg_is_an_error_that_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    monkeypatch.setattr(cv2, "CAP_FFMPEG", cv2.CAP_IMAGES)
    with pytest.raises(SinkError, match=r"cannot write MPEG-4: .* write \.avi instead"):
        write_all(VideoSink(tmp_path / "a.mp4"), [])
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


def test_a_video_can_be_closed_twice(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4", fps=10)
    write_all(sink, [KNOWN])
    size = (tmp_path / "a.mp4").stat().st_size
    sink.close()
    assert (tmp_path / "a.mp4").stat().st_size == size


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "MPEG-4"), ("avi", "JPEG")])
def test_a_video_says_how_it_is_encoded(tmp_path: Path, ending: str, codec: str) -> None:
    assert VideoSink(tmp_path / f"a.{ending}").codec == codec


def test_a_video_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    write_all(VideoSink(tmp_path / "a.mp4"), [], count=0)
    assert list(tmp_path.iterdir()) == []
