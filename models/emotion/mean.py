"""Write the mean of the weights of several runs, each going on from the one before.

    python -m models.emotion.mean runs/*/weights.weights.h5 --to runs/mean.weights.h5

The mean is often better than each of them (Wortsman et al., Model soups, ICML 2022).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from faceattr.networks.architectures.compact import compact
from models.exporting import set_mean_weights


def main() -> None:
    """Read and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    model = compact()
    set_mean_weights(model, options.weights)
    model.save_weights(options.to)


if __name__ == "__main__":
    main()
