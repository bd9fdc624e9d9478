"""What the cards of the built-in models say: figures of `faceattr eval`, size, speed, work."""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceattr.engines import create_engine
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.evaluate import Evaluation, answer_each, score
from faceattr.evaluation.tables import Table, summary
from faceattr.images import load_image
from faceattr.networks.architectures import emotion_cnn, vgg_face
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network
from faceattr.networks.shapes import multiply_adds
from faceattr.pipeline import Pipeline
from faceattr.testing.stand_ins import random_weights
from faceattr.types import BGRImage, Classification

ASSETS = Path(__file__).parents[1] / "faceattr" / "assets"
LAPS, WARM_UP = 120, 20
BATCHES = (1, 16)
ROOM = 0.5  # around an enlarged picture, as a share of its side
LARGE = 224  # px: side of an enlarged picture
SMALLEST_FACE = 60  # px of an enlarged picture


@dataclass(frozen=True, slots=True)
class Served:
    """A set by the whole pipeline, on enlarged pictures with room around them, and directly.

    Attributes:
        direct: The pictures as crops, those on which the pipeline finds a face.
        whole: The same by the whole pipeline.
        agreement: Share of the same labels, of classifications.
    """

    direct: Evaluation
    whole: Evaluation
    agreement: float | None

    def tables(self) -> Iterator[Table]:
        """Yield one table for each source of ground truth."""
        same = "" if self.agreement is None else f", the same label on {self.agreement:.1%}"
        for name in self.direct.ground_truth:
            ways = {"the crop itself": self.direct, "the whole pipeline": self.whole}
            yield summary(
                {way: evaluation.ground_truth[name].report for way, evaluation in ways.items()},
                title=f"served by the whole pipeline, against {name}: a face found on "
                f"{self.whole.found / self.whole.pictures:.1%} of the pictures{same}",
                first="way",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in JSON's own types."""
        return {
            "direct": self.direct.to_dict(),
            "whole": self.whole.to_dict(),
            "agreement": self.agreement,
        }


def served(action: str, data: LabelledSet, *, attribute: str) -> Served:
    """Measure what the way from a picture to a crop costs."""
    pipeline = Pipeline([action], min_face=SMALLEST_FACE, max_faces=1)
    pictures = replace(data, pictures=[enlarged(picture) for picture in data.pictures])
    through = list(answer_each(pipeline, replace(pictures, are_crops=False), attribute))
    directly = [
        answer if other is not None else None
        for answer, other in zip(answer_each(pipeline, data, attribute), through, strict=True)
    ]
    same = [
        one.label == other.label
        for one, other in zip(directly, through, strict=True)
        if isinstance(one, Classification) and isinstance(other, Classification)
    ]
    return Served(
        direct=score(directly, data),
        whole=score(through, data),
        agreement=statistics.mean(same) if same else None,
    )


def enlarged(picture: Any) -> BGRImage:
    """Return a face crop as a larger picture with room around it."""
    image = load_image(picture)
    large = cv2.resize(image, (LARGE, LARGE), interpolation=cv2.INTER_CUBIC)
    room = round(ROOM * LARGE)
    return np.asarray(
        cv2.copyMakeBorder(large, room, room, room, room, cv2.BORDER_REPLICATE), np.uint8
    )


def speeds(networks: Mapping[str, Network]) -> Table:
    """Return the work and the time per face of networks, on one thread."""
    header = ["network", "parameters", "multiply-adds"]
    header += [f"ms, {p}, batch {n}" for p in ("auto", "f32") for n in BATCHES]
    return Table(
        "time per face on one thread",
        header,
        [
            [
                name,
                f"{num_parameters(net) / 1e6:.1f} M",
                f"{multiply_adds(net.layers) / 1e6:,.0f} M",
                *(
                    f"{milliseconds(net, precision=p, batch=n):.2f}"
                    for p in ("auto", "f32")
                    for n in BATCHES
                ),
            ]
            for name, net in networks.items()
        ],
    )


def num_parameters(network: Network) -> int:
    """Return how many numbers a network has learned."""
    return sum(array.size for arrays in network.weights.values() for array in arrays)


def milliseconds(network: Network, *, precision: str, batch: int) -> float:
    """Return the median time per crop of a network on one thread."""
    run = create_engine(precision=precision, threads=1).compile(network)
    crops = np.full((batch, *network.layers[0].config["shape"]), 128, np.uint8)
    num_laps = min(LAPS, 20 if multiply_adds(network.layers) > 1e9 else LAPS)
    laps = []
    for _ in range(num_laps):
        start = time.perf_counter()
        run(crops)
        laps.append(time.perf_counter() - start)
    return statistics.median(laps[num_laps // 6 :]) / batch * 1e3


def classic() -> dict[str, Network]:
    """Return the networks to compare with, with random weights, which take the same time."""
    graphs = {
        "emotion-cnn": emotion_cnn.emotion_cnn(),
        "age-vgg": vgg_face.vgg_face(101),
    }
    return {name: Network(name, layers, random_weights(layers)) for name, layers in graphs.items()}


def asset(name: str) -> Network:
    """Return a network that ships with faceattr."""
    return npz.load(ASSETS / name)


def write_asset(network: Network, name: str) -> None:
    """Write a network as it ships: the kernels of its convolutions as int8, others in half."""
    convolutions = {layer.name for layer in network.layers if layer.kind == "Conv2D"}
    with (ASSETS / name).open("wb") as file:
        npz.save(network, file, whole=convolutions)


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_card(
    folder: Path, figures: Mapping[str, Any], text: str, *, section: str = "figures"
) -> None:
    """Write the section's json file, and the text between its two marks in README.md."""
    (folder / f"{section}.json").write_text(json.dumps(figures, indent=1) + "\n")
    card = folder / "README.md"
    marked = re.compile(rf"(<!-- {section} -->\n).*(<!-- end of {section} -->)", re.DOTALL)
    card.write_text(marked.sub(lambda match: match[1] + text + match[2], card.read_text()))


def markdown(tables: Sequence[Table]) -> str:
    """Return tables with their titles."""
    return "".join(f"**{table.title}**\n\n{table.to_markdown()}\n" for table in tables)
