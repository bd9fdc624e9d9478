"""Measure the age and gender network that ships, and write the figures into its card.

    python -m models.age_gender.evaluate utkface_112.npz appa_real.npz all_age_faces.npz

On pictures that no training sees. On UTKFace's validation split: what `faceattr eval age
utkface_112.npz --split validation` says, and what the whole pipeline makes of the same pictures.
On APPA-REAL's validation split and a tenth of All-Age-Faces, whose pictures show more than the
face: by the whole pipeline. Measure alone on the machine: the times are of one thread.
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
    parser.add_argument(
        "utkface", type=Path, help="npz with webp, offset, age, gender, race, split"
    )
    parser.add_argument("appa_real", type=Path, help="npz with webp, offset, age, split")
    parser.add_argument("all_age_faces", type=Path, help="npz with webp, offset, age, gender")
    options = parser.parse_args()
    measured, text = json.loads((HERE / "export.json").read_text()), ""
    for name in ("age", "gender"):
        utkface = load_labelled_set(options.utkface, attribute=name, split="validation")
        evaluation = evaluate(Pipeline([name]), utkface, attribute=name)
        served = figures.served(name, utkface, attribute=name)
        measured[name] = {"evaluation": evaluation.to_dict(), "served": served.to_dict()}
        text += f"### {name}\n\n"
        text += figures.markdown([*tables_of(evaluation), *served.tables()])
        for path in (options.appa_real, options.all_age_faces):
            if name == "gender" and path == options.appa_real:  # which does not say it
                continue
            data = load_measuring(path, attribute=name)
            evaluation = evaluate(Pipeline([name], max_faces=1), data, attribute=name)
            measured[name][path.stem] = evaluation.to_dict()
            text += figures.markdown(list(tables_of(evaluation)))
    speeds = figures.speeds({"age, gender": figures.asset("age_gender.npz"), **figures.classic()})
    measured["speeds"] = {"header": speeds.header, "rows": speeds.rows}
    figures.write_card(HERE, measured, f"{text}### Speed\n\n{figures.markdown([speeds])}")


if __name__ == "__main__":
    main()
