"""Measure what each built-in trunk's features tell about the attributes of the other.

    python -m models.probe fer2013.npz rafdb.npz utkface_112.npz

Would one network do for emotion, age and gender? On the features of each trunk, frozen, linear
heads are trained for all three: a regression of the age, and classifiers of emotion and gender.
What a head loses on the other's trunk is what a shared trunk has to learn in addition. Trained on
3,000 training pictures of each set, measured on FER2013's PublicTest (FER+ majority), a tenth of
RAF-DB and UTKFace's validation split. Prints a table for the cards.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from faceattr.alignment import CropSpec, crop_faces
from faceattr.analyzers.age_gender import AgeAnalyzer
from faceattr.analyzers.builtin import load_builtin_trunk
from faceattr.analyzers.emotion import FER2013_TEMPLATE, EmotionAnalyzer
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.yunet import YunetDetector
from faceattr.engines import create_engine
from faceattr.evaluation.datasets import ferplus_majority
from faceattr.evaluation.tables import Table
from faceattr.images import load_image
from faceattr.networks.heads import softmax
from faceattr.options import SearchOptions
from faceattr.types import BGRImage, Crops, Detection, Features
from models.crops import TENTH, training_rows, with_room
from models.figures import markdown
from models.sets import measuring_rows

NUM_PICTURES = 3000  # to train on, of each set
ANALYZERS = {"emotion": EmotionAnalyzer, "age_gender": AgeAnalyzer}
"""The trunks, and analyzers that have their crops."""

PENALTY = 1e-3  # of squared weights, on standardized features; chosen once, not on these pictures
FER2013_SIDE = 48  # px
TRUTHS = ("label", "age", "gender")


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures with one face each, and what is known of them.

    Attributes:
        images: The pictures.
        faces: Where the face lies in each.
        truth: Attribute to (N,) numbers or indices of labels.
    """

    images: Sequence[BGRImage]
    faces: Sequence[Detection]
    truth: Mapping[str, NDArray[Any]]


def main() -> None:
    """Train the heads, measure them and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fer2013", type=Path, help="npz with images, split, ferplus_votes")
    parser.add_argument("rafdb", type=Path, help="npz with webp, offset, label")
    parser.add_argument("utkface", type=Path, help="npz with webp, offset, age, gender, split")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    engine = create_engine(threads=options.threads)
    detector = LoadedDetector(YunetDetector(), engine, SearchOptions(max_faces=1))
    sets = {
        "FER+": load_fer2013(options.fer2013),
        "RAF-DB": load_webp(options.rafdb, detector),
        "UTKFace": load_webp(options.utkface, detector),
    }
    rows = []
    for name, analyzer in ANALYZERS.items():
        run = load_builtin_trunk(name, engine).run
        features = {
            key: tuple(run(crops_of(part, analyzer.crop)) for part in parts)
            for key, parts in sets.items()
        }
        cells = [f"{accuracy(features[key], sets[key], 'label'):.1%}" for key in ("FER+", "RAF-DB")]
        cells.append(f"{age_error(features['UTKFace'], sets['UTKFace']):.2f}")
        cells.append(f"{accuracy(features['UTKFace'], sets['UTKFace'], 'gender'):.1%}")
        rows.append([f"`{name}`", *cells])
    header = ["features of", "FER+", "RAF-DB", "UTKFace, years", "UTKFace, gender"]
    print(markdown([Table("linear heads on frozen features", header, rows)]))


def load_fer2013(path: Path) -> tuple[Pictures, Pictures]:
    """Return pictures to train on and to measure on; their faces lie as the template says."""
    with np.load(path) as archive:
        images, split = archive["images"], archive["split"]
        label = ferplus_majority(archive["ferplus_votes"])
    landmarks = np.array(FER2013_TEMPLATE, np.float32) * FER2013_SIDE
    face = Detection((0, 0, FER2013_SIDE, FER2013_SIDE), 1.0, landmarks)

    def pictures(rows: NDArray[np.intp]) -> Pictures:
        chosen = [load_image(image) for image in images[rows]]
        return Pictures(chosen, [face] * len(rows), {"label": label[rows]})

    training = some_of(np.flatnonzero((split == 0) & (label >= 0)))
    return pictures(training), pictures(np.flatnonzero((split == 1) & (label >= 0)))


def load_webp(path: Path, detector: LoadedDetector) -> tuple[Pictures, Pictures]:
    """Return pictures to train on and to measure on, those on which a face is found."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    webp, offset = arrays["webp"].tobytes(), arrays["offset"]

    def pictures(rows: NDArray[np.intp]) -> Pictures:
        found = []
        for row in rows:
            image, _ = with_room(load_image(webp[offset[row] : offset[row + 1]]))
            found += [(row, image, face) for face in detector.detect(image)]
        kept, images, faces = zip(*found, strict=True)
        truth = {name: arrays[name][list(kept)] for name in TRUTHS if name in arrays}
        return Pictures(images, faces, truth)

    rows = training_rows(arrays)
    return pictures(some_of(rows[rows % TENTH != 0])), pictures(measuring_rows(arrays))


def some_of(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return rows to train on."""
    return np.random.default_rng(0).choice(rows, NUM_PICTURES, replace=False)


def crops_of(pictures: Pictures, spec: CropSpec) -> Crops:
    """Return (N, H, W, C) crops of the faces."""
    pairs = zip(pictures.images, pictures.faces, strict=True)
    return np.concatenate([crop_faces(image, [face], spec) for image, face in pairs])


def accuracy(features: Sequence[Features], parts: Sequence[Pictures], name: str) -> float:
    """Train a linear classifier on the first part; return how often it is right on the second."""
    (x, measured), truth = standardized(*features), parts[0].truth[name]
    shape = x.shape[1], int(truth.max()) + 1
    targets = np.eye(shape[1])[truth]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        kernel = flat.reshape(shape)
        scores = softmax(x @ kernel)
        surprise = -np.log(scores[np.arange(len(x)), truth] + 1e-12).mean()
        slope = x.T @ (scores - targets) / len(x) + 2 * PENALTY * kernel
        return float(surprise + PENALTY * (kernel**2).sum()), slope.reshape(-1)

    start = np.zeros(shape[0] * shape[1])
    kernel = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    answers = (measured @ kernel.reshape(shape)).argmax(axis=1)
    return float((answers == parts[1].truth[name]).mean())


def age_error(features: Sequence[Features], parts: Sequence[Pictures]) -> float:
    """Train a ridge regression on the first part; return its mean error on the second, years."""
    x, measured = standardized(*features)
    gram = x.T @ x + PENALTY * len(x) * np.eye(x.shape[1])
    kernel = np.linalg.solve(gram, x.T @ parts[0].truth["age"])
    return float(abs(measured @ kernel - parts[1].truth["age"]).mean())


def standardized(*parts: Features) -> list[NDArray[np.float64]]:
    """Return features of mean 0 and deviation 1 on the first part, and a column of ones."""
    mean, std = parts[0].mean(axis=0), parts[0].std(axis=0) + 1e-6
    return [np.column_stack([(part - mean) / std, np.ones(len(part))]) for part in parts]


if __name__ == "__main__":
    main()
