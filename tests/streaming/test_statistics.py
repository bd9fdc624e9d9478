from __future__ import annotations

import numpy as np
import pytest
from faces import FACE, FRAMES, KNOWN, TRACKED

from faceattr.streaming.statistics import FrameRate, TrackTable


def test_each_track_is_summed_up() -> None:
    table = TrackTable()
    with table:
        table.write(FRAMES[0], [KNOWN])
        table.write(FRAMES[5], [KNOWN, TRACKED])
        table.write(FRAMES[9], [KNOWN])
    assert table.presence == {4: (0.0, 0.9, 3), 3: (0.5, 0.5, 1)}
    assert table.attributes == {4: FACE.attributes, 3: {}}


def test_the_rate_of_frames_is_that_of_late() -> None:
    times = iter([0.0, *np.arange(10.0, 13.0, 0.1), 13.5])
    rate = FrameRate(clock=lambda: next(times))
    rates = [rate.fps]
    for frame in (FRAMES * 2)[:32]:
        rate.write(frame, [])
        rates.append(rate.fps)
    assert rates[:3] == [0.0, 0.0, 0.1]
    assert rates[31:] == pytest.approx([10.0, 29 / 3.4])
