r"""Write what trained networks say of the pictures of a set, for another network to learn.

    python -m models.answers answers/rafdb.npz \
        --of faceattr/assets/emotion.npz rafdb_crops.npz 0.3 \
        --of runs/teacher/network.npz large/rafdb.npz 0.7

Each network is asked for the crops that it takes, and for their mirror images. Written is the mean
of the probabilities, (N, C), in which each network has its share.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceattr.engines import create_engine
from faceattr.networks.formats import npz
from models.crops import load_crops

BATCH = 64


def main() -> None:
    """Ask the networks and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("answers", type=Path, help="file to write")
    parser.add_argument(
        "--of",
        nargs=3,
        action="append",
        required=True,
        metavar=("NETWORK", "CROPS", "SHARE"),
        help="network.npz of a run or a network of the wheel; what models.crops has written of "
        "the set in its form, or FER2013; and the weight of its answers",
    )
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    said = [
        float(share) * ask(Path(network), Path(crops), threads=options.threads)
        for network, crops, share in options.of
    ]
    total = sum(float(share) for *_, share in options.of)
    np.savez(options.answers, answers=(np.sum(said, axis=0) / total).astype(np.float32))


def ask(network: Path, crops_path: Path, *, threads: int | None = None) -> NDArray[np.float32]:
    """Return the mean of what a network says of each crop and of its mirror image, (N, C)."""
    run = create_engine("openvino", threads=threads).compile(npz.load(network))
    crops = load_crops(crops_path)[:, -1]
    means = []
    for start in range(0, len(crops), BATCH):
        batch = crops[start : start + BATCH]
        means.append((run(batch) + run(np.ascontiguousarray(batch[:, :, ::-1]))) / 2)
    return np.concatenate(means)


if __name__ == "__main__":
    main()
