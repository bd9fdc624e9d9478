"""Measure detectors: accuracy on WIDER FACE against time, and small faces in large images.

    python -m benchmarks.detectors search ../shared/data/wider
    python -m benchmarks.detectors time ../shared/data/wider
    python -m benchmarks.detectors report ../shared/data/wider

The first stores what each detector finds; most of its time goes to dlib-cnn. The second takes three
minutes on two cores, and nothing else should run meanwhile. The third writes ``detectors.md`` and
``detectors.png`` from both. They need ``pip install 'faceattr[bench]'``.

Two tables help to choose a detector. Two more check what the detectors promise: that a confidence
is a probability, that boxes are framed alike, and that emotions do not depend on which detector
found the face. The corrections in `faceattr.detectors` were fitted to the same pictures; they are
the columns of the table "calibration".
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from benchmarks.detectors import report
from benchmarks.detectors.candidates import Calls, all_candidates
from benchmarks.detectors.data import AnnotatedImage, read_wider
from benchmarks.detectors.scoring import Found
from benchmarks.machine import time_calls
from faceattr.engines import create_engine
from faceattr.types import BGRImage

NUM_TIMED = 10  # images
TIMED_SECONDS = 2.5  # for one detector at one size


def main() -> None:
    """Do one part of the measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("search", "time", "report"))
    parser.add_argument("wider", type=Path, help="images/ and wider_face_val_bbx_gt.txt")
    parser.add_argument("--output", type=Path, default=Path("runs/detectors"), metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="search or time only these")
    options = parser.parse_args()

    images = read_wider(options.wider)
    if options.part == "report":
        write_report(options.output, images)
        return
    folder = options.output / options.part
    folder.mkdir(parents=True, exist_ok=True)
    for candidate in all_candidates(create_engine()):
        if options.only is None or candidate.name in options.only:
            detector = candidate.load()
            measure = search if options.part == "search" else seconds_per_image
            (folder / f"{candidate.name}.pickle").write_bytes(
                pickle.dumps(measure(detector, images))
            )


def search(detector: Calls, images: Sequence[AnnotatedImage]) -> Found:
    """Return all detections in all images, also those of low confidence."""
    return {index: detector.detect_all(image.read()) for index, image in enumerate(images)}


def seconds_per_image(detector: Calls, images: Sequence[AnnotatedImage]) -> list[float]:
    """Return the mean time per image for each of `report.TIMED_SIZES`."""
    timed = [image.read() for image in images[:: len(images) // NUM_TIMED]]
    return [seconds_at(size, detector, timed) for size in report.TIMED_SIZES]


def seconds_at(size: tuple[int, int], detector: Calls, images: Sequence[BGRImage]) -> float:
    """Return the mean time per image at one size, as the median of several rounds."""
    resized = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    rounds = time_calls(lambda: list(map(detector.detect, resized)), TIMED_SECONDS, at_least=1)
    return median(rounds) / len(resized)


def write_report(output: Path, images: Sequence[AnnotatedImage]) -> None:
    """Write tables and chart of what was stored."""

    def stored(part: str) -> dict[str, Any]:
        return {
            one.name: pickle.loads((output / part / f"{one.name}.pickle").read_bytes())
            for one in candidates
        }

    engine = create_engine()
    candidates = list(all_candidates(engine))
    found, times = stored("search"), stored("time")
    tables = [
        report.accuracy_table(candidates, images, found, times),
        report.far_table(engine, images),
        report.calibration_table(images, found),
        report.emotion_table(engine, candidates, images, found),
    ]
    text = "\n".join(f"{table.title}\n\n{table.to_markdown()}" for table in tables)
    (output / "detectors.md").write_text(f"{report.circumstances(images)}\n\n{text}")
    report.plot(output / "detectors.png", images, found, times)
    print(text)


if __name__ == "__main__":
    main()
