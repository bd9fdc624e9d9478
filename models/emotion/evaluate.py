"""Measure the emotion network that ships, and write the figures into its card.

    python models/emotion/evaluate.py fer2013.npz

Runs on FER2013's PublicTest, which no training sees. Writes figures.json and the part of
README.md between its two marks. Measure alone on the machine: the times are of one thread.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.emotion import LABELS, EmotionAnalyzer
from faceattr.detectors.mtcnn import MtcnnDetector
from faceattr.engines import create_engine
from faceattr.pipeline import Pipeline
from faceattr.types import Classification, Face

HERE = Path(__file__).parent
ASSET = HERE.parents[1] / "faceattr" / "assets" / "emotion.npz"
PUBLIC_TEST = 1  # value of `split`
FERPLUS_COLUMNS = (4, 5, 6, 1, 3, 2, 0)  # of each label in the FER+ votes
ENLARGED, PADDING = 4, 0.5  # how a 48×48 picture becomes one to find a face in


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with images, label, split, ferplus_votes")
    with np.load(parser.parse_args().data) as data:
        rows = data["split"] == PUBLIC_TEST
        images, labels = data["images"][rows], data["label"][rows].astype(int)
        votes = data["ferplus_votes"][rows].astype(int)
    scores = predict(images)
    predicted, majority = scores.argmax(axis=1), majority_of(votes)
    agreed = majority >= 0
    figures = {
        **json.loads((HERE / "export.json").read_text()),
        "asset_bytes": ASSET.stat().st_size,
        "rows": len(labels),
        "accuracy": accuracy(predicted, labels),
        "rows_ferplus": int(agreed.sum()),
        "accuracy_ferplus": accuracy(predicted[agreed], majority[agreed]),
        "recall": recalls(predicted, labels),
        "recall_ferplus": recalls(predicted[agreed], majority[agreed]),
        "confusion": confusion(predicted, labels).tolist(),
        "confusion_ferplus": confusion(predicted[agreed], majority[agreed]).tolist(),
        "calibration_error": calibration_error(scores, labels),
        "calibration_error_ferplus": calibration_error(scores[agreed], majority[agreed]),
        "served": served(images, predicted, labels, majority),
        "milliseconds_per_face": times(),
    }
    (HERE / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    card = HERE / "README.md"
    marked = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
    card.write_text(
        marked.sub(lambda match: match[1] + describe(figures) + match[2], card.read_text())
    )


def predict(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the (N, 7) scores of (N, 48, 48) pictures, by the analyzer that ships."""
    analyzer = EmotionAnalyzer()
    analyzer.load(create_engine())
    batches = np.split(images[..., None], range(256, len(images), 256))
    return np.array([list(read.scores.values()) for b in batches for read in analyzer.predict(b)])


def majority_of(votes: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return the label with more than half of all FER+ votes; -1 if none of the seven has."""
    seven = votes[:, FERPLUS_COLUMNS]
    return np.where(2 * seven.max(axis=1) > votes.sum(axis=1), seven.argmax(axis=1), -1)


def accuracy(predicted: NDArray[np.int_], truth: NDArray[np.int_]) -> float:
    """Return the share of rows that are right."""
    return float((predicted == truth).mean())


def recalls(predicted: NDArray[np.int_], truth: NDArray[np.int_]) -> dict[str, float]:
    """Return for each label the share of its rows that are right."""
    matrix = confusion(predicted, truth)
    return {label: float(matrix[i, i] / matrix[i].sum()) for i, label in enumerate(LABELS)}


def confusion(predicted: NDArray[np.int_], truth: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return (7, 7) counts: a row is what is true, a column what was said."""
    matrix = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def calibration_error(scores: NDArray[np.float64], truth: NDArray[np.int_]) -> float:
    """Return the expected calibration error over ten bins of confidence."""
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(right[bins == b].sum() - confidence[bins == b].sum()) for b in range(10)]
    return float(sum(gaps) / len(truth))


def served(
    images: NDArray[np.uint8],
    predicted: NDArray[np.int_],
    labels: NDArray[np.int_],
    majority: NDArray[np.int_],
) -> dict[str, float]:
    """Compare the whole pipeline on enlarged, padded pictures with the pictures themselves."""
    pipeline = Pipeline(["emotion"], detector=MtcnnDetector(min_face=60, max_faces=1))
    answers = pipeline.analyze_many(enlarged(image) for image in images)
    found = np.array([bool(faces) for faces in answers])
    through = np.array(
        [label_of(faces[0]) for faces in answers if isinstance(faces, list) and faces]
    )
    agreed = majority[found] >= 0
    return {
        "found": float(found.mean()),
        "agreement": accuracy(through, predicted[found]),
        "accuracy": accuracy(through, labels[found]),
        "accuracy_direct": accuracy(predicted[found], labels[found]),
        "accuracy_ferplus": accuracy(through[agreed], majority[found][agreed]),
        "accuracy_ferplus_direct": accuracy(predicted[found][agreed], majority[found][agreed]),
    }


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a 48×48 picture as a larger BGR one with room around it."""
    large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    room = round(PADDING * large.shape[0])
    padded = cv2.copyMakeBorder(large, room, room, room, room, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(padded, cv2.COLOR_GRAY2BGR)


def label_of(face: Face) -> int:
    """Return the index of the emotion of a face."""
    emotion = face.attributes["emotion"]
    assert isinstance(emotion, Classification)
    return LABELS.index(emotion.label)


def times() -> dict[str, float]:
    """Return the median milliseconds per face on one thread."""
    measured = {}
    for precision in ("auto", "f32"):
        analyzer = EmotionAnalyzer()
        analyzer.load(create_engine(precision=precision, threads=1))
        for batch in (1, 16):
            crops = np.zeros((batch, 48, 48, 1), np.uint8)
            laps = []
            for _ in range(120):
                start = time.perf_counter()
                analyzer.predict(crops)
                laps.append(time.perf_counter() - start)
            measured[f"{precision}, batch {batch}"] = statistics.median(laps[20:]) / batch * 1e3
    return measured


def describe(figures: dict[str, Any]) -> str:
    """Return the figures as the Markdown of the card."""
    own, ferplus = figures["accuracy"], figures["accuracy_ferplus"]
    served = figures["served"]
    lines = [
        "| PublicTest against | rows | accuracy | calibration error |",
        "| --- | --- | --- | --- |",
        f"| FER2013's own labels | {figures['rows']} | **{own:.1%}** | "
        f"{figures['calibration_error']:.3f} |",
        f"| the FER+ majority | {figures['rows_ferplus']} | **{ferplus:.1%}** | "
        f"{figures['calibration_error_ferplus']:.3f} |",
        "",
        "Recall of each label:",
        "",
        *_table(
            ["against", *LABELS],
            [
                ["own labels", *(f"{value:.1%}" for value in figures["recall"].values())],
                ["FER+", *(f"{value:.1%}" for value in figures["recall_ferplus"].values())],
            ],
        ),
        "",
        "Confusion against FER2013's own labels (a row is the label, a column the answer):",
        "",
        *_confusion(figures["confusion"]),
        "",
        "Confusion against the FER+ majority:",
        "",
        *_confusion(figures["confusion_ferplus"]),
        "",
        "Served by the whole pipeline, from the pictures enlarged four times with room around "
        f"them: MTCNN finds a face on {served['found']:.1%} of them. On these the label is that "
        f"of the picture itself in {served['agreement']:.1%}; the accuracy is "
        f"{served['accuracy']:.1%} (direct {served['accuracy_direct']:.1%}) against the own "
        f"labels and {served['accuracy_ferplus']:.1%} (direct "
        f"{served['accuracy_ferplus_direct']:.1%}) against FER+.",
        "",
        f"File in the wheel: {figures['asset_bytes'] / 1e6:.2f} MB. Time per face on one thread, "
        + ", ".join(
            f"{value:.2f} ms ({name})" for name, value in figures["milliseconds_per_face"].items()
        )
        + ".",
        "",
    ]
    return "\n".join(lines)


def _confusion(matrix: Sequence[Sequence[int]]) -> list[str]:
    rows = [[label, *map(str, row)] for label, row in zip(LABELS, matrix, strict=True)]
    return _table(["", *LABELS], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


if __name__ == "__main__":
    main()
