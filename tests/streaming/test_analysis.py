from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Event, Semaphore
from time import monotonic
from typing import Any

import numpy as np
import pytest
from conftest import Brightness, Light
from scenes import SIDE, BrightSquares, HeavyBrightness, frames, scene, value_of

import faceattr
from faceattr.detectors.base import Search
from faceattr.errors import OptionError, PluginError, SinkError, UnknownNameError
from faceattr.pipeline import Pipeline
from faceattr.streaming import analysis as module
from faceattr.streaming.analysis import LiveAnalysis, hold, play
from faceattr.streaming.background import Worker
from faceattr.streaming.sinks import CallbackSink, CsvSink, JsonLinesSink, Sink, VideoSink
from faceattr.streaming.sources import Pictures, VideoFile
from faceattr.types import BGRImage, Crops, Detection, Estimate, Face, Frame

STILL = scene((10, 10), (100, 60))


def heavy_values(results: Sequence[tuple[Frame, list[Face]]]) -> list[float | None]:
    """What is known of the first face's heavy attribute, frame by frame."""
    return [
        value_of(faces[0], "heavy") if "heavy" in faces[0].attributes else None
        for _, faces in results
    ]


def test_faces_keep_their_numbers_and_are_read_in_every_frame() -> None:
    images = [scene((step, 10), (130 - step, 60)) for step in range(0, 100, 5)]
    live = LiveAnalysis([Brightness()], detector=BrightSquares())
    for index, (frame, faces) in enumerate(live.run(frames(images))):
        assert (frame.index, [face.track_id for face in faces]) == (index, [1, 2])
        assert all(value_of(face, "brightness") > 200 for face in faces)
    assert live.num_tracks == 2
    assert live.num_runs == {"brightness": 40}


def test_a_heavy_analyzer_looks_after_five_frames_and_then_at_each_refresh() -> None:
    heavy = HeavyBrightness()
    live = LiveAnalysis([Brightness(), heavy], detector=BrightSquares())
    known = heavy_values(list(live.run(frames([STILL] * 120))))  # 12 s
    assert known[:4] == [None] * 4
    assert None not in known[4:]
    assert heavy.runs == [2, 2, 2]  # at 0.4, 5.4 and 10.4 s
    assert live.num_runs == {"brightness": 240, "heavy": 6}


def test_an_answer_stands_until_the_next_look() -> None:
    images = [scene((10, 10), level=level) for level in range(130, 250)]
    live = LiveAnalysis([HeavyBrightness()], detector=BrightSquares(), smoothing=0)
    known = heavy_values(list(live.run(frames(images))))
    assert known == [None] * 4 + [134.0] * 50 + [184.0] * 50 + [234.0] * 16


def test_a_countdown_says_how_long_an_answer_stands() -> None:
    live = LiveAnalysis([Brightness(), HeavyBrightness()], detector=BrightSquares())
    results = list(live.run(frames([STILL] * 60)))
    countdown = [faces[0].frozen.get("heavy", -1) for _, faces in results]
    assert countdown[:6] == pytest.approx([-1, -1, -1, -1, 5.0, 4.9])
    assert countdown[53:55] == pytest.approx([0.1, 5.0])
    assert "brightness" not in results[-1][1][0].frozen


def test_a_face_that_comes_and_goes_is_not_looked_at() -> None:
    heavy = HeavyBrightness()
    live = LiveAnalysis([heavy], detector=BrightSquares())
    images = [scene(), scene((10, 10)), scene((10, 10)), scene((10, 10)), scene((10, 10))] * 10
    assert all(len(faces) <= 1 for _, faces in live.run(frames(images)))
    assert live.num_tracks == 1
    assert heavy.runs == []


def test_nothing_is_frozen_where_freezing_is_off() -> None:
    images = [scene((10, 10), level=level) for level in range(200, 220)]
    live = LiveAnalysis([HeavyBrightness()], detector=BrightSquares(), freeze="off")
    known = heavy_values(list(live.run(frames(images))))
    assert known == list(range(200, 220))


def test_the_picture_can_be_frozen_with_its_faces() -> None:
    images = [scene((step, 10), level=150 + step) for step in range(100)]
    live = LiveAnalysis(
        [Brightness(), HeavyBrightness()],
        detector=BrightSquares(),
        freeze="frame",
        time_threshold=2.0,
    )
    results = list(hold(live, frames(images)))
    held = [int(np.flatnonzero(frame.image[10, :, 0])[0]) for frame, _ in results]
    expected = [0, 1, 2, 3, *[4] * 20, 24, 25, 26, 27, *[28] * 20, 48, 49, 50, 51, *[52] * 20]
    assert held[: len(expected)] == expected
    assert [frame.index for frame, _ in results] == list(range(100))
    for frame, (face,) in results[:24]:
        assert ("heavy" in face.attributes) == ("brightness" in face.attributes)
        assert ("heavy" in face.attributes) == (frame.index >= 4)
    assert [faces[0].bbox[0] for _, faces in results[4:24]] == [4] * 20
    assert results[14][1][0].frozen == pytest.approx({"brightness": 1.0, "heavy": 1.0})


def test_after_a_frozen_picture_faces_are_looked_for_at_once() -> None:
    images = [scene((step, 10)) for step in range(40)]
    live = LiveAnalysis(
        [Brightness()], detector=BrightSquares(), freeze="frame", time_threshold=2, detect_every=7
    )
    results = list(hold(live, frames(images)))
    assert results[23][1][0].bbox[0] == pytest.approx(0, abs=1)  # held
    assert results[24][1][0].bbox[0] == 24


def test_answers_are_smoothed_over_time() -> None:
    images = [scene((10, 10), level=level) for level in (150, *[250] * 30)]
    live = LiveAnalysis([Brightness()], detector=BrightSquares(), smoothing=0.5)
    values = [value_of(faces[0], "brightness") for _, faces in live.run(frames(images))]
    assert values[0] == 150
    assert values == sorted(values)
    assert 180 < values[1] < 220
    assert values[-1] == pytest.approx(250, abs=1)


def test_faces_are_carried_between_two_looks_of_the_detector() -> None:
    class Counting(BrightSquares):
        count = 0

        def find(self, image: BGRImage, search: Search) -> Sequence[object]:  # type: ignore[override]
            Counting.count += 1
            return super().find(image, search)

    images = [scene((2 * step, 10)) for step in range(60)]
    live = LiveAnalysis([], detector=Counting(), detect_every=3)
    for index, (_, (face,)) in enumerate(live.run(frames(images))):
        assert face.track_id == 1
        assert index < 20 or face.bbox == pytest.approx(
            (2 * index, 10, 2 * index + SIDE, 30), abs=0.5
        )
    assert Counting.count == 20


class WaitingSquares(BrightSquares):
    """Finds the faces when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Semaphore(0)

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        assert self.go_on.acquire(timeout=10)
        return super().find(image, search)


def test_in_the_background_no_frame_waits_for_a_detector_that_looks_when_it_can() -> None:
    detector = WaitingSquares()
    live = LiveAnalysis([Brightness()], detector=detector, detect_every="auto", budget=1)
    results = live.run(frames([scene((10, 10))] * 100_000, fps=1000.0), background=True)
    assert [next(results)[1] for _ in range(100)] == [[]] * 100
    detector.go_on.release(1_000_000)
    deadline = monotonic() + 10
    while not (found := next(results))[1]:
        assert monotonic() < deadline
    (face,) = found[1]
    assert face.track_id == 1
    assert value_of(face, "brightness") == 250
    assert {face.track_id for _, faces in islice(results, 500) for face in faces} == {1}
    results.close()


def test_a_face_that_was_found_late_is_shown_where_it_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The detector needs eight frames, in which the face moves by almost half its width."""

    class SlowWorker(Worker[Any]):
        _num_frames_to_go = 0

        def start(self, work: Callable[[], Any]) -> None:
            super().start(work)
            self._num_frames_to_go = 8

        def poll(self) -> Any:
            self._num_frames_to_go -= 1
            return super().poll() if self._num_frames_to_go < 0 else None

    monkeypatch.setattr(module, "Worker", SlowWorker)
    live = LiveAnalysis([], detector=BrightSquares(), detect_every="auto")
    images = [scene((step, 10)) for step in range(100)]
    shown = [[face.bbox[0] for face in faces] for _, faces in live.run(frames(images))]
    assert shown[:8] == [[]] * 8
    assert all(len(lefts) == 1 for lefts in shown[8:])
    assert live.num_tracks == 1
    assert [left for (left,) in shown[60:]] == pytest.approx(range(60, 100), abs=0.1)


def test_where_each_frame_waits_a_detector_looks_at_each() -> None:
    images = [scene((step, 10)) for step in range(30)]
    live = LiveAnalysis([], detector=BrightSquares(), detect_every="auto", budget=0.01)
    lefts = [face.bbox[0] for _, faces in live.run(frames(images)) for face in faces]
    assert lefts == list(range(30))


def test_a_picture_of_another_size_keeps_the_faces() -> None:
    small = frames([scene((10, 10), (100, 60))] * 6)
    large = [
        Frame(np.kron(frame.image, np.ones((2, 2, 1), np.uint8)), 6 + index, 0.6 + index / 10)
        for index, frame in enumerate(small)
    ]
    live = LiveAnalysis([HeavyBrightness()], detector=BrightSquares())
    for frame, faces in live.run(small + large):
        assert {face.track_id for face in faces} == {1, 2}
        assert max(face.bbox[2] for face in faces) == (240 if frame.index >= 6 else 120)
        assert ("heavy" in faces[0].attributes) == (frame.index >= 4)


@pytest.mark.parametrize("images", [[], [scene()] * 3])
def test_nobody_is_an_empty_list(images: list[BGRImage]) -> None:
    live = LiveAnalysis([Brightness()], detector=BrightSquares())
    assert [faces for _, faces in live.run(frames(images))] == [[] for _ in images]
    assert live.num_runs == {"brightness": 0}


def test_who_left_leaves_no_trace() -> None:
    live = LiveAnalysis([Brightness(), HeavyBrightness()], detector=BrightSquares())
    places = [(0, 0), (140, 0), (0, 100), (140, 100)]
    images = (scene(places[step // 6 % 4]) for step in range(600))
    for _ in live.run(frames(images)):
        pass
    assert live.num_tracks == 100
    assert len(live._tracker.track_ids) <= 4
    assert len(live._known._tracks) <= 4
    assert all(len(runs) <= 4 for runs in live._schedule._last_runs.values())


class Waiting(HeavyBrightness):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = Event()

    def predict(self, crops: Crops) -> Sequence[Estimate]:
        assert self.go_on.wait(10)
        return super().predict(crops)


def test_in_the_background_no_frame_waits_for_a_heavy_analyzer() -> None:
    heavy = Waiting()
    live = LiveAnalysis([Brightness(), heavy], detector=BrightSquares())
    results = live.run(frames([STILL] * 100_000, fps=1000.0), background=True)
    before = [next(results) for _ in range(100)]
    assert heavy_values(before) == [None] * 100
    assert live.num_runs == {"brightness": 200, "heavy": 2}
    heavy.go_on.set()
    deadline = monotonic() + 10
    while "heavy" not in next(results)[1][0].attributes:
        assert monotonic() < deadline
    results.close()
    assert heavy.runs == [2]


def test_an_analyzer_that_fails_in_the_background_is_named() -> None:
    class Failing(HeavyBrightness):
        def predict(self, crops: Crops) -> Sequence[Estimate]:
            raise ZeroDivisionError("no light")

    live = LiveAnalysis([Failing()], detector=BrightSquares())
    with pytest.raises(PluginError, match="Failing failed: ZeroDivisionError: no light"):
        for _ in live.run(frames([STILL] * 100_000), background=True):
            pass


def test_a_video_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "in.mp4") as video:
        for frame in frames([scene((step, 10), (130 - step, 60)) for step in range(100)], 25.0):
            video.write(frame, [])
    for name in ("a", "b"):
        live = LiveAnalysis([Brightness(), HeavyBrightness()], detector=BrightSquares())
        sinks = [JsonLinesSink(tmp_path / f"{name}.jsonl"), VideoSink(tmp_path / f"{name}.mp4")]
        assert len(list(play(live, VideoFile(tmp_path / "in.mp4"), sinks))) == 100
    for kind in ("jsonl", "mp4"):
        a, b = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
        assert a.read_bytes() == b.read_bytes()


class Closing(Sink):
    """Notes that it was closed."""

    closed = False

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        self.done = frame.index == 30

    def close(self) -> None:
        self.closed = True


def failing_sink(frame: Frame, faces: Sequence[Face]) -> None:
    if frame.index == 7:
        raise ZeroDivisionError("seven")


def interrupted(images: Sequence[BGRImage]) -> Iterator[BGRImage]:
    yield from images
    raise KeyboardInterrupt


def test_an_error_or_ctrl_c_leaves_readable_files(tmp_path: Path) -> None:
    for error, images, callback in (
        (SinkError, iter([STILL] * 99), failing_sink),
        (KeyboardInterrupt, interrupted([STILL] * 7), lambda *_: None),
    ):
        sinks = [
            JsonLinesSink(tmp_path / "out.jsonl"),
            CsvSink(tmp_path / "out.csv"),
            VideoSink(tmp_path / "out.mp4"),
            Closing(),
            CallbackSink(callback),
        ]
        live = LiveAnalysis([Brightness()], detector=BrightSquares())
        with pytest.raises(error):
            list(play(live, Pictures(images), sinks))
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["frame"] == len(lines) - 1 >= 6
        assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 2 * len(lines)
        assert len(list(VideoFile(tmp_path / "out.mp4"))) == len(lines)
        assert isinstance(sinks[3], Closing)
        assert sinks[3].closed


def test_the_front_door_streams_pictures_frame_by_frame(tmp_path: Path) -> None:
    results = faceattr.stream(
        [STILL] * 10,
        [Brightness(), HeavyBrightness()],
        detector=BrightSquares(),
        sinks=[JsonLinesSink(tmp_path / "out.jsonl")],
        refresh={"heavy": 0.2},
        max_frames=8,
    )
    known = ["heavy" in face.attributes for _, faces in results for face in faces]
    assert known == [False] * 8 + [True] * 8
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 8


def test_labels_can_be_grouped_and_left_out_where_the_average_is_unsure() -> None:
    levels = [255] * 5 + [120] * 25
    results = faceattr.stream(
        [scene((10, 10), level=level) for level in levels],
        [Light()],
        detector=BrightSquares(threshold=0.2),
        labels={"bright": "day", "dark": ["dusk", "night"]},
        min_confidence=0.6,
    )
    labels = [faces[0].text("light").split()[0] for _, faces in results]
    assert set(labels) == {"bright", "uncertain"}
    assert labels == sorted(labels)
    assert labels[10] == "bright"  # the average falls slowly


def test_frames_can_be_analyzed_one_by_one() -> None:
    whole = LiveAnalysis([Brightness(), HeavyBrightness()], detector=BrightSquares())
    expected = [faces for _, faces in whole.run(frames([STILL] * 8))]
    live = LiveAnalysis([Brightness(), HeavyBrightness()], detector=BrightSquares())
    assert [live.step(frame) for frame in frames([STILL] * 8)] == expected


def test_a_sink_that_is_done_ends_the_stream() -> None:
    live = LiveAnalysis([], detector=BrightSquares())
    assert len(list(play(live, Pictures([STILL] * 99), [Closing()]))) == 31


def test_frames_can_be_limited_in_number_and_rate() -> None:
    live = LiveAnalysis([], detector=BrightSquares(), max_frames=5, max_fps=5)
    results = play(live, Pictures([STILL] * 99, fps=10))
    assert [frame.index for frame, _ in results] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothing": -1}, "smoothing is -1"),
        ({"detect_every": 0}, "detect_every is 0"),
        ({"frame_threshold": 0}, "frame_threshold is 0"),
        ({"detect_every": "often"}, "detect_every is 'often'; it can be a number or 'auto'"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 2}, "budget is 2; it must be at least 0.01 and at most 1"),
        ({"min_confidence": 2}, "min_confidence is 2"),
        ({"freeze": "all"}, "freeze is 'all'"),
        ({"freeze": "off", "refresh": {"brightness": 1}}, "refresh is for freeze='face'"),
        ({"refresh": {"brightness": -1}}, "refresh of 'brightness' is -1"),
        ({"refresh": ["brightness"]}, "write it like age=2"),
        ({"time_threshold": float("nan")}, "time_threshold is nan"),
        ({"max_fps": 0}, "max_fps is 0; it must be above 0"),
        ({"refresh": {"age": 1}}, "refresh of 'age'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        LiveAnalysis([Brightness()], detector=BrightSquares(), **options)  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mtcnn'"):
        LiveAnalysis(detector="mtcn")


@pytest.mark.parametrize("sinks", [None, "a.csv", ["a.csv"], [None], 3])
def test_what_is_not_a_list_of_sinks_is_refused(sinks: Any) -> None:
    with pytest.raises(OptionError, match="give a list of sinks"):
        list(play(LiveAnalysis([], detector="whole"), Pictures([]), sinks))


def test_analyses_that_share_a_pipeline_have_tracks_of_their_own() -> None:
    with Pipeline([Brightness()], detector=BrightSquares()) as pipeline:
        first, second = LiveAnalysis.sharing(pipeline), LiveAnalysis.sharing(pipeline)
        images = list(frames([scene((10, 10)), STILL, STILL]))
        counts = [[len(live.step(image)) for image in images] for live in (first, second)]
        assert counts == [[1, 2, 2], [1, 2, 2]]
        assert (first.num_tracks, second.num_tracks) == (2, 2)
        first.close()
        assert "not loaded" not in repr(pipeline)


def test_other_attributes_can_be_chosen_while_tracks_go_on() -> None:
    live = LiveAnalysis([Brightness(), Light()], detector=BrightSquares())
    read = []
    for image, attributes in zip(
        frames([STILL] * 4), [["light"], ["brightness", "light"], [], ["brightness"]], strict=True
    ):
        live.choose(attributes)
        faces = live.step(image)
        read.append((faces[0].track_id, list(faces[0].attributes)))
    assert read == [(1, ["light"]), (1, ["brightness", "light"]), (1, []), (1, ["brightness"])]
    assert live.num_runs == {"brightness": 4, "light": 4}
    with pytest.raises(UnknownNameError, match="did you mean 'light'"):
        live.choose(["lihgt"])
