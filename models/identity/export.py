"""Put dlib's network for face recognition into the form that ships with faceattr.

    python -m models.identity.export dlib_face_recognition_resnet_model_v1.dat

Writes faceattr/assets/identity.npz: each kernel of a convolution, and that of the dense layer, in
int8 with a scale for each output channel. Notes in models/identity/export.json the digests of both
files.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np

from faceattr.analyzers.identity import DLIB_FACE, load_original
from faceattr.errors import WeightsError
from faceattr.networks.architectures.dlib_face import MEAN_RGB, PIXEL_SCALE
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network
from models.figures import ASSETS, sha256

ASSET = ASSETS / "identity.npz"


def main() -> None:
    """Convert the file and note where the asset comes from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dat", type=Path)
    options = parser.parse_args()
    if sha256(options.dat) != DLIB_FACE.sha256:
        raise WeightsError(f"{options.dat} has another SHA-256 than {DLIB_FACE.sha256}")
    network = keep_mean_color(load_original(options.dat))
    with ASSET.open("wb") as file:
        npz.save(network, file, whole=network.weights)
    notes = {
        "dat": DLIB_FACE.sha256,
        "asset": sha256(ASSET),
        "asset_bytes": ASSET.stat().st_size,
    }
    (Path(__file__).parent / "export.json").write_text(json.dumps(notes, indent=2) + "\n")


def keep_mean_color(network: Network) -> Network:
    """Return the network with a first bias that suits its rounded kernel.

    The mean color, which the bias subtracts, goes through the kernel; what rounding adds to that
    would be the same error for every picture.
    """
    file = BytesIO()
    npz.save(network, file, whole=network.weights)
    kernel, bias = network.weights["stem"]
    lost = kernel - npz.load(file.getvalue()).weights["stem"][0]
    mean = np.multiply(MEAN_RGB, PIXEL_SCALE)
    corrected = (bias + mean @ lost.sum(axis=(0, 1), dtype=np.float64)).astype(np.float32)
    return replace(network, weights={**network.weights, "stem": [kernel, corrected]})


if __name__ == "__main__":
    main()
