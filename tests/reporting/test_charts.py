from __future__ import annotations

import re

import numpy as np
import pytest

from faceattr.palette import LABEL_COLORS
from faceattr.reporting import charts


def numbers_of(svg: str, attribute: str, kind: str) -> list[float]:
    """Return an attribute of the rectangles of a kind."""
    rects = [one for one in re.findall(r"<rect [^>]*>", svg) if f'class="{kind}"' in one]
    return [float(re.findall(rf' {attribute}="([^"]*)"', one)[0]) for one in rects]


def test_bars_are_as_long_as_their_counts() -> None:
    svg = charts.bars({"happy": 30, "sad": 10, "angry": 0}, "emotion")
    long, short = numbers_of(svg, "width", "mark")  # nothing is drawn for nothing
    assert long == pytest.approx(3 * short, abs=0.1)
    assert 'aria-label="emotion: happy 75%, sad 25%, angry 0%"' in svg
    assert f'fill="{LABEL_COLORS["sad"]}"' in svg


def test_a_label_is_text() -> None:
    svg = charts.bars({"<b>a very long label</b>": 1}, "x")
    assert "<b>" not in svg
    assert "&lt;b&gt;a very long label&lt;/b&gt;: 1 of 1" in svg


def test_a_histogram_counts_all_values() -> None:
    values = np.array([20.0, 21, 29, 30, 39.9, 40])
    svg = charts.histogram(values, "age", "years")
    heights = numbers_of(svg, "height", "plain")
    assert sum(heights) / max(heights) * 2 == pytest.approx(len(values))  # two in the highest
    assert "age in years, from 20 to 40, median 30" in svg


def test_the_axis_has_no_more_numbers_than_bars() -> None:
    svg = charts.histogram(np.array([38.0]), "age", "years")
    assert re.findall(r">([\d.]+)</text>", svg) == ["38", "39", "40"]


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0, 100], range(0, 121, 20)),
        ([3.0], (3, 4, 5)),
        ([-0.5, 0.2], np.arange(-0.5, 0.31, 0.1)),
        ([1e6, 1e6 + 7], 1e6 + np.arange(9)),
    ],
)
def test_edges_are_round_and_hold_the_values(values: list[float], edges: list[float]) -> None:
    found = charts.bin_edges(np.array(values, float))
    np.testing.assert_allclose(found, list(edges), atol=1e-9)


def test_many_values_have_more_bars() -> None:
    values = np.linspace(0, 99, 1000)
    assert len(charts.bin_edges(values)) - 1 == 10
    assert len(charts.bin_edges(values * 0.9)) - 1 == 18


def test_areas_stop_where_the_face_was_away() -> None:
    times = np.array([0, 1, np.nan, 3, 4])
    scores = np.tile([0.75, 0.25], (5, 1))
    svg = charts.areas(times, scores, ["day", "night"], (0, 4), "light")
    polygons = re.findall(r'points="([^"]*)"', svg)
    assert len(polygons) == 4
    assert polygons[0].split() == ["0.00,25.0", "25.00,25.0", "25.00,100.0", "0.00,100.0"]
    assert polygons[3].startswith("75.00,0.0 100.00,0.0")


def test_labels_never_seen_are_not_drawn() -> None:
    svg = charts.areas(np.arange(3.0), np.tile([1.0, 0.0], (3, 1)), ["a", "b"], (0, 2), "")
    assert svg.count("<polygon") == 1


def test_a_band_lies_around_its_line() -> None:
    times, values = np.array([0.0, 1.0]), np.array([30.0, 40.0])
    svg = charts.band(times, values, np.array([10.0, 0.0]), (0, 1), (20, 40), "age")
    assert 'd="M0.00,50.0L100.00,0.0"' in svg
    assert 'points="0.00,0.0 100.00,0.0 100.00,0.0 0.00,100.0"' in svg


def test_shares_fill_their_bar() -> None:
    svg = charts.shares_bar({"sad": 0.25, "happy": 0.75}, ["happy", "sad"])
    assert numbers_of(svg, "x", "mark") == [0, 75]
    assert numbers_of(svg, "width", "mark") == [75, 25]
