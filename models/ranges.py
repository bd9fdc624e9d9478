"""Measure between what values the layers of a built-in network lie, for int8 arithmetic.

    python -m models.ranges emotion fer2013.npz rafdb_crops.npz
    python -m models.ranges age_gender utkface_crops.npz all_age_faces_crops.npz \
        appa_real_crops.npz

Notes in the network's asset, for each layer before a convolution, the least and the greatest value
that it gives on training crops. Nothing else in the asset changes. To be run after an export.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from faceattr.engines import create_engine
from faceattr.networks.folding import fold_normalization
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network, up_to
from faceattr.types import Crops
from models.figures import ASSETS, sha256, write_asset

NUM_CROPS = 500  # of all sets together
BATCH = 25
SHARE = 99.99  # percent of a layer's values in the median batch; the rest is cut to the bound
LEVELS_BELOW, LEVELS_ABOVE = 128, 127  # zero, of int8


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("network", help="name of the asset, without its suffix")
    parser.add_argument("data", type=Path, nargs="+", help="training crops, or FER2013")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    path = ASSETS / f"{options.network}.npz"
    crops = np.concatenate(
        [some_crops(one, number=NUM_CROPS // len(options.data)) for one in options.data]
    )
    network = npz.load(path)
    ranges = dict(measure_ranges(network, crops, threads=options.threads))
    write_asset(replace(network, ranges=ranges), path.name)
    for notes in Path(__file__).parent.glob(f"{options.network}/export.json"):
        noted = json.loads(notes.read_text())
        noted |= {"asset": sha256(path), "asset_bytes": path.stat().st_size}
        notes.write_text(json.dumps(noted, indent=2) + "\n")


def some_crops(path: Path, *, number: int) -> Crops:
    """Return crops of a set's training pictures, evenly spread over its rows.

    Args:
        path: What models.crops has written, or FER2013's npz file.
        number: How many.
    """
    with np.load(path) as data:
        if "crops" in data:
            crops: Crops = data["crops"][:, 1]
        else:
            crops = data["images"][data["split"] == 0][..., None]
    return crops[:: max(len(crops) // number, 1)][:number]


def measure_ranges(
    network: Network, crops: Crops, *, threads: int | None = None
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield each layer before a convolution, and the bounds of its values on crops."""
    engine = create_engine("openvino", precision="f32", threads=threads)
    folded = fold_normalization(network)
    before = {layer.inputs[0] for layer in folded.layers if layer.kind == "Conv2D"}
    for layer in folded.layers:
        if layer.name not in before:
            continue
        run = engine.compile(up_to(folded, layer.name))
        batches = [run(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
        if min(float(batch.min()) for batch in batches) >= 0:
            high = float(np.median([np.percentile(batch, SHARE) for batch in batches]))
            yield layer.name, (0.0, high)
        else:
            high = max(float(abs(batch).max()) for batch in batches)
            yield layer.name, (-high * LEVELS_BELOW / LEVELS_ABOVE, high)


if __name__ == "__main__":
    main()
