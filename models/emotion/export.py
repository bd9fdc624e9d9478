"""Put trained weights into the form that ships with faceattr, its confidences calibrated.

    python -m models.emotion.export fer2013.npz rafdb_crops.npz runs/*/weights.weights.h5

Writes faceattr/assets/emotion.npz, its kernels in half precision, and notes in
models/emotion/export.json the digests of all files and what the calibration did. Of several runs,
each going on from the one before, the mean of the weights is taken; the network of the wheel may
be among them. The temperature is the one that suits the held-out training rows best: FER2013's
with a FER+ majority, and RAF-DB's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from faceattr.evaluation.datasets import ferplus_majority
from faceattr.networks.architectures.compact import compact
from models import training
from models.emotion.train import load_training_rows
from models.exporting import (
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
    parser.add_argument("weights", type=Path, nargs="+")
    options = parser.parse_args()
    model = compact()
    set_mean_weights(model, options.weights)

    rows = load_training_rows(options.data)
    _, watched = training.held_out(len(rows.images))
    truth = ferplus_majority(rows.votes[watched])
    images, truth = rows.images[watched][truth >= 0], truth[truth >= 0]
    with np.load(options.rafdb) as data:
        _, watched = training.held_out(len(data["label"]))
        images = np.concatenate([images, data["crops"][watched][:, 1]])
        truth = np.concatenate([truth, data["label"][watched]])
    scores = model.predict(images.astype(np.float32), verbose=0)
    calibration = calibrate_classes(scores, truth)
    soften(model, "scores_logits", calibration.temperature)
    write_asset(model, "emotion.npz")
    note_export(Path(__file__).parent, options.weights, "emotion.npz", emotion=calibration)


if __name__ == "__main__":
    main()
