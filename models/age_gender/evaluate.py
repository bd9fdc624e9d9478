"""Measure the age and gender network that ships, and write the figures into its card.

    python -m models.age_gender.evaluate utkface_112.npz

On UTKFace's validation split, which no training sees: what `faceattr eval age utkface_112.npz
--split validation` says, and what the whole pipeline makes of the same pictures. Measure alone on
the machine: the times are of one thread.
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
    parser.add_argument("data", type=Path, help="npz with webp, offset, age, gender, race, split")
    path = parser.parse_args().data
    measured, text = json.loads((HERE / "export.json").read_text()), ""
    for name in ("age", "gender"):
        data = load_labelled_set(path, attribute=name, split="validation")
        evaluation = evaluate(Pipeline([name]), data, attribute=name)
        served = figures.served(name, data, attribute=name)
        measured[name] = {"evaluation": evaluation.to_dict(), "served": served.to_dict()}
        text += f"### {name}\n\n"
        text += figures.markdown([*tables_of(evaluation), *served.tables()])
    speeds = figures.speeds({"age, gender": figures.asset("age_gender.npz"), **figures.classic()})
    measured["speeds"] = {"header": speeds.header, "rows": speeds.rows}
    figures.write_card(HERE, measured, f"{text}### Speed\n\n{figures.markdown([speeds])}")


if __name__ == "__main__":
    main()
