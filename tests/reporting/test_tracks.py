from __future__ import annotations

import numpy as np
import pytest

from faceattr.reporting.tracks import MOST_BINS, Look, Readings, Track
from faceattr.types import Classification, Estimate, Face


def face(happy: float, *, uncertain: bool = False) -> Face:
    mood = Classification({"happy": happy, "sad": 1 - happy})
    names = frozenset(["mood"] if uncertain else [])
    return Face((0, 0, 9, 9), 0.9, attributes={"mood": mood}, uncertain=names)


def test_readings_stay_few_and_keep_their_means() -> None:
    readings = Readings(2.0, "years")
    for step in range(100_000):
        readings.add(2 + step / 10, Estimate(20 + 10 * (step % 2), unit="years", std=4.0))
    times, rows = readings.series()
    assert len(times) <= MOST_BINS + 1
    assert (times[0], times[-1]) == (2.0, pytest.approx(10_002, rel=0.02))
    np.testing.assert_allclose(rows, np.tile([25, 4], (len(rows), 1)), atol=0.3)


def test_a_gap_is_left_empty() -> None:
    readings = Readings(0.0, ("day",))
    for now in (0.0, 0.05, 9.0):
        readings.add(now, Classification({"day": 1.0}))
    times, _ = readings.series()
    np.testing.assert_allclose(times, [0, 0.05, 0.1, np.nan, 9, 9.05])


def test_shares_are_those_of_the_frames() -> None:
    track = Track(1, 0.0, 0.0)
    for frame, one in enumerate([face(0.9), face(0.8), face(0.1), face(0.6, uncertain=True)]):
        track.add(one, frame / 10)
    assert track.shares("mood") == {"happy": 0.5, "sad": 0.25, "uncertain": 0.25}
    assert (track.first, track.last, track.num_frames) == (0.0, 0.3, 4)


def test_segments_are_as_long_as_their_label_lasts() -> None:
    track = Track(1, 0.0, 0.0)
    for frame in [*range(20), *range(40, 50)]:
        track.add(face(0.9 if 10 <= frame < 45 else 0.1), frame / 10)
    labels, starts, ends = zip(
        *((label, start, end) for start, end, label in track.segments("mood")), strict=True
    )
    assert labels == ("sad", "happy", "happy", "sad")
    np.testing.assert_allclose(starts, [0, 1, 4, 4.5], atol=0.051)
    np.testing.assert_allclose(ends, [1, 1.95, 4.5, 4.95], atol=0.051)


def test_the_best_look_of_each_label_is_kept() -> None:
    track = Track(1, 0.0, 0.0)
    assert track.wants(face(0.9), 0.2)
    track.keep(face(0.9), Look(0.2, 0.0, b"first", ""))
    assert not track.wants(face(0.9), 0.21)
    assert track.wants(face(0.9), 0.5)
    assert track.wants(face(0.1), 0.1)  # of another label
    track.keep(face(0.1), Look(0.1, 1.0, b"sad", ""))
    track.keep(face(0.9), Look(0.5, 2.0, b"second", ""))
    assert [look.jpeg for look in track.looks.values()] == [b"second", b"sad"]


def test_there_are_few_looks() -> None:
    track = Track(1, 0.0, 0.0)
    for number in range(9):
        one = Face((0, 0, 9, 9), 1, attributes={"x": Classification({f"label {number}": 1.0})})
        assert track.wants(one, 0.1 * 1.2**number)
        track.keep(one, Look(0.1 * 1.2**number, number, b"", ""))
    assert [look.timestamp for look in track.looks.values()] == [5, 6, 7, 8]
