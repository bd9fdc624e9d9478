"""How far the answers of ``precision="auto"`` are from those of ``"f32"``.

    python differences.py FACES PICTURE...

finds so many faces, if there are, and prints for each analyzer the largest difference and how
many labels are others. It runs in faceattr's environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

import faceattr
from faceattr.analyzers import analyzers
from faceattr.errors import FaceattrError
from faceattr.types import Attribute, BGRImage, Classification, Detection


def main() -> None:
    """Compare and print."""
    seen = list(find_faces(int(sys.argv[1]), sys.argv[2:]))
    answer = {}
    for name in analyzers:
        try:
            quick, exact = (read(name, precision, seen) for precision in ("auto", "f32"))
        except FaceattrError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        answer[name] = compare(quick, exact)
    print(json.dumps({"faces": sum(len(faces) for _, faces in seen), "analyzers": answer}))


def find_faces(missing: int, paths: Sequence[str]) -> Iterator[tuple[BGRImage, list[Detection]]]:
    """Yield pictures and their faces; if there are too few, mirrored and smaller ones too."""
    for step, path in product((1, -1, 2), paths):
        image = np.ascontiguousarray(faceattr.load_image(path)[:: abs(step), ::step])
        faces = faceattr.detect(image)[:missing]
        if faces:
            yield image, faces
        missing -= len(faces)
        if not missing:
            return


def read(
    name: str, precision: str, seen: Sequence[tuple[BGRImage, list[Detection]]]
) -> list[Attribute]:
    """Return what an analyzer says of each face."""
    pipeline = faceattr.Pipeline([name], precision=precision)
    return [
        attribute
        for image, faces in seen
        for attributes in pipeline.read(image, faces, pipeline.refresh)
        for attribute in attributes.values()
    ]


def compare(quick: Sequence[Attribute], exact: Sequence[Attribute]) -> dict[str, Any]:
    """Return the largest and the mean difference, in percentage points or the estimate's unit."""
    differences, others = [], 0
    unit = "percentage points"
    for one, other in zip(quick, exact, strict=True):
        if isinstance(one, Classification) and isinstance(other, Classification):
            pairs = zip(one.scores.values(), other.scores.values(), strict=True)
            differences.append(100 * max(abs(a - b) for a, b in pairs))
            others += one.label != other.label
        elif not isinstance(one, Classification) and not isinstance(other, Classification):
            differences.append(abs(one.value - other.value))
            unit = one.unit
    return {
        "unit": unit,
        "largest": max(differences),
        "mean": float(np.mean(differences)),
        "other_labels": others if unit == "percentage points" else None,
    }


if __name__ == "__main__":
    main()
