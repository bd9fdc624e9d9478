from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.streaming.tracking import IouTracker
from faceattr.types import Detection


def face(x: float, y: float = 0, side: float = 100, confidence: float = 1.0) -> Detection:
    landmarks = np.full((5, 2), (x, y), np.float32)
    return Detection((x, y, x + side, y + side), confidence, landmarks)


def test_each_face_has_a_number_of_its_own() -> None:
    assert IouTracker().update([face(0), face(300)]) == {1: face(0), 2: face(300)}


def test_a_face_that_moves_keeps_its_number() -> None:
    tracker = IouTracker()
    for step in range(20):
        assert list(tracker.update([face(30 * step), face(1000 - 30 * step, 300)])) == [1, 2]


def test_numbers_do_not_depend_on_the_order_of_detections() -> None:
    tracker = IouTracker()
    tracker.update([face(0), face(300)])
    assert tracker.update([face(310), face(10)]) == {2: face(310), 1: face(10)}


@pytest.mark.parametrize(("num_missed", "track_id"), [(1, 1), (10, 1), (11, 2)])
def test_a_number_survives_ten_missed_frames(num_missed: int, track_id: int) -> None:
    tracker = IouTracker(max_missed=10)
    tracker.update([face(0)])
    for _ in range(num_missed):
        assert tracker.update([]) == {}
    assert list(tracker.update([face(0)])) == [track_id]


def test_a_face_is_found_again_where_it_was_going() -> None:
    tracker = IouTracker()
    for step in range(5):
        tracker.update([face(20 * step)])
    for _ in range(8):
        tracker.update([])
    assert list(tracker.update([face(20 * 13)])) == [1]


@pytest.mark.parametrize("speed", [8, 12, 20, 30])
@pytest.mark.parametrize("seed", range(5))
def test_faces_that_cross_keep_their_numbers(speed: int, seed: int) -> None:
    """One passes in front of the other, which is occluded meanwhile; the boxes tremble."""
    random = np.random.default_rng(seed)
    tracker = IouTracker()
    for step in range(0, 600, speed):
        front = face(step + random.normal(0, 2), random.normal(0, 2))
        back = face(600 - step + random.normal(0, 2), 10 + random.normal(0, 2))
        occluded = abs(front.bbox[0] - back.bbox[0]) < 50
        found = tracker.update([front] if occluded else [front, back])
        assert occluded or (found[1] == front and found[2] == back)
    assert tracker.num_started == 2


@pytest.mark.parametrize("speed", [4, 8, 14])
@pytest.mark.parametrize("seed", range(3))
def test_a_face_that_passes_behind_another_keeps_its_number(speed: int, seed: int) -> None:
    """The box is around what can be seen of it, so that it shrinks and seems to slow down."""
    random = np.random.default_rng(seed)
    tracker = IouTracker()
    for step in range(0, 600, speed):
        front = face(step + random.normal(0, 1))
        left, right = 600 - step, 700 - step
        if left < front.bbox[2] < right:
            left = int(front.bbox[2])
        elif left < front.bbox[0] < right:
            right = int(front.bbox[0])
        back = Detection((left, 10, right, 110), 0.9)
        found = tracker.update([front, back] if right - left > 30 else [front])
        assert found[1] == front
        assert 2 not in found or found[2] == back
    assert found[2].bbox[2] < found[1].bbox[0]
    assert tracker.num_started == 2


RED, BLUE = np.eye(4, dtype=np.float32)[:2]


def looks(*colors: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Appearances of people in these colors, on a background that is the same for all."""
    random = np.random.default_rng(seed)
    rows = np.stack(colors) + np.array([0, 0, 0.7, 0], np.float32) + random.uniform(0, 0.1, 4)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows, np.float32)


def meet_and_turn_back(tracker: IouTracker, speed: int, *, with_colors: bool) -> bool:
    """Walk two people up to each other, hide one behind the other, and let both turn back.

    Returns:
        Whether they keep their numbers.
    """
    steps = [*range(0, 300, speed), *[300] * 6, *range(300, 0, -speed)]
    for index, step in enumerate(steps):
        left, right = face(step), face(600 - step, 5)
        is_hidden = right.bbox[0] - left.bbox[0] < 60
        colors = looks(RED, seed=index) if is_hidden else looks(RED, BLUE, seed=index)
        found = tracker.update(
            [left] if is_hidden else [left, right], appearances=colors if with_colors else None
        )
        if found.get(1) != left or found.get(2) != (None if is_hidden else right):
            return False
    return True


@pytest.mark.parametrize("speed", [10, 15, 20])
def test_people_who_meet_and_turn_back_keep_their_numbers_by_their_colors(speed: int) -> None:
    assert not meet_and_turn_back(IouTracker(), speed, with_colors=False)
    tracker = IouTracker()
    assert meet_and_turn_back(tracker, speed, with_colors=True)
    assert tracker.num_started == 2


@pytest.mark.parametrize("speed", [8, 20])
def test_people_who_pass_each_other_keep_their_numbers_by_their_colors(speed: int) -> None:
    tracker = IouTracker()
    for step in range(0, 600, speed):
        front, back = face(step), face(600 - step, 10)
        if abs(front.bbox[0] - back.bbox[0]) < 50:
            tracker.update([front], appearances=looks(RED, seed=step))
        else:
            found = tracker.update([front, back], appearances=looks(RED, BLUE, seed=step))
            assert (found[1], found[2]) == (front, back)
    assert tracker.num_started == 2


def test_people_in_the_same_colors_are_told_apart_by_their_motion() -> None:
    tracker = IouTracker()
    for step in range(0, 600, 12):
        front, back = face(step), face(600 - step, 10)
        found = tracker.update([front, back], appearances=looks(RED, RED, seed=step))
        assert (found[1], found[2]) == (front, back)


def test_a_face_beside_another_can_move_away() -> None:
    tracker = IouTracker()
    for _ in range(30):
        tracker.update([face(0), face(90)])
    for step in range(0, 300, 15):
        assert list(tracker.update([face(0), face(90 + step)])) == [1, 2]


def test_the_overlap_is_largest_over_all_faces() -> None:
    tracker = IouTracker()
    tracker.update([face(0), face(50)])
    # the second lies nearest to where the first was, but then the other would go nowhere
    assert list(tracker.update([face(35), face(90)])) == [1, 2]


def test_a_faint_face_continues_a_track_and_starts_none() -> None:
    tracker = IouTracker(min_confidence=0.8)
    faint, other = face(5, confidence=0.7), face(300, confidence=0.7)
    tracker.update([face(0, confidence=0.9)])
    assert tracker.update([faint, other]) == {1: faint}


def test_between_two_looks_faces_are_predicted_on_with_their_landmarks() -> None:
    tracker = IouTracker()
    for step in range(30):
        tracker.update([face(10 * step)])
    for step in (30, 31):
        (predicted,) = tracker.predict().values()
        assert predicted.bbox == pytest.approx((10 * step, 0, 10 * step + 100, 100), abs=0.1)
        assert predicted.landmarks is not None
        assert predicted.landmarks[0, 0] == pytest.approx(10 * step, abs=0.1)
    assert list(tracker.update([face(320)])) == [1]


@pytest.mark.parametrize("delay", [1, 3, 6])
def test_what_is_found_late_is_moved_on_to_the_present(delay: int) -> None:
    """A detector needs so many frames for one, and looks at the next one when it is done."""
    tracker = IouTracker()
    for searched in range(0, 100, delay + 1):
        for _ in range(delay):
            tracker.predict()
        found = tracker.update([face(5 * searched)], delay=delay)
        assert list(found) == [1]
    now = 5 * (searched + delay)
    assert found[1].bbox == pytest.approx((now, 0, now + 100, 100), abs=1)
    assert found[1].landmarks is not None
    assert found[1].landmarks[0, 0] == pytest.approx(now, abs=1)
    assert tracker.predict()[1].bbox[0] == pytest.approx(now + 5, abs=1)


def test_a_face_that_is_missing_is_not_predicted() -> None:
    tracker = IouTracker()
    tracker.update([face(0)])
    tracker.update([])
    assert tracker.predict() == {}


def test_tracks_go_on_in_a_picture_of_another_size() -> None:
    tracker = IouTracker()
    tracker.update([face(0), face(400)])
    tracker.rescale(2, 0.5)
    half, double = Detection((0, 0, 200, 50), 1.0), Detection((800, 0, 1000, 50), 1.0)
    assert tracker.update([half, double]) == {1: half, 2: double}


def test_lost_faces_are_forgotten() -> None:
    tracker = IouTracker(max_missed=2)
    for step in range(1000):
        tracker.update([face(500 * step)])
    assert list(tracker.track_ids) == [998, 999, 1000]


@pytest.mark.parametrize("detections", [[], [face(0)]])
def test_nobody_is_nobody(detections: Sequence[Detection]) -> None:
    tracker = IouTracker()
    assert tracker.update([]) == {}
    assert len(tracker.update(detections)) == len(detections)
