"""YuNet, the face detector of OpenCV's model zoo, on our engine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import BLOCK, iou, nms
from faceattr.detectors.base import Detector, Finder, Search
from faceattr.detectors.buckets import bucket_size
from faceattr.detectors.scales import Level, levels, make_levels, scale_to
from faceattr.detectors.tiles import Tile, tiles
from faceattr.engines.base import Compiled, Engine
from faceattr.networks.architectures.yunet import STRIDES
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network
from faceattr.types import BGRImage, Detection

SMALLEST_FACE = 34.0  # pixels of a level; it misses many smaller ones
GOOD_SIZES = (40.0, 160.0)  # pixels of a level
STEP = 2.0  # scale of a level relative to the next
LAST_STEP = 2**0.5  # scale of the level before the last one relative to that, at least
LAST_SIDE = 250.0  # pixels of the last level, so that all its faces have sizes the network knows
MAX_ENLARGED = 4.0  # times: noise of a few pixels looks like a face when it is larger
MAX_PIXELS = 800_000  # of the first level, if min_face is not given
TILE_SIDE = 2048  # pixels; larger levels are searched in tiles, which takes less memory
SHEET_SIDE = 1024  # pixels; smaller levels but the first are searched together
MAX_PREPARED = 200  # layers: of the last three shapes; of more, they take hundreds of MB
SIDE_BUCKETS = 8  # per power of two
COARSEST = STRIDES[-1]
GAP = COARSEST  # pixels between two images on a sheet
MAX_OVERLAP = 0.45  # IoU of two faces
SAME_FACE = 0.6  # IoU of a face with its duplicates
SIMILAR_SCORE = 0.5  # of a duplicate that counts, as a share of the face's
MAX_FACES = 5000  # of one sheet, and its duplicates


class YunetDetector(Detector):
    """Small network of OpenCV's zoo; the fastest, gives landmarks (default).

    Its weights ship with faceattr; ``models/detectors/README.md`` is their card.

    Reference: Wu et al., YuNet: a tiny millisecond-level face detector, Machine
    Intelligence Research 2023.
    """

    default_threshold = 0.6
    license = "MIT; trained on WIDER FACE"

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return YunetFinder(engine)


class YunetFinder:
    """The network, compiled once for the first level and once for the sheet of the others.

    Images of one size then meet networks that are prepared for their shapes; to change from shape
    to shape takes half as long as to search a small image.

    Args:
        engine: Runs the networks.
    """

    def __init__(self, engine: Engine) -> None:
        network = read_network()
        self._first, self._others = (
            engine.compile(replace(network, digest=f"{network.digest} {use}"))
            for use in ("first", "others")
        )

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        """Return the faces of an image, as `Finder` says."""
        alone: list[Part] = []
        together: list[Part] = []
        for part in _parts(image, _finest_scale(image.shape, search.min_face)):
            is_small = max(part.pixels.shape) <= SHEET_SIDE
            (together if is_small and part.level.smallest > 0 else alone).append(part)
        lowest = search.threshold * SIMILAR_SCORE
        found = [_search([part], self._first, lowest) for part in alone]
        if together:
            found.append(_search(together, self._others, lowest))
        faces = merge_duplicates(join(found), search.threshold)
        rows = zip(
            faces.boxes.tolist(),
            faces.scores.tolist(),
            faces.landmarks.astype(np.float32),
            strict=True,
        )
        return [Detection(tuple(box), score, landmarks) for box, score, landmarks in rows]


def read_network() -> Network:
    """Return the network that ships with faceattr."""
    weights = resources.files("faceattr.assets").joinpath("yunet.npz").read_bytes()
    return replace(npz.load(weights), max_prepared=MAX_PREPARED)


class Part(NamedTuple):
    """A tile of a level of the image.

    Attributes:
        level: The level.
        scale: Pixels of the image per pixel of the level, x and y.
        tile: The tile of the level.
        pixels: What is on it.
    """

    level: Level
    scale: NDArray[np.float64]
    tile: Tile
    pixels: BGRImage


class Faces(NamedTuple):
    """Faces of one image, level or sheet.

    Attributes:
        points: (N, 7, 2) pixels: two corners of the box, left upper and right lower, and five
            landmarks.
        scores: (N,) in [0, 1].
    """

    points: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) x1, y1, x2, y2 in pixels."""
        return self.points[:, :2].reshape(-1, 4)

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """(N, 5, 2) pixels."""
        return self.points[:, 2:]

    def at(self, rows: NDArray[Any]) -> Faces:
        """Return some of the faces."""
        return Faces(self.points[rows], self.scores[rows])


def join(groups: Iterable[Faces]) -> Faces:
    """Return the faces of all groups."""
    points, scores = zip(*groups, strict=True)
    return Faces(np.concatenate(points), np.concatenate(scores))


def _parts(image: BGRImage, finest: float) -> Iterator[Part]:
    all_levels = levels(
        image.shape,
        finest,
        step=STEP,
        last_side=min(LAST_SIDE, MAX_ENLARGED * max(image.shape[:2])),
        last_step=LAST_STEP,
        good_sizes=GOOD_SIZES,
    )
    for level, resized in make_levels(image, all_levels):
        scale = np.divide(image.shape[1::-1], resized.shape[1::-1])  # sides were rounded
        for tile in tiles(resized.shape, TILE_SIDE):
            yield Part(level, scale, tile, tile.cut(resized))


def _search(parts: Sequence[Part], network: Compiled, threshold: float) -> Faces:
    """Return the faces that the parts report, in pixels of the image, each once per part."""
    sheet, corners = lay_out([part.pixels for part in parts])
    height, width = sheet.shape[:2]
    found = decode(network(sheet[None])[0], height, width, threshold * SIMILAR_SCORE)
    faces = merge_duplicates(found, threshold)
    centers = faces.points[:, :2].mean(axis=1)
    placed = []
    for part, corner in zip(parts, corners, strict=True):
        half = np.divide(part.pixels.shape[1::-1], 2)
        on_part = (abs(centers - corner - half) <= half + GAP / 2).all(axis=1)
        placed.append(_place(faces.at(on_part), part, np.subtract(part.tile.corner, corner)))
    return join(placed)


def _place(faces: Faces, part: Part, shift: NDArray[np.int_]) -> Faces:
    """Return those of a part's faces which it reports, in pixels of the image.

    Args:
        faces: Faces of the sheet whose centers lie on the part.
        part: The part.
        shift: From pixels of the sheet to those of the level.
    """
    on_level = faces._replace(points=faces.points + shift)
    on_image = faces._replace(points=on_level.points * part.scale)
    sides = (on_image.points[:, 1] - on_image.points[:, 0]).max(axis=1, initial=0)
    return on_image.at(part.tile.reports(on_level.boxes) & part.level.reports(sides))


def merge_duplicates(faces: Faces, threshold: float) -> Faces:
    """Return each face once, placed where the mean of its duplicates is.

    The mean is steadier than any of them, and closer to the truth. A duplicate counts by the square
    of its score, and only if that is similar: so a face is the same at every threshold.

    Args:
        faces: With all duplicates of the faces to return.
        threshold: Smallest score of these.

    Reference: Gidaris and Komodakis, Object detection via a multi-region and semantic
    segmentation-aware CNN model, ICCV 2015 (box voting).
    """
    boxes, scores = faces.boxes, faces.scores
    if not len(scores):
        return faces
    kept = nms(boxes, scores, MAX_OVERLAP)
    kept = kept[scores[kept] >= threshold]
    points = np.empty((len(kept), *faces.points.shape[1:]))
    for start in range(0, len(kept), BLOCK):
        rows = kept[start : start + BLOCK]
        alike = iou(boxes[rows], boxes) >= SAME_FACE
        alike &= scores >= SIMILAR_SCORE * scores[rows, None]
        weights = alike * scores**2
        weights /= weights.sum(axis=1, keepdims=True)
        points[start : start + BLOCK] = np.tensordot(weights, faces.points, axes=1)
    return Faces(points, scores[kept])


def decode(output: NDArray[np.float32], height: int, width: int, threshold: float) -> Faces:
    """Return the faces in the network's output, duplicates among them.

    A cell's score is the geometric mean of two probabilities, face and objectness. Its box has a
    center relative to the cell and the logarithm of a size; both and the landmarks are in
    multiples of the stride.

    Args:
        output: (cells, 16) for one image.
        height: Height of the image in pixels, a multiple of 32.
        width: Width of the image, likewise.
        threshold: Smallest score of a face.
    """
    lowest = _logit(threshold**2)  # of either probability, for the other is at most 1
    rows = np.flatnonzero((output[:, 0] >= lowest) & (output[:, 1] >= lowest))
    cells = output[rows].astype(np.float64)
    scores = np.sqrt(1 / ((1 + np.exp(-cells[:, 0])) * (1 + np.exp(-cells[:, 1]))))
    best = np.argsort(-scores, kind="stable")[:MAX_FACES]
    best = best[scores[best] >= threshold]
    rows, cells, scores = rows[best], cells[best], scores[best]

    counts = [(height // stride) * (width // stride) for stride in STRIDES]
    starts = np.cumsum([0, *counts[:-1]])
    maps = np.searchsorted(starts, rows, side="right") - 1
    strides = np.take(STRIDES, maps)[:, None].astype(np.float64)
    y, x = np.divmod(rows - starts[maps], width // strides[:, 0])
    corners = np.stack([x, y], axis=1)
    centers, sizes = corners + cells[:, 2:4], np.exp(cells[:, 4:6])
    landmarks = cells[:, 6:].reshape(-1, 5, 2) + corners[:, None]
    box = np.stack([centers - sizes / 2, centers + sizes / 2], axis=1)
    return Faces(np.concatenate([box, landmarks], axis=1) * strides[:, None], scores)


def _logit(probability: float) -> float:
    if probability in (0, 1):
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))


def _finest_scale(shape: tuple[int, ...], min_face: float | None) -> float:
    """Return the scale of the first level for an image of that height and width."""
    if min_face is not None:
        return scale_to(SMALLEST_FACE, shape, min_face)
    height, width = shape[:2]
    return float(min(1.0, (MAX_PIXELS / (height * width)) ** 0.5))


def lay_out(images: Sequence[BGRImage]) -> tuple[BGRImage, list[tuple[int, int]]]:
    """Return a black sheet with all images, and where the left upper corner of each is, x and y.

    The first is at the left, the others in a column beside it. Sheets have few sizes, multiples of
    the network's coarsest stride, and so have the corners: no cell sees the middle of two images.
    """
    first, *others = images
    corners = [(0, 0)]
    x, y = _in_strides(first.shape[1] + GAP), 0
    for image in others:
        corners.append((x, y))
        y += _in_strides(image.shape[0] + GAP)
    ends = [
        np.add(corner, image.shape[1::-1]) for corner, image in zip(corners, images, strict=True)
    ]
    width, height = (
        bucket_size(math.ceil(side / COARSEST), SIDE_BUCKETS) * COARSEST
        for side in np.max(ends, axis=0).tolist()
    )
    if first.shape[:2] == (height, width):
        return first, corners
    sheet = np.zeros((height, width, 3), np.uint8)
    for (x, y), image in zip(corners, images, strict=True):
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
    return sheet, corners


def _in_strides(length: int) -> int:
    return length + -length % COARSEST
