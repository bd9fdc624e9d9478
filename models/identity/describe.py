r"""Describe the faces that `faces.py` has cut, by each form of the network.

    python -m models.identity.describe lfw_faces.npz lfw_descriptors.npz --dat dlib_face….dat
    python -m models.identity.describe utkface_faces.npz utkface_descriptors.npz --most 300

Writes the network's raw outputs: `int8` and `int8-mirror` by the network of the wheel, with --dat
`f32` and `f32-mirror` too, with `row` and the labels of each face. Of pictures that occur twice,
one is taken; with --most, at most so many of each age group, gender and race of the first split.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.builtin import load_builtin
from faceattr.analyzers.identity import load_original
from faceattr.engines import create_engine

BATCH = 16
AGES = (16, 36, 56)  # between the age groups
TRAINING = 0


def main() -> None:
    """Describe and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("descriptors", type=Path, help="file to write")
    parser.add_argument("--dat", type=Path, help="dlib's own file")
    parser.add_argument("--most", type=int)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with np.load(options.faces) as archive:
        crops, row = archive["crops"], archive["row"]
        labels = {name: archive[name] for name in archive.files if name not in ("crops", "row")}
    if options.most is not None:
        labels = {name: values[row] for name, values in labels.items()}
        chosen = balanced(labels, options.most)
        crops, row = crops[chosen], row[chosen]
        labels = {name: values[chosen] for name, values in labels.items()}

    engine = create_engine(precision="f32", threads=options.threads)
    networks = {"int8": load_builtin("identity")}
    if options.dat is not None:
        networks["f32"] = load_original(options.dat)
    described: dict[str, NDArray[Any]] = {}
    for name, network in networks.items():
        run = engine.compile(network)
        for suffix, images in (("", crops), ("-mirror", crops[:, :, ::-1])):
            batches = [run(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
            described[name + suffix] = np.concatenate(batches)
    np.savez(options.descriptors, row=row, **{**described, **labels})


def balanced(labels: dict[str, NDArray[Any]], most: int) -> NDArray[np.intp]:
    """Return faces: all of other splits than the first, and of that the same number of each kind.

    Args:
        labels: age, gender, race, split and dup_group of each face.
        most: How many of each age group, gender and race.
    """
    age, gender, race = labels["age"], labels["gender"], labels["race"]
    split, copies = labels["split"], labels["dup_group"]
    single = np.zeros(len(age), bool)
    single[np.unique(copies, return_index=True)[1]] = True
    trains = single & (split == TRAINING) & ~np.isin(copies, copies[split != TRAINING])
    decade = np.digitize(age, AGES)
    rng = np.random.default_rng(0)
    chosen: list[int] = []
    for kind in np.ndindex(race.max() + 1, gender.max() + 1, len(AGES) + 1):
        of_kind = (race == kind[0]) & (gender == kind[1]) & (decade == kind[2])
        chosen += rng.permutation(np.flatnonzero(trains & of_kind))[:most].tolist()
    return np.array(sorted(chosen) + np.flatnonzero(single & (split != TRAINING)).tolist())


if __name__ == "__main__":
    main()
