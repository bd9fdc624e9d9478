"""Put trained weights into the form that ships with faceattr.

    python models/emotion/export.py runs/emotion/emotion.weights.h5

Writes faceattr/assets/emotion.npz, its kernels in half precision, and notes the digests of
both files in models/emotion/export.json.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from faceattr.networks import graph
from faceattr.networks.compact import compact

ASSET = Path(__file__).parents[2] / "faceattr" / "assets" / "emotion.npz"


def main(weights: Path) -> None:
    """Convert the weights and note where the asset comes from."""
    model = compact()
    model.load_weights(weights)
    with ASSET.open("wb") as file:
        graph.save(graph.from_keras(model), file)
    digests = {"keras_weights": _sha256(weights), "asset": _sha256(ASSET)}
    (Path(__file__).parent / "export.json").write_text(json.dumps(digests, indent=2) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
