"""Figures of an evaluation as charts, drawn by Matplotlib."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec, crop_faces
from faceattr.arguments import explained
from faceattr.errors import FaceattrError, MissingDependencyError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.evaluate import Evaluation
from faceattr.evaluation.metrics import CALIBRATION_BINS, ClassificationReport
from faceattr.evaluation.predictions import truth_of
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.types import BGRImage, Classification, Estimate

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure  # not pyplot, which looks for a display
except ImportError as error:
    raise MissingDependencyError("charts need Matplotlib: pip install 'faceattr[plot]'") from error

CELL, MARGIN = 0.9, 2.0  # inches: side of a cell, room for labels and title
DARK = 0.5  # share of a row; cells above it are dark, so their text is white


SIDE = 6.0  # inches of other charts
TILE, TILE_PIXELS, COLUMNS = 1.5, 160, 6  # inches and pixels of a picture on a sheet; in a row
MOST_MISTAKES = 24
MOST_POINTS = 20_000  # of a scatter; more take long and look the same
MEDIANS, ENOUGH_POINTS = 20, 5  # of a scatter, each of at least so many points
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#888888"  # Okabe and Ito, 2008

CROP = CropSpec(size=(TILE_PIXELS, TILE_PIXELS), color="bgr", mode="box", margin=0.3)


@explained
def draw_confusion(report: ClassificationReport, *, title: str) -> BGRImage:
    """Return an image of the confusion matrix: a row per true label, a column per answer.

    Each cell has its share of the row, darker where it is larger, and its count.
    """
    side = CELL * len(report.labels) + MARGIN
    figure = Figure(figsize=(side, side), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    labels = [*map(_plain, report.labels)]
    shares = report.confusion / np.maximum(report.support, 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > DARK else "black"
        text = f"{share:.0%}\n{report.confusion[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    ticks = range(len(report.labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set(title=title, xlabel="answer", ylabel="ground truth")
    axes.title.set_wrap(True)
    return _to_image(figure)


@explained
def draw_reliability(report: ClassificationReport, *, title: str) -> BGRImage:
    """Return a reliability diagram: the share of right answers by confidence.

    Bars on the diagonal are well calibrated; below it, the model is too sure of itself. Below
    them stands how many answers have each confidence.
    """
    figure, (axes, counts) = _figure(title, rows=2, heights=(3, 1))
    rows, confidence, accuracy = report.reliability.T
    edges = np.arange(CALIBRATION_BINS) / CALIBRATION_BINS
    width = 1 / CALIBRATION_BINS
    axes.bar(edges, accuracy, width, align="edge", color=BLUE, edgecolor="white", label="right")
    known = rows > 0
    axes.plot(confidence[known], accuracy[known], "o", color=ORANGE, label="mean confidence")
    axes.plot([0, 1], [0, 1], "--", color=GRAY, label="well calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
    axes.legend(loc="upper left", frameon=False)
    counts.bar(edges, rows, width, align="edge", color=GRAY, edgecolor="white")
    counts.set(xlim=(0, 1), xlabel="confidence", ylabel="answers")
    return _to_image(figure)


@explained
def draw_scatter(
    values: NDArray[np.floating], ground_truth: NDArray[np.floating], *, unit: str, title: str
) -> BGRImage:
    """Return a scatter of N estimates against the truth, with the diagonal and running medians."""
    figure, (axes,) = _figure(title)
    _draw_points(axes, ground_truth, values, level=None)
    borders = [min(values.min(), ground_truth.min()), max(values.max(), ground_truth.max())]
    axes.plot(borders, borders, "--", color=GRAY, label="estimate = truth")
    axes.set(xlabel=f"truth, {unit}", ylabel=f"estimate, {unit}")
    axes.legend(loc="upper left", frameon=False)
    return _to_image(figure)


@explained
def draw_residuals(
    values: NDArray[np.floating], ground_truth: NDArray[np.floating], *, unit: str, title: str
) -> BGRImage:
    """Return the errors of N estimates against the truth, and how many there are of each size."""
    figure, (axes, counts) = _figure(title, rows=2, heights=(2, 1))
    errors = values - ground_truth
    _draw_points(axes, ground_truth, errors, level=0.0)
    axes.set(xlabel=f"truth, {unit}", ylabel=f"estimate − truth, {unit}")
    axes.legend(loc="upper right", frameon=False)
    room = 0.5 if np.ptp(errors) < 1 else 0.0  # equal errors have no range
    counts.hist(errors, bins=40, range=(errors.min() - room, errors.max() + room), color=BLUE)
    counts.axvline(0, color=GRAY, linestyle="--")
    counts.set(xlabel=f"estimate − truth, {unit}", ylabel="pictures")
    return _to_image(figure)


@explained
def draw_mistakes(
    evaluation: Evaluation,
    data: LabelledSet,
    source: str,
    *,
    title: str,
    pipeline: Pipeline | None = None,
) -> BGRImage | None:
    """Return a sheet of the worst mistakes: the surest wrong answers, or the largest errors.

    Args:
        evaluation: As `evaluate` returns it.
        data: The set that was evaluated; its images are read again.
        source: The source of ground truth.
        title: Of the sheet.
        pipeline: Finds the faces, to show them larger; None to show the whole images.

    Returns:
        The sheet, or None if there is no mistake.
    """
    worst = list(islice(_mistakes(evaluation, source), MOST_MISTAKES))
    if not worst:
        return None
    num_rows = math.ceil(len(worst) / COLUMNS)
    figure = Figure(figsize=(TILE * COLUMNS, (TILE + 0.45) * num_rows + 0.6), layout="constrained")
    figure.suptitle(_plain(title), wrap=True)
    grid = figure.subplots(num_rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, (row, words) in zip(grid[: len(worst)], worst, strict=True):
        axes.set_title(_plain(words), fontsize=8)
        tile = _tile(data, row, pipeline)
        if tile is not None:
            axes.imshow(tile[..., ::-1])
    return _to_image(figure)


def _mistakes(evaluation: Evaluation, source: str) -> Iterator[tuple[int, str]]:
    """Yield the row of each wrong answer and what to say of it, the worst first."""
    comparison = evaluation.ground_truth[source]
    found: list[tuple[float, int, str]] = []
    for row, answer in enumerate(evaluation.answers):
        truth = truth_of(comparison, row)
        if truth is None or answer is None:
            continue
        if isinstance(answer, Classification) and answer.label != truth:
            words = f"{answer.label} {answer.confidence:.0%}\ntruth: {truth}"
            found.append((answer.confidence, row, words))
        elif isinstance(answer, Estimate) and isinstance(truth, float):
            words = f"{answer.value:.0f} {answer.unit}\ntruth: {truth:g}"
            found.append((abs(answer.value - truth), row, words))
    found.sort(key=lambda one: -one[0])
    yield from ((row, words) for size, row, words in found if size > 0)


def _tile(data: LabelledSet, row: int, pipeline: Pipeline | None) -> BGRImage | None:
    """Return the face of an image, or all of the image; None if it cannot be read any more."""
    try:
        image = load_image(data.pictures[row])
        faces = [] if data.are_crops or pipeline is None else pipeline.detect(image)
    except FaceattrError:
        return None
    return crop_faces(image, faces[:1], CROP)[0] if faces else image


def _figure(
    title: str, *, rows: int = 1, heights: Sequence[float] = (1,)
) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(SIDE, SIDE * 1.1), dpi=100, layout="constrained")
    figure.suptitle(_plain(title), wrap=True)
    axes = figure.subplots(rows, squeeze=False, height_ratios=heights)[:, 0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _draw_points(
    axes: Axes, x: NDArray[np.floating], y: NDArray[np.floating], *, level: float | None
) -> None:
    """Draw points, the medians of those beside each other, and a level that they should have."""
    shown = slice(None, None, max(len(x) // MOST_POINTS, 1))
    axes.plot(x[shown], y[shown], ".", color=BLUE, alpha=0.35, markersize=4)
    edges = np.linspace(x.min(), x.max(), MEDIANS + 1)
    parts = np.digitize(x, edges[1:-1])
    known = [part for part in range(MEDIANS) if np.count_nonzero(parts == part) >= ENOUGH_POINTS]
    middles = [[np.median(axis[parts == part]) for part in known] for axis in (x, y)]
    axes.plot(*middles, "o-", color=ORANGE, markersize=3, label="median")
    if level is not None:
        axes.axhline(level, color=GRAY, linestyle="--")


def _plain(text: str) -> str:
    """Return text that Matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _to_image(figure: Figure) -> BGRImage:
    png = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(png, format="png")
    return np.asarray(cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), cv2.IMREAD_COLOR))
