"""Put trained weights into the form that ships with faceattr, its confidences calibrated.

    python -m models.age_gender.export crops.npz runs/age-gender/weights.weights.h5

Writes faceattr/assets/age_gender.npz, its kernels in half precision, and notes in
models/age_gender/export.json the digests of both files and what the calibration did. The
temperatures are those that suit the held-out training rows: of age that with which 68 % of the
truth is within one standard deviation, of gender that by which the truth is most probable.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from faceattr.analyzers.ages import AGES
from faceattr.networks.architectures.age_gender import age_gender, in_one_row
from models import training
from models.exporting import (
    calibrate_classes,
    calibrate_std,
    note_export,
    soften,
    write_asset,
)


def main() -> None:
    """Convert the weights and note where the asset comes from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="what crops.py has written")
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    model = age_gender()
    model.load_weights(options.weights)

    with np.load(options.data) as data:
        _, watched = training.held_out(len(data["age"]))
        crops, age, is_woman = (data[name][watched] for name in ("crops", "age", "gender"))
    scores = model.predict(crops[:, 1].astype(np.float32), verbose=0)
    calibrations = {
        "age": calibrate_std(scores["age"], age, AGES),
        "gender": calibrate_classes(scores["gender"], 1 - is_woman),  # woman, man
    }
    for head, calibration in calibrations.items():
        soften(model, f"{head}_logits", calibration.temperature)
    write_asset(in_one_row(model), "age_gender.npz")
    note_export(Path(__file__).parent, [options.weights], "age_gender.npz", **calibrations)


if __name__ == "__main__":
    main()
