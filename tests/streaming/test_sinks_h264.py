"""Needs an ffmpeg: pip install imageio-ffmpeg."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from browser import browsing, find_browser
from disks import full_disk
from numpy.typing import NDArray
from scenes import scene

from faceattr.errors import SinkError
from faceattr.streaming.sinks import VideoSink, ffmpeg
from faceattr.streaming.sources import VideoFile
from faceattr.types import BGRImage, Frame

FFMPEG = ffmpeg.find_ffmpeg() or ""
pytestmark = pytest.mark.skipif(not FFMPEG, reason="needs an ffmpeg with libx264")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL and no scripts")
RATE = 8000  # samples per second


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [FFMPEG, "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False)


def describe(path: Path) -> str:
    return run("-i", path).stderr.decode()


def tones(path: Path) -> list[int]:
    """Return the pitch of each twentieth of a second, in hundreds of Hz."""
    raw = run("-i", path, "-map", "0:a", "-f", "f32le", "-ac", "1", "-ar", f"{RATE}", "pipe:")
    samples: NDArray[np.float32] = np.frombuffer(raw.stdout, np.float32)
    parts = samples[: len(samples) // 400 * 400].reshape(-1, 400) * np.hanning(400)
    return [round(int(abs(np.fft.rfft(part, RATE)).argmax()) / 100) for part in parts]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of 25 frames per second; the sound goes up by 100 Hz each second, from 300 Hz."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", "aac")


def make_clip(path: Path, codec: str, early: float = 0.0) -> Path:
    """Make a video whose sound begins earlier than its frames."""
    sound = "aevalsrc='0.5*sin(2*PI*(300+100*floor(t))*t)':d=7:s=44100"
    inputs = ["-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=6", "-itsoffset", f"{-early}"]
    made = run(*inputs, "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-c:a", codec, path)
    assert not made.returncode, made.stderr.decode()
    return path


def copy(source: Path, target: Path, frames: slice = slice(None)) -> None:
    with VideoSink(target, fps=25, sound=source) as sink:
        for frame in list(VideoFile(source))[frames]:
            sink.write(frame, [])


def record(path: Path, images: list[BGRImage]) -> None:
    with VideoSink(path, fps=10) as sink:
        for index, image in enumerate(images):
            sink.write(Frame(image, index, index / 10), [])


def count_frames(path: Path) -> int:
    return sum(1 for _ in VideoFile(path))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_video_is_h264_that_browsers_play(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    record(path, [scene((step, 10)) for step in range(45)])
    assert "Video: h264" in describe(path)
    assert "yuv420p" in describe(path)
    found = list(VideoFile(path))
    left = [int(np.flatnonzero(frame.image[20, :, 0] > 128)[0]) for frame in found]
    assert left == pytest.approx(range(45), abs=2)
    assert found[-1].timestamp == pytest.approx(4.4)
    assert list(tmp_path.iterdir()) == [path]


def test_a_browser_plays_a_video(clip: Path, tmp_path: Path) -> None:
    browser = find_browser()
    if browser is None:
        pytest.skip("needs Chromium")
    copy(clip, tmp_path / "a.mp4")
    (tmp_path / "a.html").write_text('<video id="video" src="a.mp4" muted></video>')
    with browsing(browser) as page:
        page.open(tmp_path / "a.html")
        if not page.run("video.canPlayType('video/mp4; codecs=\"avc1.64000a, mp4a.40.2\"')"):
            pytest.skip("needs a Chromium with H.264")
        page.run("void video.play().catch(() => {})")
        deadline = time.monotonic() + 60
        while not page.run("video.error || video.currentTime > 0.2"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert page.run("video.error && video.error.message") is None
        assert page.run("[video.videoWidth, video.videoHeight]") == [160, 120]
        assert page.run("video.webkitAudioDecodedByteCount") > 0


def test_the_index_of_a_video_comes_first(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", [scene((step, 10)) for step in range(45)])
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    assert b"moof" not in data


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (121, 161), (2, 900)])
def test_a_video_has_frames_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    record(tmp_path / "a.mp4", [np.full((*size, 3), 200, np.uint8)] * 30)
    found = list(VideoFile(tmp_path / "a.mp4"))
    assert len(found) == 30
    assert np.abs(np.subtract(found[0].image.shape[:2], size)).max() <= 1
    assert found[-1].image.mean() == pytest.approx(200, abs=3)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_sound_of_the_source_is_copied(clip: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    copy(clip, path)
    assert "Audio: aac" in describe(path)
    heard = tones(path)
    assert heard[5:115:20] == [3, 4, 5, 6, 7, 8]
    assert len(heard) == pytest.approx(6 * 20, abs=1)
    assert count_frames(path) == 150


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("early", [0.0, 0.5])
def test_sound_is_trimmed_to_the_frames(tmp_path: Path, ending: str, early: float) -> None:
    source = make_clip(tmp_path / "clip.mkv", "aac", early)
    path = tmp_path / f"a.{ending}"
    copy(source, path, slice(30, 80))
    heard = tones(path)
    assert len(heard) == pytest.approx(2 * 20, abs=1)
    first = 1.2 + early  # seconds of the sound at which the first frame is shown
    expected = [3 + int(first + index / 20 + 0.025) for index in range(len(heard))]
    assert sum(one != other for one, other in zip(heard, expected, strict=True)) <= 3


def test_sound_keeps_in_step_with_a_video_cut_between_key_frames(
    clip: Path, tmp_path: Path
) -> None:
    source = tmp_path / "cut.mp4"
    assert not run("-ss", "1.3", "-i", clip, "-c", "copy", source).returncode
    copy(source, tmp_path / "a.mp4")
    assert count_frames(source) == pytest.approx(4.7 * 25, abs=1)  # earlier ones are hidden
    changes = [0.7, 1.7, 2.7, 3.7]  # seconds
    heard = np.flatnonzero(np.diff(tones(tmp_path / "a.mp4"))) / 20
    assert [min(abs(heard - time)) < 0.08 for time in changes] == [True] * 4


@pytest.mark.parametrize("codec", ["pcm_s16le", "libopus"])
def test_sound_that_players_do_not_know_is_encoded_anew(tmp_path: Path, codec: str) -> None:
    copy(make_clip(tmp_path / "clip.mkv", codec), tmp_path / "a.mp4")
    assert "Audio: aac" in describe(tmp_path / "a.mp4")
    assert tones(tmp_path / "a.mp4")[5:115:20] == [3, 4, 5, 6, 7, 8]
    copy(tmp_path / "clip.mkv", tmp_path / "a.mkv")
    assert f"Audio: {codec.removeprefix('lib')}" in describe(tmp_path / "a.mkv")


def test_a_source_without_sound_is_copied_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path / "silent.mp4", [scene((step, 10)) for step in range(20)])
    copy(tmp_path / "silent.mp4", tmp_path / "a.mp4")
    assert "Audio" not in describe(tmp_path / "a.mp4")
    assert not caplog.text


def test_sound_that_is_lost_costs_no_frame(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=25, sound=tmp_path / "gone.mp4") as sink:
        for frame in VideoFile(clip):
            sink.write(frame, [])
    assert count_frames(tmp_path / "a.mp4") == 150
    assert "a.mp4 has no sound: ffmpeg failed" in caplog.text
    assert "No such file" in caplog.text
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")


def test_sound_is_left_out_where_timestamps_jump(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with VideoSink(tmp_path / "a.mp4", fps=25, sound=clip) as sink:
        for index, timestamp in enumerate([0, 0.04, 100, 100.04]):
            sink.write(Frame(scene(), index, timestamp), [])
    assert "Audio" not in describe(tmp_path / "a.mp4")
    assert "cut short there, and at later jumps, and has no sound" in caplog.text


RECORDING = """
import sys
import numpy as np
from faceattr.streaming.sinks import VideoSink
from faceattr.types import Frame

sink = VideoSink(sys.argv[1])
noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
for index in range(100_000):
    sink.write(Frame(np.roll(noise, index, axis=1), index, index / 25), [])
    print(index + 1, sink._video._process.pid, flush=True)
"""


@needs_posix
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("kills_ffmpeg", [False, True])
def test_a_process_that_is_killed_leaves_a_readable_video(
    tmp_path: Path, ending: str, kills_ffmpeg: bool
) -> None:
    path = tmp_path / f"a.{ending}"
    command = [sys.executable, "-c", RECORDING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number = 0
        while number < 300:
            number, pid = map(int, process.stdout.readline().split())
        if kills_ffmpeg:
            os.kill(pid, signal.SIGKILL)
        process.kill()
        written = [int(line.split()[0]) for line in process.stdout.read().splitlines()]
    wait_for_end(pid)
    least = 150 if kills_ffmpeg else max([number, *written])
    assert count_frames(path) >= least


def wait_for_end(pid: int) -> None:
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat")
            if state.exists() and state.read_text().split()[2] == "Z":  # nobody waits for it
                return
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("ffmpeg goes on")


def test_ctrl_c_while_a_frame_is_written_leaves_a_finished_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: ffmpeg.H264Video, picture: BGRImage) -> None:
        if self._num_frames == 20:
            assert self._process.stdin is not None
            self._process.stdin.write(picture.tobytes()[:5000])  # a part of a frame
            raise KeyboardInterrupt
        add(self, picture)

    add = ffmpeg.H264Video.add
    monkeypatch.setattr(ffmpeg.H264Video, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path / "a.mp4", [scene((step, 10)) for step in range(45)])
    assert count_frames(tmp_path / "a.mp4") == 20
    assert b"moof" not in (tmp_path / "a.mp4").read_bytes()


def noise(seed: int) -> BGRImage:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_video_on_a_full_disk_stays_readable(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with (
        pytest.raises(SinkError, match=rf"a\.{ending}: cannot be written: "),
        full_disk(1_000_000),
    ):
        record(path, [noise(index) for index in range(300)])
    assert 200_000 < path.stat().st_size <= 1_000_000
    assert count_frames(path) >= 10
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_for_a_second_copy_keeps_the_first(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(command: list[str]) -> str:
        if command[-1] == "-":  # no file
            return run_ffmpeg(command)
        with full_disk(20_000):
            return run_ffmpeg(command)

    run_ffmpeg = ffmpeg._run
    monkeypatch.setattr(ffmpeg, "_run", fail)
    copy(clip, tmp_path / "a.mp4")
    assert count_frames(tmp_path / "a.mp4") == 150
    assert "a.mp4 plays only once it is loaded: ffmpeg failed: " in caplog.text
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_a_name_is_never_an_option_or_a_protocol(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "12:%03d -i.mp4").write_bytes(clip.read_bytes())
    copy(Path("12:%03d -i.mp4"), Path("-y.mp4"))
    assert "Audio: aac" in describe(tmp_path / "-y.mp4")


@needs_posix
def test_an_ffmpeg_without_libx264_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ' V....D mpeg4 '\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert not ffmpeg._encodes_h264(str(program))
    assert ffmpeg.find_ffmpeg.__wrapped__() != str(program)
    assert not ffmpeg._encodes_h264(str(tmp_path / "nothing"))
