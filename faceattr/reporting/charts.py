"""Distributions and timelines as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from faceattr.palette import UNCERTAIN_COLOR, color_of
from faceattr.reporting.markup import Html, element
from faceattr.types import UNCERTAIN

WIDTH = 340  # units of a distribution, about pixels
ROW, LABEL, COUNT = 26, 104, 76  # units: height of a bar's row, room for label and count
LONGEST_LABEL = 15  # letters
HEIGHT = 150  # units of a histogram, without its axis
FEWEST_BARS, MOST_BARS = 8, 20  # if the values fill them, by their number
MOST_TICKS = 6
LANE_HEIGHT = 22  # pixels of a track's row, as in page.css
LANE = 100  # units in which a timeline is high; its width is the same, as it is stretched


def label_color(label: str, labels: Iterable[str]) -> str:
    """Return the color of one of several labels, or of `uncertain`."""
    return UNCERTAIN_COLOR if label == UNCERTAIN else color_of(label, labels)


def bars(counts: Mapping[str, int], name: str) -> Html:
    """Return a bar per label, with its count and share.

    Args:
        counts: Number of faces by label, in the order of the bars.
        name: Of the attribute, for those who hear the page.
    """
    total = sum(counts.values())
    longest = max(counts.values(), default=0) or 1
    rows = []
    for index, (label, count) in enumerate(counts.items()):
        middle = index * ROW + ROW / 2
        length = (WIDTH - LABEL - COUNT) * count / longest
        short = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
        rows.append(
            element(
                "g",
                element("title", f"{label}: {count:,} of {total:,}"),
                element("text", short, x=LABEL - 10, y=middle, class_="label"),
                *(
                    [_rect(LABEL, middle - 8, length, 16, fill=label_color(label, counts))]
                    if count
                    else []
                ),
                element(
                    "text",
                    f"{count:,}",
                    element("tspan", f"  {_percent(count, total)}", class_="faint"),
                    x=LABEL + length + 8,
                    y=middle,
                ),
            )
        )
    said = ", ".join(f"{label} {_percent(count, total)}" for label, count in counts.items())
    return _svg(WIDTH, ROW * len(counts), f"{name}: {said}", rows)


def histogram(values: NDArray[np.float64], name: str, unit: str) -> Html:
    """Return a histogram of N numbers, N ≥ 1, with at most twenty bars."""
    edges = bin_edges(values)
    counts = np.histogram(values, edges)[0]
    step = WIDTH / len(counts)
    parts = []
    for index, count in enumerate(counts.tolist()):
        height = HEIGHT * count / max(counts.max(), 1)
        low, high = edges[index], edges[index + 1]
        parts.append(
            element(
                "g",
                element("title", f"{low:g} to {high:g} {unit}: {count:,}"),
                _rect(index * step, 0, step, HEIGHT, kind="hover"),
                _rect(index * step + 1, HEIGHT - height, step - 2, height, kind="plain"),
            )
        )
    low, high = edges[0], edges[-1]
    tick = max(_round_up((high - low) / MOST_TICKS), edges[1] - low)
    for value in np.arange(math.ceil(low / tick), math.floor(high / tick) + 1) * tick:
        x = (value - low) / (high - low) * WIDTH
        anchor = "start" if x < 12 else "end" if x > WIDTH - 12 else "middle"
        text = f"{value:g}"
        parts.append(element("text", text, x=x, y=HEIGHT + 18, text_anchor=anchor, class_="faint"))
    parts.append(element("line", x1=0, x2=WIDTH, y1=HEIGHT, y2=HEIGHT, class_="axis"))
    said = f"{name} in {unit}, from {values.min():.0f} to {values.max():.0f}"
    return _svg(WIDTH, HEIGHT + 24, f"{said}, median {np.median(values):.0f}", parts)


def bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return round numbers, equally far apart, between which N ≥ 1 values lie."""
    low, high = float(values.min()), float(values.max())
    num_bars = min(MOST_BARS, max(FEWEST_BARS, round(2 * math.sqrt(len(values)))))
    step = _round_up((high - low) / (num_bars - 1) or 1.0)
    first = math.floor(low / step)
    count = max(math.floor(high / step) - first + 1, 2)
    return np.arange(first, first + count + 1, dtype=np.float64) * step


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 and so on, or 0.5, 0.2, 0.1; for a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)


def shares_bar(shares: Mapping[str, float], labels: Sequence[str]) -> Html:
    """Return one bar whose parts are shares that sum to 1, in the order of the labels."""
    named = [label for label in [*labels, UNCERTAIN] if shares.get(label)]
    ends = list(accumulate(shares[label] for label in named))
    parts = [
        element(
            "g",
            element("title", f"{label} {shares[label]:.0%} of the time"),
            _rect(
                *(LANE * (end - shares[label]), 0, LANE * shares[label], 1),
                fill=label_color(label, labels),
            ),
        )
        for label, end in zip(named, ends, strict=True)
    ]
    return _svg(LANE, 1, ", ".join(f"{one} {shares[one]:.0%}" for one in named), parts, "strip")


def areas(
    times: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: Sequence[str],
    span: tuple[float, float],
    said: str,
) -> Html:
    """Return stacked areas: the probability of each label over time.

    Args:
        times: (N,) seconds; NaN where the face was away.
        scores: (N, C) probabilities.
        labels: C labels.
        span: Seconds at the left and right border.
        said: The chart in words.
    """
    tops = np.cumsum(scores, axis=1) / np.maximum(scores.sum(axis=1, keepdims=True), 1e-9)
    bottoms = np.hstack([np.zeros((len(tops), 1)), tops[:, :-1]])
    parts = []
    for run in _runs(times):
        x = _place(times[run], span)
        for index, label in enumerate(labels):
            if scores[run, index].max() < 0.02:  # would not be seen
                continue
            upper = _points(x, LANE * (1 - tops[run, index]))
            lower = _points(x[::-1], LANE * (1 - bottoms[run, index][::-1]))
            color = label_color(label, labels)
            shape = element("polygon", points=f"{upper} {lower}", fill=color, class_="mark")
            parts.append(element("g", element("title", label), shape))
    return _svg(LANE, LANE, said, parts, "lane")


def band(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    std: NDArray[np.float64],
    span: tuple[float, float],
    scale: tuple[float, float],
    said: str,
) -> Html:
    """Return a line of numbers over time, inside a band of one standard deviation.

    Args:
        times: (N,) seconds; NaN where the face was away.
        values: (N,) numbers.
        std: (N,) standard deviations; zeros for no band.
        span: Seconds at the left and right border.
        scale: Numbers at the lower and upper border.
        said: The chart in words.
    """
    parts = []
    for run in _runs(times):
        x = _place(times[run], span)
        low, high = (
            LANE * (1 - _place(values[run] + sign * std[run], scale) / LANE) for sign in (-1, 1)
        )
        around = f"{_points(x, high)} {_points(x[::-1], low[::-1])}"
        parts.append(element("polygon", points=around, class_="band"))
        middle = LANE - _place(values[run], scale)
        line = "M" + _points(x, middle).replace(" ", "L")
        parts.append(element("path", d=line, class_="line", vector_effect="non-scaling-stroke"))
    return _svg(LANE, LANE, said, parts, "lane")


def lanes(
    tracks: Sequence[Sequence[tuple[float, float, str]]], span: tuple[float, float], said: str
) -> Html:
    """Return a lane per track with what holds when: (from, to, color) in seconds."""
    parts = []
    for row, segments in enumerate(tracks):
        for start, end, color in segments:
            left, right = _place(np.array([start, end]), span)
            width = max(right - left, 0.3)
            parts.append(_rect(left, row * LANE_HEIGHT + 4, width, LANE_HEIGHT - 8, fill=color))
    return _svg(LANE, LANE_HEIGHT * len(tracks), said, parts, "lanes")


def dot(color: str) -> Html:
    """Return a dot of a color, before the words that it stands for."""
    circle = element("circle", cx=5, cy=5, r=4.5, fill=color, class_="mark")
    return element("svg", circle, viewBox="0 0 10 10", class_="dot", aria_hidden="true")


def _runs(times: NDArray[np.float64]) -> Iterator[slice]:
    """Yield the parts between NaNs."""
    away = np.flatnonzero(np.isnan(times))
    borders = [-1, *away.tolist(), len(times)]
    for before, after in pairwise(borders):
        if after - before > 1:
            yield slice(before + 1, after)


def _place(values: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    """Return where values lie between the borders: 0 to 100."""
    low, high = span
    return np.clip((values - low) / ((high - low) or 1.0), 0, 1) * LANE


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    return " ".join(f"{a:.2f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _rect(
    x: float, y: float, width: float, height: float, *, kind: str = "mark", fill: str | None = None
) -> Html:
    numbers = {"x": x, "y": y, "width": width, "height": height}
    rounded = {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in numbers.items()}
    return element("rect", **rounded, fill=fill, class_=kind)


def _svg(
    width: float, height: float, said: str, parts: Sequence[Html], kind: str | None = None
) -> Html:
    """Return a picture that says in words what it shows; one of a kind is stretched by CSS."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none" if kind else None,
        class_=kind or "chart",
        role="img",
        aria_label=said,
        height=height if kind == "lanes" else None,
    )


def _percent(count: int, total: int) -> str:
    return f"{count / total:.0%}" if total else ""
