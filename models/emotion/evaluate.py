"""Measure the emotion network that ships, and write the figures into its card.

    python -m models.emotion.evaluate fer2013.npz rafdb.npz

On pictures that no training sees. On FER2013's PublicTest: what `faceattr eval emotion fer2013.npz
--split PublicTest` says, and what the whole pipeline makes of the same pictures. On a tenth of
RAF-DB's training split: the pictures as crops, and by the whole pipeline. Measure alone on the
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
from models.sets import load_measuring

HERE = Path(__file__).parent


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fer2013", type=Path, help="npz with images, label, split, ferplus_votes")
    parser.add_argument("rafdb", type=Path, help="npz with webp, offset, label")
    options = parser.parse_args()
    fer2013 = load_labelled_set(options.fer2013, attribute="emotion", split="PublicTest")
    rafdb = load_measuring(options.rafdb, attribute="emotion", are_crops=True)
    measured, text = json.loads((HERE / "export.json").read_text()), ""
    for name, data in {"evaluation": fer2013, "rafdb": rafdb}.items():
        evaluation = evaluate(Pipeline(["emotion"]), data, attribute="emotion")
        served = figures.served("emotion", data, attribute="emotion")
        measured[name] = evaluation.to_dict()
        measured["served" if data is fer2013 else f"{name} served"] = served.to_dict()
        text += f"### {data.name}\n\n"
        text += figures.markdown([*tables_of(evaluation), *served.tables()])
    speeds = figures.speeds({"emotion": figures.asset("emotion.npz"), **figures.classic()})
    measured["speeds"] = {"header": speeds.header, "rows": speeds.rows}
    figures.write_card(HERE, measured, f"{text}### Speed\n\n{figures.markdown([speeds])}")


if __name__ == "__main__":
    main()
