"""Trained networks to the files that ship with faceattr, their confidences calibrated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from faceattr.evaluation.metrics import calibration_error
from faceattr.networks import graph
from models import figures
from models.figures import ASSETS, sha256
from models.training import load_weights

TEMPERATURES = (0.2, 5.0)  # between which the best one is looked for
ONE_STD = 0.6827  # share of a normal distribution within one standard deviation of its mean


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a network's logits are divided by, and what that does to held-out training rows.

    Attributes:
        temperature: The divisor.
        measure: What is to become good.
        before: That without the divisor.
        after: That with it.
    """

    temperature: float
    measure: str
    before: float
    after: float


def calibrate_classes(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> Calibration:
    """Return the temperature by which the truth is most probable.

    Args:
        scores: (N, C) probabilities, the mean of one or more networks' answers.
        truth: (N,) indices of the true labels.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    rows = np.arange(len(truth))

    def surprise(temperature: float) -> float:
        return float(-np.log(at_temperature(scores, temperature)[rows, truth] + 1e-9).mean())

    best = float(minimize_scalar(surprise, bounds=TEMPERATURES, method="bounded").x)
    return Calibration(
        best,
        "calibration error",
        calibration_error(scores, truth),
        calibration_error(at_temperature(scores, best), truth),
    )


def calibrate_std(
    scores: NDArray[np.floating], truth: NDArray[Any], places: NDArray[Any]
) -> Calibration:
    """Return the temperature by which 68 % of the truth is within one standard deviation.

    Args:
        scores: (N, C) probabilities.
        truth: (N,) true values.
        places: (C,) value of each class.
    """

    def within(temperature: float) -> float:
        softened = at_temperature(scores, temperature)
        mean = softened @ places
        std = np.sqrt((softened * (places - mean[:, None]) ** 2).sum(axis=1))
        return float((abs(mean - truth) <= std).mean())

    best = float(brentq(lambda temperature: within(temperature) - ONE_STD, *TEMPERATURES))
    return Calibration(best, "share within one standard deviation", within(1), within(best))


def at_temperature(scores: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the (N, C) probabilities whose logits are divided by the temperature."""
    powers = np.asarray(scores, np.float64) ** (1 / temperature)
    normalized: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return normalized


def set_mean_weights(
    model: keras.Model, files: Sequence[Path], shares: Sequence[float] | None = None
) -> None:
    """Give the model the mean of the weights in files, each as `load_weights` takes them.

    Args:
        model: Of the form of all files.
        files: What to take the mean of.
        shares: How much each file counts; None for all the same.

    Reference: Wortsman et al., Model soups, ICML 2022.
    """
    runs = []
    for file in files:
        load_weights(model, file)
        runs.append(model.get_weights())
    model.set_weights(
        [np.average(arrays, axis=0, weights=shares) for arrays in zip(*runs, strict=True)]
    )


def soften(model: keras.Model, layer: str, temperature: float) -> None:
    """Divide the logits that a dense layer gives."""
    weights = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([array / temperature for array in weights])


def adjust_prior(
    model: keras.Model, layer: str, prior: NDArray[np.floating], *, strength: float
) -> None:
    """Make labels more probable that are frequent, after a training that drew rare ones more often.

    Args:
        model: Has the layer.
        layer: Dense layer that gives the logits.
        prior: (C,) how frequent each label is, summing to 1.
        strength: 0 changes nothing; 1 multiplies the probabilities by the prior.

    Reference: Menon et al., Long-tail learning via logit adjustment, ICLR 2021.
    """
    kernel, bias = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([kernel, bias + strength * np.log(prior)])


def write_asset(model: keras.Model, name: str) -> None:
    """Write the network as it ships; `models.ranges` adds the ranges of its layers."""
    figures.write_asset(graph.from_keras(model), name)


def note_export(
    folder: Path, weights: Sequence[Path], asset: str, **calibrations: Calibration
) -> None:
    """Write export.json: digests of the trained and of the exported files, and calibrations."""
    notes = {
        "keras_weights": [sha256(file) for file in weights],
        "asset": sha256(ASSETS / asset),
        "asset_bytes": (ASSETS / asset).stat().st_size,
        "calibration": {name: asdict(one) for name, one in calibrations.items()},
    }
    (folder / "export.json").write_text(json.dumps(notes, indent=2) + "\n")
