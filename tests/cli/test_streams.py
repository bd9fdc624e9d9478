from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Command
from faces import FRAMES, KNOWN

from faceattr import analyze, detect
from faceattr.cli import streams
from faceattr.cli.streams import Status
from faceattr.errors import SinkError
from faceattr.images import load_image
from faceattr.results import encode_image
from faceattr.streaming import sources
from faceattr.streaming.sinks import CallbackSink, JsonLinesSink, VideoSink
from faceattr.streaming.sinks.tables import FACE_COLUMNS
from faceattr.streaming.sources import Source, VideoFile
from faceattr.types import Face, Frame

WRONG_VALUES = ("--refresh", "--detect-every", "--labels", "--blur")


def test_a_video_becomes_tables_a_copy_and_a_picture(
    faceattr: Command, clip: Path, tmp_path: Path
) -> None:
    files = {name: tmp_path / name for name in ("a.mp4", "a.csv", "a.jsonl", "a.png")}
    save, table, lines, plot = files.values()
    done = faceattr("video", clip, "--save", save, "--csv", table, "--jsonl", lines, "--plot", plot)
    assert done.status == 0
    assert re.search(r"#1 .* 0\.0–1\.1 s .* 12 .* happy 100% ", done.stdout)
    wrote = rf"wrote {lines}, {table}, {save} \(.+\) and {plot}"
    assert re.fullmatch(rf"faceattr: 12 frames, 1 face, \d+\.\d s; {wrote}\n", done.stderr)
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
    assert (done.status, done.stdout) == (0, "")
    assert "7 frames, 1 face, " in done.stderr
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
    is_wrong_value = any(word in arguments for word in WRONG_VALUES)
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
    message, summary = done.stderr.splitlines()
    assert message.endswith("No space left on device; 4 frames are done")
    assert summary.startswith("faceattr: 4 frames, 1 face, ")
    assert "happy" in done.stdout
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3


def test_a_face_seen_for_a_while_is_summed_up_in_shares_of_the_time(
    faceattr: Command, clip: Path
) -> None:
    done = faceattr("video", clip, "--actions", "emotion,age,gender")
    assert "shares of the time; medians ± spread" in done.stdout
    assert re.search(r"happy 100% .* \d\d ± \d+ years .* woman 100% ", done.stdout)


def test_a_picture_gives_what_analyze_gives(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    lines, actions = tmp_path / "a.jsonl", ["emotion", "age", "gender"]
    assert (
        faceattr("video", astronaut, "--actions", ",".join(actions), "--jsonl", lines).status == 0
    )
    (read,) = json.loads(lines.read_text())["faces"]
    (face,) = analyze(astronaut, actions)
    assert list(read["attributes"]) == actions
    assert read["attributes"] == json.loads(json.dumps(face.to_dict()))["attributes"]


def test_a_picture_is_described_without_shares(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("video", astronaut, "--actions", "emotion,age", "--min-confidence", "1")
    assert "shares" not in done.stdout
    assert re.search(r"uncertain .* \d\d years ", done.stdout)
    assert "±" not in done.stdout


def test_a_video_of_nobody_says_so(faceattr: Command, tmp_path: Path) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=10) as sink:
        for index in range(5):
            sink.write(Frame(np.zeros((90, 120, 3), np.uint8), index, index / 10), [])
    done = faceattr("video", tmp_path / "a.mp4", "--csv", tmp_path / "a.csv")
    assert (done.status, done.stdout) == (0, "frames: 5, faces: 0\n")
    assert done.stderr.startswith("faceattr: 5 frames, no face, ")
    (header,) = csv.reader(io.StringIO((tmp_path / "a.csv").read_text()))
    assert header[:9] == [*FACE_COLUMNS, "emotion"]


def test_an_empty_file_is_no_video(faceattr: Command, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    done = faceattr("video", tmp_path / "a.mp4", "--csv", tmp_path / "a.csv")
    assert (done.status, done.stderr) == (1, f"faceattr: {tmp_path / 'a.mp4'}: an empty file\n")
    assert not (tmp_path / "a.csv").exists()


def test_ctrl_c_ends_a_video_with_status_130_and_what_was_done(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    image = next(iter(VideoFile(clip))).image
    first = folder / "0000.jpg"
    first.write_bytes(encode_image(image, ".jpg"))
    for index in range(1, 3000):  # more than are read before the signal comes, on any machine
        (folder / f"{index:04}.jpg").hardlink_to(first)
    table, copy = tmp_path / "a.csv", tmp_path / "a.mp4"
    command = [sys.executable, "-m", "faceattr", "video", str(folder)]
    command += ["--csv", str(table), "--save", str(copy)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored in the background
    ) as process:
        while not table.exists() or len(table.read_text().splitlines()) < 20:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert "happy" in stdout
    interrupted, summary = stderr.splitlines()
    assert re.match(rf"faceattr: [\d,]+ frames, 1 face, .* s; wrote {table} and {copy} ", summary)
    assert re.fullmatch(r"faceattr: interrupted after [\d,]+ of 3,000 frames", interrupted)
    number = int(summary.split()[1].replace(",", ""))
    assert len(list(VideoFile(copy))) == pytest.approx(number, abs=1)
    assert len(table.read_text().splitlines()) - 1 == pytest.approx(number, abs=1)


@pytest.mark.parametrize(
    ("refresh", "text"),
    [
        ({"emotion": 0.0}, "emotion every frame"),
        ({"emotion": 0.0, "age": 1.0}, "emotion every frame, age once a second"),
        ({"age": 1.0, "gender": 1.0}, "age and gender once a second"),
        ({"age": 5.0, "a": 0.0, "b": 0.0, "c": 0.0}, "a, b and c every frame, age every 5 s"),
        ({}, ""),
    ],
)
def test_the_status_says_how_often_attributes_are_read(
    refresh: dict[str, float], text: str
) -> None:
    status = Status(refresh)
    status.write(FRAMES[0], [KNOWN, KNOWN])
    assert str(status) == " · ".join(filter(None, ["2 faces", text]))
    status.write(FRAMES[1], [KNOWN])
    assert re.fullmatch(r"\d+ frames/s · 1 face.*", str(status))


@pytest.mark.parametrize(("options", "is_paced"), [([], True), (["--no-display"], False)])
def test_a_window_plays_a_file_at_its_own_speed(
    faceattr: Command,
    clip: Path,
    options: list[str],
    is_paced: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[int] = []
    paced: list[Source] = []

    def pace(source: Source) -> Source:
        paced.append(source)
        return source

    window = CallbackSink(lambda frame, _: shown.append(frame.index))
    window.paces = True
    monkeypatch.setattr(streams, "WindowSink", lambda **_: window)
    monkeypatch.setattr(sources, "Paced", pace)
    assert faceattr("stream", clip, *options).status == 0
    assert bool(paced) == is_paced
    assert shown == (list(range(12)) if is_paced else [])
