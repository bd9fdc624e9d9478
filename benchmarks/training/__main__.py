"""Measure trained heads: accuracy by the number of pictures, and cross-validation against a test.

    python -m benchmarks.training ../shared/data

Learns happy, sad and neutral from FER2013's Training rows and tests on its PublicTest rows; then
learns from one half of PublicTest, which the trunk was not trained on, and tests on the other.
Accuracies on the test are of the same mix of labels as in training, so that they can be compared
with those of the cross-validation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import faceattr
from faceattr.evaluation.datasets import LabelledSet, load_labelled_set
from faceattr.evaluation.metrics import ClassificationReport

TASKS = {
    "happy/sad/neutral": ("happy", "sad", "neutral"),
    "angry/fear/surprise": ("angry", "fear", "surprise"),
    "all seven": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
}
COUNTS = (20, 50, 200, 1000)  # pictures of each label
SEEDS = 3


class Result(NamedTuple):
    """One training, in shares of right answers."""

    validated: float
    low: float
    high: float
    tested: float
    built_in: float
    seconds: float


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with fer2013.npz")
    options = parser.parse_args()
    sets = [
        load_labelled_set(options.data / "fer2013.npz", attribute="emotion", split=split)
        for split in ("Training", "PublicTest")
    ]
    print("| pictures of each label | built-in | cross-validation | test | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    labels = TASKS["happy/sad/neutral"]
    for count in COUNTS:
        results = [
            measure(draw(sets[0], labels, count, seed), draw(sets[1], labels))
            for seed in range(SEEDS)
        ]
        print(to_row(str(count), results), flush=True)
    print("\n| half of PublicTest to the other | built-in | cross-validation | test | seconds |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, labels in TASKS.items():
        results = [
            measure(*halves(draw(sets[1], labels), labels, 200, seed)) for seed in range(SEEDS)
        ]
        print(to_row(name, results), flush=True)


def measure(data: LabelledSet, test: LabelledSet) -> Result:
    """Learn from one set, and test on the other."""
    began = time.perf_counter()
    training = faceattr.train(data, "feeling")
    seconds = time.perf_counter() - began
    assert isinstance(training.report, ClassificationReport)
    truth = np.array(next(iter(test.ground_truth.values())))
    pipeline = faceattr.Pipeline([training.analyzer, "emotion"])
    answers = pipeline.analyze_crops(test.pictures)
    labels = list(training.counts)
    own = np.array([answer["feeling"].label for answer in answers])  # type: ignore[union-attr]
    others = np.array(
        [
            max(labels, key=answer["emotion"].scores.__getitem__)  # type: ignore[union-attr]
            for answer in answers
        ]
    )
    shares = np.array(list(training.counts.values())) / sum(training.counts.values())

    def accuracy(given: NDArray[np.str_]) -> float:
        """Return the share of right answers if labels are as frequent as in training."""
        recalls = [float((given[truth == label] == label).mean()) for label in labels]
        return float(shares @ recalls)

    return Result(
        training.report.accuracy,
        *training.interval,
        tested=accuracy(own),
        built_in=accuracy(others),
        seconds=seconds,
    )


def draw(
    data: LabelledSet, labels: Sequence[str], count: int | None = None, seed: int = 0
) -> LabelledSet:
    """Return the pictures of some labels, or so many of each, drawn by chance."""
    truth = np.array(data.ground_truth["fer2013"])
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(truth == label))[:count] for label in labels]
    )
    return take(data, rows)


def halves(
    data: LabelledSet, labels: Sequence[str], count: int, seed: int
) -> Iterator[LabelledSet]:
    """Yield so many pictures of each label from one half, and the other half."""
    rows = np.random.default_rng(seed).permutation(len(data))
    yield draw(take(data, rows[::2]), labels, count, seed)
    yield take(data, rows[1::2])


def take(data: LabelledSet, rows: NDArray[np.integer]) -> LabelledSet:
    """Return some of the pictures."""
    truth = data.ground_truth["fer2013"]
    chosen = [data.pictures[row] for row in rows]
    ground_truth = {"fer2013": [truth[row] for row in rows]}
    return LabelledSet(data.name, chosen, ground_truth, are_crops=True)


def to_row(name: str, results: Sequence[Result]) -> str:
    """Return a row of a table: means over the seeds."""
    mean = Result(*np.mean(results, axis=0).tolist())
    return (
        f"| {name} | {mean.built_in:.1%} | {mean.validated:.1%} ({mean.low:.1%}–{mean.high:.1%}) | "
        f"{mean.tested:.1%} | {mean.seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
