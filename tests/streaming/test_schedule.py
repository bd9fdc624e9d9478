from __future__ import annotations

import pytest

from faceattr.errors import OptionError
from faceattr.options import StreamOptions
from faceattr.streaming.schedule import Schedule, choose_refresh

OWN = {"emotion": 0.0, "age": 5.0, "gender": 5.0}


def test_a_face_is_due_again_after_its_refresh() -> None:
    schedule = Schedule({"age": 2.0})
    schedule.mark("age", [7], now=0.0)
    assert schedule.due("age", [7], now=1.9) == []
    assert schedule.due("age", [7], now=2.0) == [7]


def test_without_a_refresh_each_face_is_always_due() -> None:
    schedule = Schedule({"emotion": 0.0}, frame_threshold=5)
    schedule.mark("emotion", [7, 8], now=0.0)
    assert schedule.due("emotion", [7, 8], now=0.0) == [7, 8]


def test_a_face_is_due_once_it_was_seen_in_enough_frames_in_a_row() -> None:
    schedule = Schedule({"age": 2.0}, frame_threshold=3)
    due = []
    for seen in ([7], [7], [], [7], [7], [7]):
        schedule.see(seen)
        due.append(schedule.due("age", seen, now=0.0))
    assert due == [[], [], [], [], [], [7]]


def test_new_faces_come_first_and_then_those_that_have_waited_longest() -> None:
    schedule = Schedule({"age": 1.0}, max_faces=3)
    schedule.mark("age", [1], now=0.5)
    schedule.mark("age", [2], now=0.0)
    schedule.mark("age", [3], now=9.5)
    assert schedule.due("age", [1, 2, 3, 4, 5], now=10.0) == [4, 5, 2]


def test_analyzers_are_scheduled_apart() -> None:
    schedule = Schedule({"age": 1.0, "gender": 1.0})
    schedule.mark("age", [1], now=0.0)
    assert schedule.due("gender", [1], now=0.0) == [1]


def test_a_result_is_frozen_until_the_next_run() -> None:
    schedule = Schedule({"age": 5.0})
    schedule.mark("age", [1], now=10.0)
    assert schedule.frozen("age", 1, now=12.0) == 3.0
    assert schedule.frozen("age", 1, now=20.0) == 0.0
    assert schedule.frozen("age", 2, now=0.0) == 0.0


def test_rounded_timestamps_cost_no_frame() -> None:
    """0.1 × 3 + 5 − 5 is a little less than 0.1 × 3."""
    schedule = Schedule({"age": 0.1})
    for index in range(1000):
        assert schedule.due("age", [1], now=index / 10) == [1]
        schedule.mark("age", [1], now=index / 10)


def test_frames_in_a_row_can_start_over() -> None:
    schedule = Schedule({"age": 1.0}, frame_threshold=2)
    schedule.see([1])
    schedule.start_over()
    schedule.see([1])
    assert schedule.due("age", [1], now=0.0) == []


def test_who_left_is_forgotten() -> None:
    schedule = Schedule({"age": 5.0})
    schedule.mark("age", [1, 2], now=0.0)
    schedule.keep([2])
    assert schedule.due("age", [1, 2], now=1.0) == [1]


@pytest.mark.parametrize(
    ("freeze", "time_threshold", "chosen", "expected"),
    [
        ("face", None, {}, [0, 5, 5]),
        ("face", 3.0, {}, [0, 3, 3]),
        ("face", 3.0, {"age": 1.0, "emotion": 0.5}, [0.5, 1, 3]),
        ("face", None, {"age": 0.0}, [0, 0, 5]),
        ("frame", None, {}, [5, 5, 5]),
        ("frame", 2.0, {}, [2, 2, 2]),
        ("off", 2.0, {}, [0, 0, 0]),
    ],
)
def test_options_say_how_often_each_analyzer_runs(
    freeze: str, time_threshold: float | None, chosen: dict[str, float], expected: list[float]
) -> None:
    options = StreamOptions(freeze=freeze, time_threshold=time_threshold, refresh=chosen)
    assert list(choose_refresh(OWN, options).values()) == expected


def test_a_refresh_of_what_is_not_read_is_refused() -> None:
    with pytest.raises(OptionError, match="'agee', which is not read; it can be emotion, age, gen"):
        choose_refresh(OWN, StreamOptions(refresh={"agee": 1.0}))
