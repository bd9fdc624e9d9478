"""Tables and a chart of what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from benchmarks.detectors.calibration import box_offset, platt_scaling
from benchmarks.detectors.candidates import OURS, Candidate
from benchmarks.detectors.data import AnnotatedImage, far_image
from benchmarks.detectors.emotions import MIN_SIZE, emotion_agreement
from benchmarks.detectors.scoring import Found, match, score
from benchmarks.machine import processor
from faceattr.detectors import detectors
from faceattr.detectors.base import LoadedDetector
from faceattr.engines.base import Engine
from faceattr.evaluation.tables import Table
from faceattr.options import SearchOptions

MIN_SIZES = (20, 50)  # pixels, longer sides from which on faces count
TIMED_SIZES = ((640, 480), (1280, 720), (1920, 1080))  # pixels, of the images that are timed

FAR_NAMES = ("mtcnn", "yunet", "ssd", "haar", "dlib-hog")
FAR_SIZES = (16, 24, 32)  # pixels, longer sides of the faces in a large image
FAR_OPTIONS: Mapping[str, Mapping[str, int]] = {"": {}, ", tile_size=1024": {"tile_size": 1024}}

CHART_LABELS = {"OpenCV's YuNet": ("right", (-7, 3)), "yunet, min_face=20": ("right", (4, -11))}
"""Labels of points that would hide another label: their alignment, and offset in points."""


def circumstances(images: Sequence[AnnotatedImage]) -> str:
    """Return a sentence on when, where and on what was measured."""
    return (
        f"{date.today()}, {os.cpu_count()} cores of {processor()}, Python "
        f"{platform.python_version()}, OpenCV {cv2.__version__}; {len(images)} pictures of WIDER "
        f"FACE val, {sum(len(image.boxes) for image in images)} faces."
    )


def accuracy_table(
    candidates: Sequence[Candidate],
    images: Sequence[AnnotatedImage],
    found: Mapping[str, Found],
    times: Mapping[str, Sequence[float]],
) -> Table:
    """Return a table of accuracy and time.

    Args:
        candidates: The detectors.
        images: Images with their faces.
        found: The detections of each.
        times: Seconds per image of each, by `TIMED_SIZES`.
    """
    header = ["detector"]
    header += [f"AP ≥ {size} px" for size in MIN_SIZES]
    header += [f"recall ≥ {size} px" for size in MIN_SIZES]
    header += [f"{width}×{height}" for width, height in TIMED_SIZES]
    rows = []
    for one in candidates:
        scores = [score(images, found[one.name], size) for size in MIN_SIZES]
        num_images = scores[0].num_images
        note = f" (on {num_images} of {len(images)} pictures)"
        rows.append(
            [
                one.name + (note if num_images < len(images) else ""),
                *(f"{100 * part.average_precision:.1f}" for part in scores),
                *(f"{100 * part.recall:.1f}" for part in scores),
                *(f"{1000 * seconds:.0f} ms" for seconds in times[one.name]),
            ]
        )
    return Table(
        "Accuracy in percent on faces from a size on, recall at one false detection per picture, "
        "and mean time of a picture.",
        header,
        rows,
    )


def far_table(engine: Engine, images: Sequence[AnnotatedImage]) -> Table:
    """Return a table of how many of the small faces in a large image are found."""
    targets = [far_image(images, size) for size in FAR_SIZES]
    rows = []
    for name in FAR_NAMES:
        for suffix, options in FAR_OPTIONS.items():
            row = [name + suffix]
            for size, (image, boxes) in zip(FAR_SIZES, targets, strict=True):
                search = SearchOptions(min_face=0.75 * size, **options)
                detector = LoadedDetector(detectors.create(name), engine, search)
                detections = detector.detect(image)
                faces = [face for face in match(detections, boxes) if face is not None]
                row.append(f"{len(set(faces))} of {len(boxes)} (+{len(detections) - len(faces)})")
            rows.append(row)
    return Table(
        "Faces of a given size found in a picture of 3840×2160 with `min_face` at 3/4 of it, and "
        "other detections (+).",
        ["detector", *(f"{size} px" for size in FAR_SIZES)],
        rows,
    )


def calibration_table(images: Sequence[AnnotatedImage], found: Mapping[str, Found]) -> Table:
    """Return a table of the corrections that boxes and confidences need.

    They are what a detector's offset of boxes and Platt scaling in `faceattr.detectors` are
    made of.
    """
    rows = []
    for name, detections in found.items():
        values = [*box_offset(images, detections), *platt_scaling(images, detections)]
        rows.append([name, *(f"{value:.2f}" for value in values)])
    return Table(
        "Corrections that the boxes and the log-odds of confidences need: 0, 0, 1, 1 and 0, 1 "
        "mean none.",
        ["detector", "right", "down", "wider", "higher", "midpoint", "slope"],
        rows,
    )


def emotion_table(
    engine: Engine,
    candidates: Sequence[Candidate],
    images: Sequence[AnnotatedImage],
    found: Mapping[str, Found],
) -> Table:
    """Return a table of how often a face has the emotion that it has by MTCNN's landmarks."""
    rows = []
    for name, agreement in emotion_agreement(engine, candidates, images, found).items():
        shares = [f"{100 * np.mean(hits):.1f}" if hits else "–" for hits in agreement.values()]
        rows.append([name, str(len(agreement["mean"])), *shares])
    return Table(
        f"Same emotion as by MTCNN's box and landmarks, on faces of {MIN_SIZE} px or more that "
        "both find: by the detector's own landmarks, borrowed ones, and those of a mean face.",
        ["detector", "faces", "own", "borrowed", "mean"],
        rows,
    )


def plot(
    path: Path,
    images: Sequence[AnnotatedImage],
    found: Mapping[str, Found],
    times: Mapping[str, Sequence[float]],
) -> None:
    """Draw accuracy over time at the first of `TIMED_SIZES` into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for name, detections in found.items():
        precision = score(images, detections, MIN_SIZES[0]).average_precision
        point = 1000 * times[name][0], 100 * precision
        color, fill = ("C0", "full") if name in OURS else ("C1", "none")
        axes.plot(*point, "o", color=color, fillstyle=fill)
        side, offset = CHART_LABELS.get(name, ("left", (7, 0)))
        axes.annotate(
            name,
            point,
            xytext=offset,
            textcoords="offset points",
            horizontalalignment=side,
            verticalalignment="center",
            fontsize=9,
        )
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.1)
    axes.set_xticks([10, 100, 1000], ["10", "100", "1000"])
    width, height = TIMED_SIZES[0]
    axes.set_xlabel(f"time of a picture of {width}×{height} px [ms]")
    axes.set_ylabel(f"average precision on faces ≥ {MIN_SIZES[0]} px [%]")
    axes.grid(which="both", alpha=0.3)
    figure.savefig(path)
