"""MTCNN with the weights of the mtcnn package, on our engine.

The same three stages, thresholds and arithmetic as the package, so the same boxes and
landmarks; but whole arrays at a time, and without TensorFlow. Where there is much to look
at and little of it is a face, the engine's own precision decides what is worth an exact
look: boxes and landmarks always come of float32.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, takewhile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import suppress
from faceattr.detectors.base import Detector
from faceattr.detectors.pyramid import scale_to
from faceattr.engines.base import Compiled, Engine
from faceattr.errors import MissingDependencyError
from faceattr.networks import mtcnn as networks
from faceattr.networks.graph import Array, Layer, Network
from faceattr.networks.joblib_file import read_arrays
from faceattr.types import BGRImage, Detection

CELL = 12  # px of the picture that one proposal sees
STRIDE = 2  # px between two proposals
PYRAMID_STEP = 0.709  # each level against the one before it, about the root of a half
SMALLEST_FACE = 20.0  # px, where the picture is not too large for it
MOST_PIXELS = 900_000  # of the finest level, where min_face is not given
MOST_PIXELS_ASKED = 16_000_000  # of the finest level, where it is; takes 2 GB
MOST_PIXELS_SUMMED = 2**31 // 255  # whose sums fit into int32
MOST_PIXELS_SEARCHED = 32_000_000  # of a picture, where min_face is given

FINE = 0.3  # scale above which levels have most of the px and only small faces
SHEET_PIXELS = 20_000  # of a level that is looked at together with all smaller ones
WORKERS = 2  # OpenCV makes a level on one core
SMALL = 1 / 12  # share of the px below which sums give a level sooner than OpenCV
STRIP_PIXELS = 120_000  # of a level, that go through the proposal network at a time
SIDES, NUMBERS = 8, 4  # of levels and of crops, that an engine meets from one to its double
MOST_REMAPPED = 32_766  # px or rows on a side, of OpenCV's remap
MID_GRAY = 127.5
NUM_ARRAYS = {"Conv2D": 2, "Dense": 2, "PReLU": 1}

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
        pnet, rnet = read_network("pnet", networks.pnet()), read_network("rnet", networks.rnet())
        self._quick_pnet, self._quick_rnet = engine.compile(pnet), engine.compile(rnet)
        self._pnet = engine.compile(pnet, precision="f32")
        self._rnet = engine.compile(rnet, precision="f32")
        self._onet = engine.compile(read_network("onet", networks.onet()), precision="f32")
        self._pool = ThreadPoolExecutor(min(WORKERS, engine.threads or WORKERS))

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        scales = pyramid(image.shape, min_face)
        if not scales:
            return []
        halvings = max(int(-math.log2(scales[0])), 0)  # that leave enough for the finest level
        if min_face is not None:  # then halving costs almost a point of AP
            halvings = min(halvings, halvings_to(MOST_PIXELS_SEARCHED, image))
        picture = Picture(image, halvings)
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


class Picture:
    """A picture made ready to be looked at in many sizes and places.

    Args:
        image: What to look at.
        halvings: How often its sides are halved before large levels are made of it.
    """

    def __init__(self, image: BGRImage, halvings: int = 0) -> None:
        self._image = image
        self._size = np.array(image.shape[1::-1])
        self._pixels = halved(image, halvings).astype(np.float32)  # rounded levels move boxes
        summed = halved(image, halvings_to(MOST_PIXELS_SUMMED, image))
        self._sums = cv2.integral(summed, sdepth=cv2.CV_32S)

    def level(self, scale: float) -> NDArray[np.float32]:
        """Return the picture in another size, each px the mean of those that it covers.

        OpenCV reads all px for the smallest level; from sums, only what that level needs is
        read. They are of the whole picture, as large faces move with the px of small levels.
        """
        width, height = (self._size * scale).astype(int).tolist()
        if height * width > SMALL * (self._pixels.size // 3):
            return cv2.resize(self._pixels, (width, height), interpolation=cv2.INTER_AREA)
        rows, columns = (side - 1 for side in self._sums.shape[:2])
        x, y = np.linspace(0, columns, width + 1), np.linspace(0, rows, height + 1)
        sums = between(self._sums, x[None], y[None])[0]
        totals = np.diff(np.diff(sums, axis=0), axis=1)
        return (totals * (height * width / (rows * columns))).astype(np.float32)

    def cut(self, boxes: Array, size: int) -> NDArray[np.float32]:
        """Return (N, size, size, 3) samples of the boxes, mid-gray outside the picture.

        Samples are taken as TensorFlow's ``crop_and_resize`` takes them, from corner to
        corner without averaging, since the networks expect that. OpenCV would round where
        they lie to 1/32 px, which moves the landmarks of large faces by many px.
        """
        points, last = self._points(boxes, size), self._size - 1
        x, y = np.clip(points.min(axis=(0, 1)), 0, last).astype(int)
        x_end, y_end = np.clip(points.max(axis=(0, 1)), 0, last).astype(int) + 2
        # a neighbor for the last of each row; and a fourth byte, as NumPy takes four at once
        part = self._image[y:y_end, x:x_end]
        part = cv2.copyMakeBorder(part, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
        part = cv2.cvtColor(part, cv2.COLOR_BGR2BGRA)
        four = between(part, points[..., 0] - x, points[..., 1] - y)
        samples = cv2.cvtColor(four.reshape(-1, size, 4), cv2.COLOR_BGRA2BGR)
        samples = samples.reshape(*four.shape[:3], 3)
        inside = (points >= 0) & (points <= last)
        samples[~(inside[:, None, :, 0] & inside[:, :, None, 1])] = MID_GRAY
        return samples

    def glance(self, boxes: Array, size: int) -> Array:
        """Return the same in a tenth of the time, by OpenCV: places are off by up to 1/64 px."""
        if max(len(boxes), *self._size) > MOST_REMAPPED:
            return self.cut(boxes, size)
        points = self._points(boxes, size).astype(np.float32)
        shape = len(boxes), size, size
        x = np.broadcast_to(points[:, None, :, 0], shape).reshape(len(boxes), -1)
        y = np.broadcast_to(points[:, :, None, 1], shape).reshape(len(boxes), -1)
        gray = (MID_GRAY,) * 3
        samples = cv2.remap(self._image, x, y, cv2.INTER_LINEAR, borderValue=gray)
        return samples.reshape(*shape, 3)

    def _points(self, boxes: Array, size: int) -> NDArray[np.float64]:
        """Return (N, size, 2) x and y of samples."""
        low, high = np.split(boxes[:, None] * np.tile(1 - 1 / self._size, 2), 2, axis=2)
        return low + (high - low) * np.linspace(0, 1, size)[:, None]


def halvings_to(most_pixels: int, image: BGRImage) -> int:
    """Return how often the sides are to be halved until the image has no more px."""
    return max(math.ceil(math.log(image.size / 3 / most_pixels, 4)), 0)


def halved(image: BGRImage, times: int) -> BGRImage:
    """Return the image with half the rows and columns, and again; of an odd number, one is lost."""
    for _ in range(times):
        width, height = (side // 2 for side in image.shape[1::-1])
        even = image[: 2 * height, : 2 * width]  # is halved ten times as fast
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return image


def between(values: Array, x: Array, y: Array) -> Array:
    """Return what a grid of values is at (N, rows, columns) places between its points.

    Args:
        values: (H, W, C) at whole x and y.
        x: (N, columns) of the places.
        y: (N, rows) of the places.
    """
    height, width, channels = values.shape
    left = np.clip(x, 0, width - 2).astype(np.intp)
    top = np.clip(y, 0, height - 2).astype(np.intp)
    exact = np.result_type(values, np.float32)  # float32 for bytes, float64 for sums
    right = np.repeat((x - left)[:, None].astype(exact), channels, axis=2)
    below = (y - top)[:, :, None].astype(exact)

    start = top[:, :, None] * width + left[:, None]
    flat = values.reshape(-1, channels)

    def pick(step: int) -> Array:
        return flat.take(start + step, axis=0).astype(exact).reshape(*start.shape[:2], -1)

    above = _mixed(pick(0), pick(1), right)
    under = _mixed(pick(width), pick(width + 1), right)
    return _mixed(above, under, below).reshape(*start.shape, channels)


def _mixed(first: Array, second: Array, share: Array) -> Array:
    return first + (second - first) * share


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


def read_network(name: str, layers: Sequence[Layer]) -> Network:
    """Return the network with the weights of the installed mtcnn package.

    The package takes RGB in [-1, 1], lays pictures out by columns where they become
    vectors, and answers in several arrays. The weights are rearranged once, so that no
    picture ever is.
    """
    arrays = _read_weights(name)
    weighted = [layer for layer in layers if layer.kind in NUM_ARRAYS]
    counts = [NUM_ARRAYS[layer.kind] for layer in weighted[:-1]]
    body, answers = arrays[: sum(counts)], arrays[sum(counts) :]
    groups = [
        body[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)
    ]
    groups[0] = _for_bgr_pixels(*groups[0])
    for index, layer in enumerate(weighted[:-1]):
        if layer.kind == "Dense":
            groups[index][0] = _by_rows(groups[index][0], channels=groups[index - 1][0].shape[-1])
    groups.append(_in_one(answers))
    names = [layer.name for layer in weighted]
    return Network(name, layers, dict(zip(names, groups, strict=True)))


def _read_weights(name: str) -> list[Array]:
    package = importlib.util.find_spec("mtcnn")  # importing it would import TensorFlow
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError("the detector 'mtcnn' needs: pip install mtcnn")
    folder = Path(package.submodule_search_locations[0])
    return read_arrays(folder / "assets" / "weights" / f"{name}.lz4")


def _for_bgr_pixels(kernel: Array, bias: Array) -> list[Array]:
    """Rearrange a first convolution of RGB in [-1, 1] for BGR in [0, 255]."""
    kernel = kernel[:, :, ::-1] / 128
    return [kernel, bias - 127.5 * kernel.sum(axis=(0, 1, 2))]


def _by_rows(kernel: Array, channels: int) -> Array:
    """Rearrange what multiplies a square picture laid out by columns."""
    side = math.isqrt(len(kernel) // channels)
    return kernel.reshape(side, side, channels, -1).swapaxes(0, 1).reshape(kernel.shape)


def _in_one(answers: Sequence[Array]) -> list[Array]:
    """Join kernels and biases of offsets, landmarks if any, and face: the last comes first."""
    kernels, biases = answers[::2], answers[1::2]
    return [np.concatenate([arrays[-1], *arrays[:-1]], axis=-1) for arrays in (kernels, biases)]
