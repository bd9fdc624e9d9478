"""Measure dlib's networks for age and gender as they ship, and write the figures into their card.

    python -m models.age_gender_open.evaluate utkface_112.npz appa_real.npz all_age_faces.npz

On UTKFace's and APPA-REAL's validation splits and a tenth of All-Age-Faces, on which the built-in
`age` and `gender` are measured too, by the whole pipeline: UTKFace's pictures enlarged, with room
around them. Measure alone on the machine: the times are of one thread.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.evaluate import evaluate
from faceattr.evaluation.tables import tables_of
from faceattr.pipeline import Pipeline
from models import figures
from models.sets import load_measuring

HERE = Path(__file__).parent
ATTRIBUTES = {"age-open": "age", "gender-open": "gender"}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("utkface", type=Path, help="npz with webp, offset, age, gender, split")
    parser.add_argument("appa_real", type=Path, help="npz with webp, offset, age, split")
    parser.add_argument("all_age_faces", type=Path, help="npz with webp, offset, age, gender")
    options = parser.parse_args()
    measured: dict[str, Any] = {}
    text = ""
    for name, attribute in ATTRIBUTES.items():
        text += f"### {name}\n\n"
        for path in (options.utkface, options.appa_real, options.all_age_faces):
            if attribute == "gender" and path == options.appa_real:  # which does not say it
                continue
            data = load_measuring(path, attribute=attribute)
            if path == options.utkface:
                data = with_room(data)
            evaluation = evaluate(Pipeline([name], max_faces=1), data, attribute=attribute)
            measured[f"{name} {path.stem}"] = evaluation.to_dict()
            text += figures.markdown(list(tables_of(evaluation)))
    networks = {name: figures.asset(f"{name.replace('-', '_')}.npz") for name in ATTRIBUTES}
    speeds = figures.speeds(networks)
    measured["speeds"] = {"header": speeds.header, "rows": speeds.rows}
    measured["assets"] = {name: network.digest for name, network in networks.items()}
    figures.write_card(HERE, measured, f"{text}### Speed\n\n{figures.markdown([speeds])}")


def with_room(data: LabelledSet) -> LabelledSet:
    """Return a set of face crops as larger pictures with room around each."""
    return replace(data, pictures=[figures.enlarged(one) for one in data.pictures])


if __name__ == "__main__":
    main()
