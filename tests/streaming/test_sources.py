from __future__ import annotations

import os
import struct
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from scenes import frames, scene

from faceattr.errors import ImageError, OptionError, SinkError, SourceError
from faceattr.images import load_image
from faceattr.outputs import Outputs
from faceattr.streaming import sources as module
from faceattr.streaming.sinks import CallbackSink, VideoSink
from faceattr.streaming.sources import (
    LiveSource,
    Paced,
    Pictures,
    VideoFile,
    open_capture,
    open_source,
    paced_for,
    thin_out,
)
from faceattr.types import BGRImage, Frame

needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")


def gray(level: int) -> BGRImage:
    return np.full((48, 64, 3), level, np.uint8)


def make_video(path: Path, num_frames: int = 20, fps: float = 12.5) -> Path:
    with VideoSink(path, fps=fps) as video:
        for frame in frames([scene((step, 10)) for step in range(num_frames)], fps):
            video.write(frame, [])
    return path


def levels(results: Iterable[Frame]) -> list[int]:
    return [round(float(frame.image.mean())) for frame in results]


def test_a_video_gives_all_its_frames_with_their_times(tmp_path: Path) -> None:
    with open_source(make_video(tmp_path / "a.mp4")) as source:
        assert (source.live, source.fps, source.num_frames) == (False, 12.5, 20)
        found = list(source)
    assert [frame.index for frame in found] == list(range(20))
    assert [frame.timestamp for frame in found] == pytest.approx(np.arange(20) / 12.5)
    left = [int(np.flatnonzero(frame.image[20, :, 0] > 128)[0]) for frame in found]
    assert left == list(range(20))


def test_a_damaged_frame_does_not_end_a_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", 100)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 2000] = bytes(2000)
    path.write_bytes(data)
    found = list(VideoFile(path))
    assert found[-1].index >= 90
    timestamps = [frame.timestamp for frame in found]
    assert timestamps == sorted(set(timestamps))


def test_frames_that_cannot_be_decoded_are_reported_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_video(tmp_path / "a.mp4")
    camera = FakeCamera([gray(1), gray(2), None, None, gray(3)])
    monkeypatch.setattr(module, "open_capture", lambda _: camera)
    with VideoFile(path) as source:
        found = list(source)
    assert [(frame.index, *levels([frame])) for frame in found] == [(0, 1), (1, 2), (4, 3)]
    assert [frame.timestamp for frame in found] == pytest.approx([0, 1 / 30, 4 / 30])
    assert source.num_dropped == 2
    assert "a.mp4: frames 2 to 3 cannot be decoded" in caplog.text


def test_a_video_that_was_cut_off_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_video(tmp_path / "a.avi", 100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 40 < len(list(VideoFile(path))) < 60
    assert "of 100 frames" in caplog.text


def test_a_video_without_frames_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48)).release()
    with VideoFile(path) as source, pytest.raises(SourceError, match="without a frame"):
        next(iter(source))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.mp4", None, "no such file"),
        ("bad.mp4", b"text", "not a video"),
        ("", None, "not a file"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        VideoFile(tmp_path / name)


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_a_folder_or_glob_gives_its_pictures_in_order(tmp_path: Path, pattern: str) -> None:
    for level in (30, 10, 20):
        cv2.imwrite(str(tmp_path / f"{level}.png"), gray(level))
    with open_source(tmp_path / pattern, fps=10) as source:
        assert (source.fps, source.num_frames) == (10, 3)
        found = list(source)
    assert levels(found) == [10, 20, 30]
    assert [frame.timestamp for frame in found] == pytest.approx([0, 0.1, 0.2])


def test_a_source_that_exists_is_no_camera_and_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("2024").mkdir()
    cv2.imwrite("2024/a.png", gray(10))
    cv2.imwrite("7.png", gray(20))
    make_video(Path("x.mp4"), 3).rename("99")
    Path("7.png").rename("7")
    assert levels(open_source("2024")) == [10]
    assert levels(open_source("7")) == [20]
    assert len(list(open_source("99"))) == 3
    with pytest.raises(SourceError, match="98: no such file"):
        open_source(Path("98"))


@needs_posix
@pytest.mark.parametrize(
    "name", ["12:30.mp4", "file:a.mp4", "pipe:0.mp4", "-i.mp4", "%03d.mp4", "concat:a|b.mp4"]
)
def test_a_colon_in_a_name_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_video(Path("x.mp4"), 3).rename(name)
    assert len(list(open_source(name))) == 3


@needs_posix
@pytest.mark.parametrize("name", [b"caf\xe9.mp4", b"\xff.mp4", b"film.\xe9", b"\xe9/film.mp4"])
def test_a_name_that_is_not_utf8_is_read(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.rename(make_video(tmp_path / "x.mp4", 3), path)
    except OSError:
        pytest.skip("no such names here")
    assert len(list(open_source(os.fsdecode(path)))) == 3


@needs_posix
def test_a_name_that_is_not_utf8_is_refused_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise PermissionError("no links here")

    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp4"))
    try:
        os.rename(make_video(tmp_path / "x.mp4", 3), path)
    except OSError:
        pytest.skip("no such names here")
    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(SourceError, match=r"caf.+: its name is not in UTF-8; rename it \(no links"):
        open_source(path)


def test_a_video_in_deep_folders_is_read(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*(letter * 200 for letter in "abcdefghij"))
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("no such names here")
    assert len(list(open_source(make_video(tmp_path / "x.mp4", 3).rename(folder / "x.mp4")))) == 3


@pytest.mark.parametrize(
    "source", [None, True, 1.5, np.bool_(True), object(), gray(1), gray(1)[..., 0], b"GIF89a"]
)
def test_what_is_not_a_source_is_refused(source: Any) -> None:
    with pytest.raises(SourceError, match=r"not a source|a stream needs several pictures"):
        open_source(source)


def test_a_number_of_numpy_is_a_camera() -> None:
    with pytest.raises(SourceError, match="camera 99 cannot be opened"):
        open_source(np.int64(99))


def test_one_picture_is_not_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), gray(1))
    inline = "data:image/png;base64," + b64encode(path.read_bytes()).decode()
    with path.open("rb") as file:
        for picture in (gray(1), path.read_bytes(), bytearray(9), str(path), path, file, inline):
            with pytest.raises(
                SourceError, match=r"a stream needs several pictures; use analyze\("
            ):
                Pictures(picture)  # type: ignore[arg-type]
    assert levels(open_source(np.stack([gray(1), gray(2)]))) == [1, 2]
    assert levels(open_source(np.stack([gray(1), gray(2)])[..., 0])) == [1, 2]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a"])
def test_a_lone_picture_is_read_as_by_load_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = cv2.imencode(path.suffix or ".jpg", scene((30, 10)))[1]
    data.tofile(path)
    with open_source(path, fps=10) as source:
        assert (source.num_frames, source.fps) == (1, 10)
        (frame,) = source
    np.testing.assert_array_equal(frame.image, load_image(path))
    data[: len(data) // 2].tofile(path)
    with pytest.raises(ImageError):
        open_source(path)


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    animation = cv2.Animation()
    animation.frames = [gray(value) for value in (40, 240, 80)]
    animation.durations = [100] * 3
    for suffix in (".gif", ".png"):
        path = tmp_path / f"a{suffix}"
        cv2.imencodeanimation(suffix, animation)[1].tofile(path)
        assert isinstance(open_source(path), VideoFile)
        assert levels(open_source(path)) == pytest.approx([40, 240, 80], abs=3)


def test_an_unreadable_subfolder_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "closed").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), gray(10))
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert levels(open_source(tmp_path)) == [10]
    assert "closed: the folder cannot be read: Permission denied" in caplog.text


def element(name: str, body: bytes) -> bytes:
    """Return an element of a Matroska file."""
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def number(name: str, value: int) -> bytes:
    return element(name, value.to_bytes(4, "big"))


def make_matroska(
    path: Path, seconds: Iterable[float], *, tick: float = 0.0, duration: float = 0.0
) -> Path:
    """Write a frame at each time, with a duration per frame and in all where they are not 0."""
    track = number("D7", 1) + number("73C5", 1) + number("83", 1) + element("86", b"V_MJPEG")
    if tick:
        track += number("23E383", round(1e9 * tick))
    size = element("E0", number("B0", 64) + number("BA", 48))
    info = number("2AD7B1", 1_000_000) + element("4D80", b"x") + element("5741", b"x")
    if duration:
        info += element("4489", struct.pack(">d", 1000 * duration))
    clusters = b""
    for index, moment in enumerate(seconds):
        data = cv2.imencode(".jpg", gray(80 + index))[1].tobytes()
        block = element("A3", b"\x81\0\0\x80" + data)
        clusters += element("1F43B675", number("E7", round(1000 * moment)) + block)
    head = number("4287", 4) + number("4285", 2)
    path.write_bytes(
        element("1A45DFA3", element("4282", b"matroska") + head)
        + element(
            "18538067", element("1549A966", info) + element("1654AE6B", element("AE", track + size))
            + clusters,
        )
    )  # fmt: skip
    return path


@pytest.mark.parametrize("duration", [0.0, 1.0])
def test_a_frame_rate_far_from_the_timestamps_is_measured(tmp_path: Path, duration: float) -> None:
    seconds = np.arange(30) / 30
    path = make_matroska(tmp_path / "a.mkv", seconds, tick=0.001, duration=duration)
    with VideoFile(path) as source:
        assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == 1000
        assert source.fps == pytest.approx(30, abs=0.5)
        assert source.num_frames is None
        found = list(source)
    assert levels(found) == list(range(80, 110))
    assert [frame.timestamp for frame in found] == pytest.approx(seconds, abs=0.001)


def test_a_pause_at_the_start_does_not_change_the_frame_rate(tmp_path: Path) -> None:
    seconds = [0.0, *np.arange(2, 3, 0.04)]
    with VideoFile(make_matroska(tmp_path / "a.mkv", seconds, tick=0.04)) as source:
        assert source.fps == 25
        assert len(list(source)) == len(seconds)


def test_a_video_that_starts_late_is_complete(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = 100 + np.arange(25) / 25
    path = make_matroska(tmp_path / "a.mkv", seconds, tick=0.04, duration=101.0)
    with VideoFile(path) as source:
        assert source.num_frames == pytest.approx(25, abs=1)
        assert len(list(source)) == 25
    assert not caplog.text


@pytest.mark.parametrize(
    ("timestamps", "message"),
    [
        ([0.0, np.nan], "frame 1: nan is not a timestamp in seconds"),
        ([np.nan], "frame 0: nan is not"),
        ([0.0, np.inf], "frame 1: inf is not"),
        ([0.0, 1e300], "frame 1: 1e.300 is not"),
        ([0.0, None], "frame 1: None is not"),
        ([0.0, "1"], "frame 1: '1' is not"),
        ([5.0, 4.5], "frame 1: its timestamp, 4.5 s, lies before that of the frame before, 5 s"),
    ],
)
def test_frames_with_wrong_timestamps_are_refused(timestamps: list[Any], message: str) -> None:
    own = [Frame(gray(0), index, time) for index, time in enumerate(timestamps)]
    with pytest.raises(SourceError, match=message):
        list(Pictures(own))
    for max_fps in (None, 10):
        with pytest.raises(SourceError, match=message):
            list(thin_out(own, max_fps))


def test_frames_may_share_a_timestamp() -> None:
    own = [Frame(gray(0), index, np.float32(1)) for index in range(2)]
    assert list(thin_out(own, None)) == own


@pytest.mark.parametrize(
    "image",
    [gray(9)[..., 0], gray(9)[..., :1], gray(9) / 255, np.dstack([gray(9), gray(9)[..., 0]])],
)
def test_a_frame_of_another_form_becomes_bgr(image: Any) -> None:
    for found in (Pictures([Frame(image, 0, 0.0)]), thin_out([Frame(image, 0, 0.0)], None)):
        (frame,) = found
        np.testing.assert_array_equal(frame.image, gray(9))


def test_a_frame_without_an_image_is_refused_or_left_out() -> None:
    bad: Any = [Frame(gray(1), 0, 0.0), Frame(np.full((2, 2), np.nan), 1, 1.0)]
    assert len(list(Pictures(bad))) == 1
    with pytest.raises(ImageError, match="values from nan"):
        list(thin_out(bad, None))
    with pytest.raises(SourceError, match=r"a source yields <array .+>; it must yield frames"):
        list(thin_out([gray(1)], None))  # type: ignore[list-item]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no pictures"):
        open_source(tmp_path)


def test_pictures_that_cannot_be_read_are_reported_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pictures: list[Any] = [gray(1), None, np.zeros((4, 4, 7)), gray(2)]
    source = open_source(pictures)
    assert [(frame.index, *levels([frame])) for frame in source] == [(0, 1), (3, 2)]
    assert source.num_dropped == 2
    assert "picture 1 is left out" in caplog.text


def test_frames_keep_their_own_times() -> None:
    own = [Frame(gray(1), 7, 70.0), Frame(gray(2), 9, 90.0)]
    assert list(open_source(iter(own))) == own


def test_pictures_have_a_rate() -> None:
    with pytest.raises(OptionError, match="fps is 0"):
        Pictures([], fps=0)


def test_a_source_is_itself() -> None:
    source = Pictures([])
    assert open_source(source) is source


def test_a_camera_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError, match="camera 99 cannot be opened"):
        open_source("99")


@pytest.mark.parametrize(
    ("max_fps", "expected"),
    [(None, list(range(10))), (25, list(range(10))), (12.5, [0, 2, 4, 6, 8]), (10, [0, 3, 5, 8])],
)
def test_frames_that_are_too_fast_are_left_out(max_fps: float | None, expected: list[int]) -> None:
    every = frames([gray(0)] * 10, fps=25)
    assert [frame.index for frame in thin_out(every, max_fps)] == expected


def test_a_largest_rate_is_above_zero() -> None:
    with pytest.raises(OptionError, match="max_fps is 0"):
        list(thin_out([], 0))


class FakeCamera:
    """Gives pictures in turn; None is a failure, and an exception is raised.

    The thread that reads runs ahead of nobody: each read waits for `ready`, if there is one.
    """

    def __init__(self, pictures: Sequence[Any], ready: threading.Semaphore | None = None) -> None:
        self._pictures = iter(pictures)
        self._ready = ready
        self.released = threading.Event()

    def read(self) -> tuple[bool, Any]:
        if self._ready is not None:
            assert self._ready.acquire(timeout=10)
        picture = next(self._pictures, None)
        if isinstance(picture, Exception):
            raise picture
        return picture is not None, picture

    def get(self, prop: int, /) -> float:
        return 30.0 if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.released.set()


class Clock:
    """A second passes with each look at it."""

    def __init__(self) -> None:
        self.now = -1.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def live_source(*cameras: Any, num_pauses: int = 3) -> LiveSource:
    """A source that opens these cameras in turn; an exception is raised, and nothing waits."""
    waiting = iter(cameras)

    def open_next() -> FakeCamera:
        camera = next(waiting, SourceError("unplugged"))
        if isinstance(camera, Exception):
            raise camera
        assert isinstance(camera, FakeCamera)
        return camera

    return LiveSource(open_next, name="camera 0", pauses=[0.0] * num_pauses, clock=Clock())


def test_of_a_live_source_the_newest_frame_is_taken() -> None:
    ready = threading.Semaphore(1)
    with live_source(FakeCamera(list(map(gray, range(10))), ready), num_pauses=0) as source:
        assert (source.live, source.fps) == (True, 30.0)
        taken = iter(source)
        first = next(taken)
        ready.release(4)  # the next three come while nobody looks, then a read that waits
        while ready._value:
            pass
        newest = next(taken)
        assert (first.index, first.timestamp) == (0, 1.0)
        assert newest.index >= 1
        assert source.num_dropped == newest.index - 1
        ready.release(100)


def frames_until_lost(source: LiveSource) -> list[Frame]:
    found: list[Frame] = []
    with source, pytest.raises(SourceError, match=r"camera 0: lost; \d attempts to open it failed"):
        found.extend(source)
    return found


def test_a_camera_that_vanishes_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    first, second = FakeCamera([gray(1)]), FakeCamera([gray(2)])
    last = frames_until_lost(live_source(first, SourceError("gone"), second))[-1]
    assert (last.index, levels([last])) == (1, [2])
    assert first.released.is_set()
    assert second.released.is_set()
    assert caplog.text.count("camera 0 gives no pictures; trying again in 0 s") == 5


def test_growing_pauses_lie_between_the_attempts(caplog: pytest.LogCaptureFixture) -> None:
    camera = FakeCamera([gray(1)])

    def never_again() -> FakeCamera:
        if camera.released.is_set():
            raise SourceError("gone")
        return camera

    frames_until_lost(LiveSource(never_again, name="camera 0", pauses=[0.0, 0.001, 0.002]))
    pauses = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses == [0.0, 0.001, 0.002]


@pytest.mark.parametrize("fault", [None, OSError("cable"), np.zeros((2, 2, 9))])
def test_one_bad_frame_costs_nothing_more(fault: Any) -> None:
    camera = FakeCamera([gray(1), fault, gray(2)])
    last = frames_until_lost(live_source(camera, num_pauses=0))[-1]
    assert (last.index, levels([last])) == (1, [2])


def test_closing_lets_go_of_the_camera() -> None:
    camera = FakeCamera([gray(1)] * 1_000_000)
    with live_source(camera) as source:
        next(iter(source))
    assert camera.released.wait(10)


def test_a_camera_that_nobody_read_is_let_go_too() -> None:
    camera = FakeCamera([])
    live_source(camera).close()
    assert camera.released.is_set()


@contextmanager
def server(content_type: str, body: bytes) -> Iterator[str]:
    """The address of a server that answers with this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@contextmanager
def network_camera(num_frames: int = 50) -> Iterator[str]:
    """The address of a camera that hangs up after so many pictures."""
    body = b""
    for step in range(num_frames):
        _, data = cv2.imencode(".jpg", scene((step, 10)))
        body += b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + data.tobytes() + b"\r\n"
    with server("multipart/x-mixed-replace; boundary=frame", body) as address:
        yield address


def test_a_stream_over_the_network_is_live() -> None:
    with network_camera() as address, open_source(address) as source:
        assert source.live
        assert next(iter(source)).image.shape == (120, 160, 3)


def test_a_server_that_hangs_up_is_called_again(caplog: pytest.LogCaptureFixture) -> None:
    with network_camera(50) as address:
        source = LiveSource(partial(open_capture, address), name="hall", pauses=[0.0] * 3)
        with source:
            later = next(frame for frame in source if frame.index >= 120)
    assert later.image.shape == (120, 160, 3)
    assert "hall gives no pictures; trying again in 0 s" in caplog.text


def test_a_video_over_the_network_is_read_like_a_file(tmp_path: Path) -> None:
    body = make_video(tmp_path / "a.mp4", 20).read_bytes()
    with server("video/mp4", body) as address, open_source(f"{address}/a.mp4?x=1") as source:
        assert not source.live
        assert len(list(source)) == 20


def test_a_file_address_names_an_input_that_no_sink_may_write(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip 1.mp4")
    for address in (f"file://{path}", f"FILE://localhost{path}", f"file://{quote(str(path))}"):
        for source in (open_source(address), VideoFile(address)):
            assert list(source.paths) == [str(path)]
            with source, pytest.raises(SinkError, match="is an input"):
                Outputs(inputs=source.paths, overwrite=True).file(path)


def test_a_protocol_around_a_file_is_not_an_address(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4")
    for protocol in ("cache", "async", "crypto"):
        with pytest.raises(SourceError, match="no such file"):
            open_source(f"{protocol}:file://{path}")


def test_the_files_of_a_playlist_are_inputs(tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    segment = make_video(tmp_path / "segment.mp4")
    playlist.write_text(
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="init.mp4"\n'
        f"#EXTINF:1,\n{segment.name}\nlist.m3u8\nhttps://example.org/a.ts\n#EXT-X-ENDLIST\n"
    )
    names = {os.path.basename(path) for path in module._files_of(str(playlist))}
    assert names == {"list.m3u8", "segment.mp4", "init.mp4"}


@pytest.mark.parametrize("number", [-1, 10_000, 2**31, 10**400])
def test_a_number_that_no_camera_has_is_refused(number: int) -> None:
    with pytest.raises(SourceError, match="not the number of a camera"):
        open_source(number)


class WorkingTime:
    """A time that passes only where somebody waits or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def play_paced(num_frames: int, work: Sequence[float]) -> tuple[list[int], list[float], Paced]:
    """Return which of 10 frames per second are shown, and when, to a reader that works so long."""
    clock = WorkingTime()
    images = [Frame(gray(1), index, index / 10) for index in range(num_frames)]
    source = Paced(Pictures(images, fps=10), clock=clock, sleep=clock.wait)
    shown, times = [], []
    for frame, seconds in zip(source, [*work, *[0.0] * num_frames], strict=False):
        shown.append(frame.index)
        times.append(clock.now - 100)
        clock.wait(seconds)
    return shown, times, source


def test_a_paced_video_waits_for_the_time_of_each_frame() -> None:
    shown, times, source = play_paced(5, [0.01, 0.07])
    assert shown == list(range(5))
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert (source.live, source.fps, source.num_frames, source.num_dropped) == (True, 10, 5, 0)


def test_a_paced_video_leaves_out_what_comes_late() -> None:
    shown, times, source = play_paced(10, [0.35])
    assert shown == [0, 3, 4, 5, 6, 7, 8, 9]
    assert times == pytest.approx([0, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert source.num_dropped == 2


def test_a_paced_video_goes_on_after_a_pause() -> None:
    shown, times, source = play_paced(5, [0.05, 60.0])
    assert shown == list(range(5))
    assert times == pytest.approx([0, 0.1, 60.1, 60.2, 60.3])
    assert source.num_dropped == 0


def test_only_a_file_that_somebody_watches_is_paced(tmp_path: Path) -> None:
    tables, window = CallbackSink(print), CallbackSink(print)
    window.paces = True
    with VideoFile(make_video(tmp_path / "a.mp4")) as video:
        assert paced_for([tables], video) is video
        paced = paced_for([tables, window], video)
        assert (paced.live, paced.fps, paced.num_frames) == (True, 12.5, 20)
    pictures = Pictures([gray(1)])
    assert paced_for([window], pictures) is pictures


def test_pictures_may_be_rgb_arrays() -> None:
    blue = np.full((4, 4, 3), (200, 0, 0), np.uint8)
    rgb = np.ascontiguousarray(blue[..., ::-1])
    given: list[Any] = [rgb, Frame(blue, 1, 0.5)]  # the image of a frame is BGR
    for frame in open_source(given, color="rgb"):
        assert np.array_equal(frame.image, blue)
    with pytest.raises(OptionError, match="color is 'hsv'"):
        list(open_source([rgb], color="hsv"))  # type: ignore[arg-type]
