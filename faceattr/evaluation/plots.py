"""Figures of an evaluation as charts, drawn by Matplotlib."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np

from faceattr.arguments import explained
from faceattr.errors import MissingDependencyError
from faceattr.evaluation.metrics import ClassificationReport
from faceattr.types import BGRImage

try:
    from matplotlib.figure import Figure  # not pyplot, which looks for a display
except ImportError as error:
    raise MissingDependencyError("charts need Matplotlib: pip install 'faceattr[plot]'") from error

CELL, MARGIN = 0.9, 2.0  # inches: side of a cell, room for labels and title
DARK = 0.5  # share of a row; cells above it are dark, so their text is white


@explained
def draw_confusion(report: ClassificationReport, *, title: str) -> BGRImage:
    """Return an image of the confusion matrix: a row per true label, a column per answer.

    Each cell has its share of the row, darker where it is larger, and its count.
    """
    side = CELL * len(report.labels) + MARGIN
    figure = Figure(figsize=(side, side), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    shares = report.confusion / np.maximum(report.support, 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > DARK else "black"
        text = f"{share:.0%}\n{report.confusion[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    ticks = range(len(report.labels))
    axes.set_xticks(ticks, report.labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, report.labels)
    axes.set(title=title, xlabel="answer", ylabel="ground truth")
    axes.title.set_wrap(True)
    png = BytesIO()
    figure.savefig(png, format="png")
    return np.asarray(cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), cv2.IMREAD_COLOR))
