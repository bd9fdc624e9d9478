from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scenes import frames, scene

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.images import load_image
from faceattr.palette import color_of
from faceattr.streaming.sinks import timeline as module
from faceattr.streaming.sinks.timeline import FilmStrip, TimelineSink
from faceattr.types import Attribute, BGRImage, Classification, Descriptor, Estimate, Face, Frame

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


def test_a_title_is_written_above(tmp_path: Path) -> None:
    faces = [[face(1, emotion=HAPPY)]] * 20
    with TimelineSink(tmp_path / "a.png", title="party_$1.mp4") as sink:
        for frame, seen in zip(FRAMES, faces, strict=False):
            sink.write(frame, seen)
    titled, plain = load_image(tmp_path / "a.png"), draw(tmp_path / "b.png", faces)
    assert titled.shape == plain.shape
    assert (titled[:40] < 128).any()
    assert (plain[:10] == 255).all()


def test_axes_have_names(tmp_path: Path) -> None:
    named = axes_of([[face(1, emotion=HAPPY, age=YEARS)]] * 20, tmp_path)
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in named]
    assert labels[2:] == [("time in seconds", "probability"), ("time in seconds", "years")]


def axes_of(faces: Sequence[Sequence[Face]], folder: Path) -> list[Axes]:
    """Return the axes: strips of pictures, then the diagrams of each track."""
    sink = TimelineSink(folder / "a.png")
    with sink:
        for frame, seen in zip(FRAMES, faces, strict=False):
            sink.write(frame, seen)
    return sink._figure.axes


def test_labels_have_the_colors_that_they_have_everywhere(tmp_path: Path) -> None:
    gender = Classification({"woman": 0.7, "man": 0.3})
    axes = axes_of([[face(1, emotion=HAPPY, gender=gender)]] * 20, tmp_path)
    colors = {
        one.get_label(): to_hex(tuple(np.asarray(one.get_facecolor())[0]))
        for diagram in axes[2:]
        for one in diagram.collections
    }
    assert colors == {label: color_of(label) for label in ("happy", "sad", "woman", "man")}


def levels_of(strip: Axes) -> list[int]:
    return [round(float(np.asarray(image.get_array()).mean())) for image in strip.images]


@pytest.mark.parametrize("num_frames", [20, 100, 2000])
def test_a_strip_shows_frames_at_their_times(num_frames: int) -> None:
    strip = FilmStrip()
    for index in range(num_frames):
        level = round(200 * index / num_frames)
        strip.add(Frame(np.full((90, 160, 3), level, np.uint8), index, 5 + index / 10))
    axes = Figure().subplots()
    strip.draw(axes)
    middles = (np.arange(len(axes.images)) + 0.5) / len(axes.images)
    assert levels_of(axes) == pytest.approx(200 * middles, abs=200 / num_frames + 4)
    assert axes.get_xlim() == pytest.approx((5, 5 + (num_frames - 1) / 10))


def test_a_strip_of_a_long_stream_keeps_few_pictures() -> None:
    strip = FilmStrip()
    for index in range(5000):
        strip.add(Frame(np.zeros((9, 16, 3), np.uint8), index, index / 10))
        assert len(strip._pictures) < 2 * module.MOST_PICTURES
    gaps = np.diff([time for time, _ in strip._pictures])
    assert gaps.max() < 5000 / 10 / module.MOST_PICTURES * 2


@pytest.mark.parametrize("size", [(1, 1), (300, 10), (10, 300), (48, 64)])
def test_a_strip_takes_pictures_of_any_shape(size: tuple[int, int]) -> None:
    strip = FilmStrip()
    strip.add(Frame(np.zeros((*size, 3), np.uint8), 0, 0.0))
    axes = Figure().subplots()
    strip.draw(axes)
    assert len(axes.images) >= 1


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
