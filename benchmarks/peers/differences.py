"""Compare the answers of ``precision="auto"`` with those of ``"f32"``.

    python differences.py FACES PICTURE...

takes that many faces from the pictures, if they have them, and prints for each analyzer the
largest difference and the number of labels that differ. It runs in faceattr's environment.
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
from faceattr.types import Attribute, BGRImage, Classification, Detection, Estimate


def main() -> None:
    """Compare and print."""
    searched = list(find_faces(int(sys.argv[1]), sys.argv[2:]))
    differences = {}
    for name in analyzers:
        try:
            quick, exact = (read(name, precision, searched) for precision in ("auto", "f32"))
        except FaceattrError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        differences[name] = compare(quick, exact)
    num_faces = sum(len(faces) for _, faces in searched)
    print(json.dumps({"faces": num_faces, "analyzers": differences}))


def find_faces(missing: int, paths: Sequence[str]) -> Iterator[tuple[BGRImage, list[Detection]]]:
    """Yield images and their faces; also mirrored and smaller images while faces are missing."""
    for step, path in product((1, -1, 2), paths):
        image = np.ascontiguousarray(faceattr.load_image(path)[:: abs(step), ::step])
        faces = faceattr.detect(image)[:missing]
        if faces:
            yield image, faces
        missing -= len(faces)
        if not missing:
            return


def read(
    name: str, precision: str, searched: Sequence[tuple[BGRImage, list[Detection]]]
) -> list[Attribute]:
    """Return an analyzer's answer for each face."""
    pipeline = faceattr.Pipeline([name], precision=precision)
    return [
        attribute
        for image, faces in searched
        for face in pipeline.read(image, faces)
        for attribute in face.attributes.values()
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
        elif isinstance(one, Estimate) and isinstance(other, Estimate):
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
