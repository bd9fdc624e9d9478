from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from faces import FRAMES, KNOWN, TRACKED
from scenes import scene

from faceattr.streaming.statistics import FrameRate, Spread, TimeShares, TrackTable
from faceattr.types import Classification, Estimate, Face, Frame


def emotion(label: str, confidence: float = 0.6) -> Face:
    scores = dict.fromkeys(("happy", "sad", "fear", "angry"), (1 - confidence) / 3)
    return Face(
        (0, 0, 9, 9), 1.0, None, {"emotion": Classification(scores | {label: confidence})}, 1
    )


def sum_up(faces: Sequence[Face]) -> TrackTable:
    table = TrackTable()
    with table:
        for index, face in enumerate(faces):
            table.write(Frame(scene(), index, index / 10), [face])
    return table


def test_a_table_says_when_each_track_was_seen() -> None:
    table = TrackTable()
    with table:
        table.write(FRAMES[0], [KNOWN])
        table.write(FRAMES[5], [KNOWN, TRACKED])
        table.write(FRAMES[9], [KNOWN])
    assert table.presence == {4: (0.0, 0.9, 3), 3: (0.5, 0.5, 1)}
    assert list(table.summaries[4]) == ["emotion", "age"]
    assert table.summaries[3] == {}


def test_labels_are_summed_up_as_shares_of_the_time() -> None:
    faces = [emotion("happy", 0.4)] * 50 + [emotion("sad", 0.9)] * 42 + [emotion("fear")] * 8
    (summary,) = sum_up(faces).summaries[1].values()
    assert summary == TimeShares({"happy": 0.5, "sad": 0.42, "fear": 0.08})
    assert str(summary) == "happy 50%, sad 42%, fear 8%"


def test_rare_labels_are_left_out_in_words() -> None:
    shares = {"happy": 0.5, "sad": 0.3, "fear": 0.1, "angry": 0.1}
    assert str(TimeShares(shares)) == "happy 50%, sad 30%, fear 10%"
    assert str(TimeShares({"woman": 0.996, "man": 0.004})) == "woman 100%"


def test_uncertain_frames_have_a_share_of_their_own() -> None:
    unsure = replace(emotion("sad"), uncertain=frozenset({"emotion"}))
    summaries = sum_up([emotion("happy")] * 3 + [unsure]).summaries
    assert str(summaries[1]["emotion"]) == "happy 75%, uncertain 25%"


def test_frames_before_the_first_reading_do_not_count() -> None:
    summaries = sum_up([replace(emotion("sad"), attributes={})] * 7 + [emotion("sad")]).summaries
    assert str(summaries[1]["emotion"]) == "sad 100%"


def test_estimates_are_summed_up_by_their_median_and_spread() -> None:
    ages = [Estimate(value, "years", std) for value, std in ((20, 3), (30, 3), (28, 3), (30, 3))]
    faces = [Face((0, 0, 9, 9), 1.0, None, {"age": age}, 1) for age in ages]
    (summary,) = sum_up(faces).summaries[1].values()
    assert isinstance(summary, Spread)
    assert summary.median == 29
    assert summary.std == pytest.approx(np.hypot(np.std([20, 30, 28, 30]), 3))
    assert str(summary) == "29 ± 5 years"


def test_estimates_without_a_standard_deviation_spread_over_time() -> None:
    faces = [Face((0, 0, 9, 9), 1.0, None, {"age": Estimate(age, "years")}, 1) for age in (20, 24)]
    assert sum_up(faces).summaries[1]["age"] == Spread(22, 2, "years")


def test_the_rate_of_frames_is_that_of_late() -> None:
    times = iter([0.0, *np.arange(10.0, 13.0, 0.1), 13.5])
    rate = FrameRate(clock=lambda: next(times))
    rates = [rate.fps]
    for frame in (FRAMES * 2)[:32]:
        rate.write(frame, [])
        rates.append(rate.fps)
    assert rates[:3] == [0.0, 0.0, 0.1]
    assert rates[31:] == pytest.approx([10.0, 29 / 3.4])
