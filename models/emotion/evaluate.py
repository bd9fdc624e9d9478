"""Measure the emotion network that ships, and write the figures into its card.

    python -m models.emotion.evaluate fer2013.npz

On FER2013's PublicTest, which no training sees: what `faceattr eval emotion fer2013.npz --split
PublicTest` says, and what the whole pipeline makes of the same pictures. Measure alone on the
machine: the times are of one thread.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from faceattr.evaluation.datasets import load_labelled_set
from faceattr.evaluation.evaluate import evaluate
from faceattr.evaluation.tables import tables_of
from faceattr.pipeline import Pipeline
from models import figures

HERE = Path(__file__).parent


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with images, label, split, ferplus_votes")
    data = load_labelled_set(parser.parse_args().data, attribute="emotion", split="PublicTest")
    evaluation = evaluate(Pipeline(["emotion"]), data, attribute="emotion")
    served = figures.served("emotion", data, attribute="emotion")
    speeds = figures.speeds({"emotion": figures.asset("emotion.npz"), **figures.classic()})
    figures.write_card(
        HERE,
        {
            **json.loads((HERE / "export.json").read_text()),
            "evaluation": evaluation.to_dict(),
            "served": served.to_dict(),
            "speeds": {"header": speeds.header, "rows": speeds.rows},
        },
        figures.markdown([*tables_of(evaluation), *served.tables(), speeds]),
    )


if __name__ == "__main__":
    main()
