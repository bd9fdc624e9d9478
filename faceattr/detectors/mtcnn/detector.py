"""MTCNN with the weights of the mtcnn package, on our engine.

The same three stages, thresholds and arithmetic as the package, so the same boxes and
landmarks; but whole arrays at a time, and without TensorFlow. Where there is much to look
at and little of it is a face, the engine's own precision decides what is worth an exact
look: boxes and landmarks always come of float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, takewhile
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import suppress
from faceattr.detectors.base import Detector
from faceattr.detectors.mtcnn import weights as networks
from faceattr.detectors.mtcnn.sampling import Picture, halvings_to
from faceattr.detectors.scales import scale_to
from faceattr.engines.base import Compiled, Engine
from faceattr.networks.graph import Array
from faceattr.types import BGRImage, Detection

CELL = 12  # px of the picture that one proposal sees
STRIDE = 2  # px between two proposals
PYRAMID_STEP = 0.709  # each level against the one before it, about the root of a half
SMALLEST_FACE = 20.0  # px, where the picture is not too large for it
MOST_PIXELS = 900_000  # of the finest level, where min_face is not given
MOST_PIXELS_ASKED = 16_000_000  # of the finest level, where it is; takes 2 GB
MOST_PIXELS_SEARCHED = 32_000_000  # of a picture, where min_face is given; takes 1.3 GB

FINE = 0.3  # scale above which levels have most of the px and only small faces
SHEET_PIXELS = 20_000  # of a level that is looked at together with all smaller ones
WORKERS = 2  # OpenCV makes a level on one core
STRIP_PIXELS = 120_000  # of a level, that go through the proposal network at a time
SIDES, NUMBERS = 8, 4  # of levels and of crops, that an engine meets from one to its double

PNET_CONFIDENCE, RNET_CONFIDENCE = 0.6, 0.7
PNET_LOGIT = math.log(PNET_CONFIDENCE / (1 - PNET_CONFIDENCE))
RNET_DOUBT = 0.5  # quick and exact answers to 3000 proposals differ by 0.04 at most
OVERLAP_IN_LEVEL, OVERLAP = 0.5, 0.7


class Candidates(NamedTuple):
    """Boxes that may be faces."""

    boxes: NDArray[np.float64]
    """(N, 4) x1, y1, x2, y2 in px."""
    scores: NDArray[np.float32]
    """(N,) probability of a face."""

    def pick(self, rows: Array) -> Candidates:
        """Return the candidates of these rows."""
        return Candidates(self.boxes[rows], self.scores[rows])


NO_CANDIDATES = Candidates(np.empty((0, 4)), np.empty(0, np.float32))


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Return the candidates of all parts, in their order."""
    return Candidates(*map(np.concatenate, zip(NO_CANDIDATES, *parts, strict=True)))


class MtcnnDetector(Detector):
    """Three small networks in a cascade; gives landmarks (default).

    The default threshold is 0.7, not the package's 0.8: it finds more of the faces that are
    cut by the border or turned away.
    """

    default_threshold = 0.7

    def load(self, engine: Engine) -> None:
        """See the base class."""
        pnet, rnet = networks.read("pnet"), networks.read("rnet")
        self._quick_pnet, self._quick_rnet = engine.compile(pnet), engine.compile(rnet)
        self._pnet = engine.compile(pnet, precision="f32")
        self._rnet = engine.compile(rnet, precision="f32")
        self._onet = engine.compile(networks.read("onet"), precision="f32")
        self._pool = ThreadPoolExecutor(min(WORKERS, engine.threads or WORKERS))

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scales = pyramid(image.shape, min_face)
        if not scales:
            return []
        halvings = max(int(-math.log2(scales[0])), 0)  # that leave enough for the finest level
        if min_face is None:
            picture = Picture(image, halvings)
        else:  # then halving costs almost a point of AP
            halvings = min(halvings, halvings_to(MOST_PIXELS_SEARCHED, image))
            picture = Picture(image, halvings, MOST_PIXELS_SEARCHED)
        candidates = self._propose(picture, scales)
        return self._decide(picture, self._refine(picture, candidates))

    def _propose(self, picture: Picture, scales: Sequence[float]) -> Candidates:
        """Look at every place of every level of the pyramid."""
        answers, small = [], []
        levels = self._pool.map(picture.level, scales)  # the next ones, while one is looked at
        for scale, level in zip(scales, levels, strict=True):
            if level.size <= 3 * SHEET_PIXELS:
                small.append(level)
            else:
                pnet = self._quick_pnet if scale > FINE else self._pnet
                answers.append(by_strips(pnet, level))
        if small:
            sheet, parts = on_one_sheet(small)
            answer = self._pnet(sheet[None])[0]
            answers += [answer[part] for part in parts]
        candidates = joined(list(map(proposals, answers, scales)))
        return candidates.pick(suppress(*candidates, OVERLAP))

    def _refine(self, picture: Picture, candidates: Candidates) -> Candidates:
        """Look again at each proposal, exactly if it may be a face, and move its sides."""
        if not len(candidates.boxes):
            return candidates
        squares = squared(candidates.boxes)
        answer = by_usual_numbers(self._quick_rnet, picture.glance(squares, 24))
        likely = face_probability(answer) > RNET_DOUBT
        if not likely.any():
            return candidates.pick(likely)
        squares = squares[likely]
        answer = by_usual_numbers(self._rnet, picture.cut(squares, 24))
        refined = Candidates(moved(squares, answer[:, 2:6]), face_probability(answer))
        refined = refined.pick(refined.scores > RNET_CONFIDENCE)
        return refined.pick(suppress(*refined, OVERLAP))

    def _decide(self, picture: Picture, candidates: Candidates) -> list[Detection]:
        """Look closest at what is left, and place the landmarks."""
        if not len(candidates.boxes):
            return []
        squares = squared(candidates.boxes)
        answer = by_usual_numbers(self._onet, picture.cut(squares, 48))
        decided = Candidates(moved(squares, answer[:, 2:6]), face_probability(answer))
        landmarks = place_landmarks(squares, answer[:, 6:])
        sure = np.flatnonzero(decided.scores > self.threshold)
        kept = sure[suppress(*decided.pick(sure), OVERLAP, of_smaller=True)]
        return [
            Detection(
                tuple(decided.boxes[row].tolist()), float(decided.scores[row]), landmarks[row]
            )
            for row in kept
        ]


def pyramid(shape: tuple[int, ...], min_face: float | None) -> list[float]:
    """Return the scales at which a picture is searched, the finest first.

    Args:
        shape: Height and width of the picture in px.
        min_face: Smallest face to look for, in px; None for 20, or so much more that the
            finest level has no more than `MOST_PIXELS`. Faces that would need a level of
            more than `MOST_PIXELS_ASKED` are not looked for.
    """
    height, width = shape[:2]
    if min_face is None:
        scale = CELL / SMALLEST_FACE
        while height * width * scale**2 > MOST_PIXELS:
            scale *= PYRAMID_STEP
    else:
        scale = scale_to(CELL, shape, min_face, MOST_PIXELS_ASKED)
    steps = (scale * PYRAMID_STEP**step for step in range(1000))
    return list(takewhile(lambda step: int(min(height, width) * step) >= CELL, steps))


def on_one_sheet(
    levels: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], list[tuple[slice, slice]]]:
    """Return levels side by side, as starting on a small one takes longer than looking at it.

    Returns:
        The sheet, and which rows and columns of the answer to it are the answer to each level.
    """
    levels = [  # even sides, so that no cell sees two levels
        enlarged(level, *(side + side % STRIDE for side in level.shape[:2])) for level in levels
    ]
    starts = [0, *accumulate(level.shape[1] for level in levels)]
    height, width = usual(len(levels[0]), SIDES), usual(starts[-1], SIDES)
    sheet = np.zeros((height, width, 3), np.float32)
    parts = []
    for level, start in zip(levels, starts, strict=False):
        height, width = level.shape[:2]
        sheet[:height, start : start + width] = level
        first = start // STRIDE
        parts.append((slice(cells(height)), slice(first, first + cells(width))))
    return sheet, parts


def by_strips(pnet: Compiled, level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (rows, columns, 6) answer to a level, of which the cache holds one strip."""
    rows, columns = map(cells, level.shape[:2])
    level = enlarged(level, *(usual(side, SIDES) for side in level.shape[:2]))
    height, width = level.shape[:2]
    step = max(STRIP_PIXELS // width // STRIDE, 1) * STRIDE
    starts = range(0, max(height - CELL + STRIDE, 1), step)
    strips = [level[None, start : start + step + CELL - STRIDE] for start in starts]
    return np.concatenate([pnet(strip)[0] for strip in strips])[:rows, :columns]


def by_usual_numbers(network: Compiled, crops: Array) -> NDArray[np.float32]:
    """Return the answer to (N, H, W, C) crops, to few different numbers of crops."""
    missing = usual(len(crops), NUMBERS) - len(crops)
    padded = np.concatenate([crops, np.zeros_like(crops, shape=(missing, *crops.shape[1:]))])
    return network(padded)[: len(crops)]


def usual(number: int, choices: int) -> int:
    """Return the number or a larger one, with few choices from a number to its double.

    An engine makes itself ready for each shape it meets, which takes longer than some px or
    crops more. With four choices 1 to 8 stay as they are, then come 10, 12, 14, 16, 20, 24, ...
    """
    step = 2 ** max((number - 1).bit_length() - choices.bit_length(), 0)
    return number + -number % step


def enlarged(level: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return the level with its last rows and columns repeated."""
    missing = height - level.shape[0], width - level.shape[1]
    if not any(missing):
        return level
    border = cv2.copyMakeBorder(level, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
    return np.asarray(border, np.float32)


def cells(side: int) -> int:
    """Return how many places the proposal network looks at along a side of so many px."""
    return (side - CELL + 1) // STRIDE + 1


def proposals(answer: NDArray[np.float32], scale: float) -> Candidates:
    """Return the boxes that one level proposes, in px of the picture.

    Args:
        answer: (rows, columns, 6) of the proposal network.
        scale: Size of the level as a share of the picture's.
    """
    rows, columns = np.nonzero(answer[..., 1] - answer[..., 0] > PNET_LOGIT)
    answer = answer[rows, columns]
    corners = np.stack([columns, rows], axis=1) * STRIDE
    cells = np.hstack([corners + 1, corners + CELL]).astype(np.float64)
    boxes = (cells + answer[:, 2:6] * (CELL - 1)) / scale
    candidates = Candidates(boxes, face_probability(answer))
    return candidates.pick(suppress(*candidates, OVERLAP_IN_LEVEL))


def face_probability(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of the first two of the last axis, for the second of them."""
    return 1 / (1 + np.exp(answer[..., 0] - answer[..., 1]))


def squared(boxes: Array) -> NDArray[np.float64]:
    """Return the squares around the same centers with the longer sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    corners = boxes[:, :2] + (sides - sides.max(axis=1, keepdims=True)) / 2
    return np.hstack([corners, corners + sides.max(axis=1, keepdims=True)])


def moved(boxes: Array, offsets: Array) -> NDArray[np.float64]:
    """Return the boxes with each side moved by a share of the box."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([sides, sides])


def place_landmarks(boxes: Array, shares: Array) -> NDArray[np.float32]:
    """Return the (N, 5, 2) landmarks in px.

    Args:
        boxes: (N, 4) squares that the output network saw.
        shares: (N, 10) five x, then five y, in shares of the squares.
    """
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    points = shares.reshape(-1, 2, 5).transpose(0, 2, 1)
    return (points * sides + boxes[:, None, :2] - 1).astype(np.float32)
