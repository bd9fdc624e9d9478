from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scenes import frames, scene

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.images import load_image
from faceattr.streaming.sinks import timeline as module
from faceattr.streaming.sinks.timeline import TimelineSink
from faceattr.types import Attribute, BGRImage, Classification, Descriptor, Estimate, Face

FRAMES = frames([scene()] * 60)
HAPPY = Classification({"happy": 0.75, "sad": 0.25})
YEARS = Estimate(30, "years", 4.0)


def face(track_id: int, **attributes: Attribute) -> Face:
    return Face((0, 0, 10, 10), 1.0, attributes=attributes, track_id=track_id)


def draw(path: Path, faces: Sequence[Sequence[Face]]) -> BGRImage:
    with TimelineSink(path) as sink:
        for frame, seen in zip(FRAMES, faces, strict=False):
            sink.write(frame, seen)
    return load_image(path)


def test_there_is_a_row_per_track_and_a_column_per_attribute(tmp_path: Path) -> None:
    one = draw(tmp_path / "one.png", [[face(1, emotion=HAPPY)]] * 20)
    two = draw(tmp_path / "two.png", [[face(1, emotion=HAPPY, age=YEARS), face(2)]] * 20)
    assert one.shape[1] * 2 == two.shape[1]
    assert one.shape[0] < two.shape[0]


def test_descriptors_are_left_out(tmp_path: Path) -> None:
    vector = Descriptor(np.array([0.6, 0.8], np.float32))
    expected = draw(tmp_path / "age.png", [[face(1, age=YEARS)]] * 20)
    drawn = draw(tmp_path / "both.png", [[face(1, age=YEARS, identity=vector)]] * 20)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("label", ["$\\frac$", "_hidden", "嬉しい", "a\x1b[31m", "50 % & #"])
def test_labels_are_shown_as_they_are(tmp_path: Path, label: str) -> None:
    named = draw(tmp_path / "a.png", [[face(1, mood=Classification({label: 1.0}))]] * 20)
    other = draw(tmp_path / "b.png", [[face(1, mood=Classification({"x": 1.0}))]] * 20)
    assert named.shape == other.shape
    assert not np.array_equal(named, other)


def test_only_those_who_were_seen_longest_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TRACKS", 2)
    long = [face(1, age=YEARS), face(3, age=YEARS)]
    expected = draw(tmp_path / "few.png", [long] * 20)
    drawn = draw(tmp_path / "many.png", [[*long, face(2, age=YEARS)]] * 10 + [long] * 10)
    np.testing.assert_array_equal(drawn, expected)


def test_what_comes_late_or_is_interrupted_can_be_drawn(tmp_path: Path) -> None:
    faces = [[face(1)]] * 5 + [[face(1, emotion=HAPPY)]] * 10 + [[]] * 20
    faces += [[face(1, emotion=HAPPY, age=YEARS)], [face(2, emotion=HAPPY)]]
    assert draw(tmp_path / "late.png", faces).std() > 10


def test_a_picture_of_nobody_says_so(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "empty.png", [])
    rows, columns, _ = np.nonzero(drawn < 128)
    assert len(rows) > 0
    assert np.ptp(rows) < drawn.shape[0] / 4  # one line of words
    assert (rows.mean(), columns.mean()) == pytest.approx(np.array(drawn.shape[:2]) / 2, rel=0.2)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.nope", "ends in .*png"), ("no/a.png", "cannot be written: No such file")],
)
def test_a_picture_that_cannot_be_written_is_an_error_at_once(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(SinkError, match=message):
        TimelineSink(tmp_path / name)


def test_without_matplotlib_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'faceattr\[plot\]'"):
        TimelineSink(tmp_path / "a.png")
