from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Command

from faceattr import detect
from faceattr.errors import SinkError
from faceattr.images import load_image
from faceattr.streaming.sinks import JsonLinesSink
from faceattr.streaming.sources import VideoFile
from faceattr.types import Face, Frame


def test_a_video_becomes_tables_a_copy_and_a_picture(
    faceattr: Command, clip: Path, tmp_path: Path
) -> None:
    files = {name: tmp_path / name for name in ("a.mp4", "a.csv", "a.jsonl", "a.png")}
    save, table, lines, plot = files.values()
    done = faceattr("video", clip, "--save", save, "--csv", table, "--jsonl", lines, "--plot", plot)
    assert (done.status, done.stderr) == (0, "")
    assert "frames: 12 (0 dropped); faces: 1; runs: emotion 12" in done.stdout
    assert "happy" in done.stdout
    assert len(list(VideoFile(save))) == 12
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [(row["frame"], row["track"]) for row in rows] == [(str(i), "1") for i in range(12)]
    assert [row["timestamp"] for row in rows[:3]] == ["0.0", "0.1", "0.2"]
    last = json.loads(lines.read_text().splitlines()[-1])
    assert last["faces"][0]["attributes"]["emotion"]["label"] == "happy"
    assert load_image(plot).std() > 10


def test_flags_say_what_is_drawn_on_a_video(faceattr: Command, clip: Path, tmp_path: Path) -> None:
    plain, hidden, recorded = (tmp_path / name for name in ("a.avi", "b.avi", "c.avi"))
    flags = ["--blur", "--no-labels"]
    assert faceattr("video", clip, "--save", plain).status == 0
    assert faceattr("video", clip, "--save", hidden, *flags).status == 0
    assert faceattr("stream", clip, "--no-display", "--record", recorded, *flags).status == 0
    images = [next(iter(VideoFile(path))).image for path in (plain, hidden, recorded)]
    assert [len(detect(image)) for image in images] == [1, 0, 0]
    np.testing.assert_array_equal(images[1], images[2])


def test_labels_of_a_video_can_be_grouped_and_left_out_where_unsure(
    faceattr: Command, clip: Path, tmp_path: Path
) -> None:
    table = tmp_path / "a.csv"
    options = ["--labels", "good=happy+surprise,bad=sad+fear", "--min-confidence", "1"]
    assert "uncertain" in faceattr("video", clip, *options, "--csv", table).stdout
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert len(rows) == 12
    assert all(row["emotion"] == "" and float(row["emotion_good"]) > 0.9 for row in rows)


def test_json_lines_of_a_video_can_hold_a_face_each(
    faceattr: Command, clip: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "a.jsonl"
    faceattr("video", clip, "--jsonl", lines, "--per-face", "--max-frames", 3)
    faces = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(face["frame"], face["track_id"]) for face in faces] == [(0, 1), (1, 1), (2, 1)]


def test_a_stream_needs_no_window(faceattr: Command, clip: Path, tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    options = ["--no-display", "--max-frames", "7", "--refresh", "emotion=2"]
    options += ["--detect-every", "auto", "--labels", "happy,sad"]
    done = faceattr("stream", clip, *options, "--jsonl", lines)
    assert (done.status, done.stderr) == (0, "")
    assert "frames: 7 (0 dropped); faces: 1; runs: emotion 1" in done.stdout
    faces = [json.loads(line)["faces"][0] for line in lines.read_text().splitlines()]
    assert [bool(face["attributes"]) for face in faces] == [False] * 4 + [True] * 3
    assert faces[-1]["frozen"]["emotion"] == pytest.approx(1.8)
    assert list(faces[-1]["attributes"]["emotion"]["scores"]) == ["happy", "sad", "other"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stream", "99"], "camera 99 cannot be opened"),
        (["stream", "rtsp://[x", "--no-display"], "not a video or stream"),
        (["video", "CLIP", "--save", "CLIP", "--overwrite"], "this is an input of the run"),
        (["video", "CLIP", "--csv", "a.csv", "--jsonl", "a.csv"], "writes two results there"),
        (["stream", "CLIP", "--refresh", "age"], "write it like age=2"),
        (["stream", "CLIP"], "no window can be opened"),
        (["stream", "CLIP", "--detect-every", "0"], "detect_every is 0; it must be at least 1"),
        (["video", "CLIP", "--labels", "hapy,sad"], "did you mean 'happy'"),
        (["video", "CLIP", "--plot", "a.nope"], "a.nope: the name of a picture ends in"),
        (["video", "CLIP", "--blur"], "there is no annotated video without --save FILE"),
        (["video", "CLIP", "--save", "a.gif"], "a.gif: the name of a video ends in"),
    ],
)
def test_what_cannot_be_streamed_is_one_line(
    faceattr: Command,
    clip: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    done = faceattr(*(str(clip) if word == "CLIP" else word for word in arguments))
    is_wrong_value = any(word in arguments for word in ("--refresh", "--detect-every", "--labels"))
    assert done.status == (2 if is_wrong_value else 1)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_sink_that_fails_leaves_the_table_of_what_was_seen(
    faceattr: Command, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = JsonLinesSink.write

    def fill_up(sink: JsonLinesSink, frame: Frame, faces: Sequence[Face]) -> None:
        if frame.index == 3:
            raise SinkError("a.jsonl: cannot be written: No space left on device")
        write(sink, frame, faces)

    monkeypatch.setattr(JsonLinesSink, "write", fill_up)
    done = faceattr("video", clip, "--jsonl", tmp_path / "a.jsonl")
    assert done.status == 1
    assert done.stderr.endswith("No space left on device; 4 frames are done\n")
    assert "frames: 4 (0 dropped)" in done.stdout
    assert "happy" in done.stdout
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
