"""The detector: an image pyramid, then three networks in a cascade."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

import numpy as np

from faceattr.boxes import nms
from faceattr.detectors.base import Detector, Finder, Search
from faceattr.detectors.mtcnn.packing import pack_levels, run_in_buckets, run_in_strips
from faceattr.detectors.mtcnn.sampling import ImagePyramid, halvings_to
from faceattr.detectors.mtcnn.stages import (
    CELL,
    Candidates,
    apply_offsets,
    concatenate,
    decode_proposals,
    face_probability,
    place_landmarks,
    to_squares,
)
from faceattr.detectors.mtcnn.weights import read_network
from faceattr.detectors.scales import scale_to
from faceattr.engines.base import Engine
from faceattr.types import BGRImage, Detection

PYRAMID_STEP = 0.709  # scale of each level relative to the one before, about the root of a half
SMALLEST_FACE = 20.0  # pixels, where the image is small enough for it
MAX_LEVEL = 900_000  # pixels of the finest level, without min_face
MAX_LEVEL_ASKED = 16_000_000  # pixels of the finest level, with min_face; takes 2 GB
MAX_SEARCHED = 32_000_000  # pixels of the image used, with min_face; takes 1.3 GB

PACKED_PIXELS = 20_000  # of a level, up to which it is packed with all smaller ones
WORKERS = 2  # threads that make levels; OpenCV makes one on one core

RNET_CONFIDENCE = 0.7
SCREEN_CONFIDENCE = 0.5  # approximate and exact outputs on 3000 proposals differ by at most 0.04
MAX_OVERLAP = 0.7


class MtcnnDetector(Detector):
    """Three small networks in a cascade; gives landmarks.

    The default threshold is 0.7, not the package's 0.8: it finds more of the faces that are
    cut by the border or turned away.
    """

    default_threshold = 0.7
    license = "MIT; weights of the package mtcnn, trained on WIDER FACE and CelebA"

    def load(self, engine: Engine) -> Finder:
        """See the base class."""
        return MtcnnFinder(engine)


class MtcnnFinder:
    """The compiled networks, and the threads that make levels of the pyramid.

    Args:
        engine: Runs the networks.
    """

    def __init__(self, engine: Engine) -> None:
        rnet = read_network("rnet")
        self._pnet = engine.compile(read_network("pnet"), precision="f32")  # bfloat16 loses faces
        self._screening_rnet = engine.compile(rnet)
        self._rnet = engine.compile(rnet, precision="f32")
        self._onet = engine.compile(read_network("onet"), precision="f32")
        self._num_workers = min(WORKERS, engine.threads or WORKERS)
        self._start_pool()

    def __call__(self, image: BGRImage, search: Search) -> list[Detection]:
        """Return the faces of an image, as `Finder` says."""
        scales = pyramid_scales(image.shape, search.min_face)
        if not scales:
            return []
        halvings = max(int(-math.log2(scales[0])), 0)  # that keep all the finest level needs
        if search.min_face is None:
            pyramid = ImagePyramid(image, halvings)
        else:  # to halve more costs almost a point of AP
            halvings = min(halvings, halvings_to(MAX_SEARCHED, image))
            pyramid = ImagePyramid(image, halvings, MAX_SEARCHED)
        candidates = self._propose(pyramid, scales)
        candidates = self._refine(pyramid, candidates)
        return self._decide(pyramid, candidates, search.threshold)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False)

    def _start_pool(self) -> None:
        self._pool, self._pid = ThreadPoolExecutor(self._num_workers), os.getpid()

    def _propose(self, pyramid: ImagePyramid, scales: Sequence[float]) -> Candidates:
        """Run PNet on every level of the pyramid."""
        if self._pid != os.getpid():  # a forked child does not inherit its parent's threads
            self._start_pool()
        outputs, small = [], []
        levels = self._pool.map(pyramid.level, scales)  # the next ones, while PNet runs on one
        for level in levels:
            if level.size <= 3 * PACKED_PIXELS:
                small.append(level)
            else:
                outputs.append(run_in_strips(self._pnet, level))
        if small:
            packed, parts = pack_levels(small)
            output = self._pnet(packed[None])[0]
            outputs += [output[part] for part in parts]
        candidates = concatenate(list(map(decode_proposals, outputs, scales)))
        return candidates.pick(nms(*candidates, MAX_OVERLAP))

    def _refine(self, pyramid: ImagePyramid, candidates: Candidates) -> Candidates:
        """Screen the proposals by RNet, then run it in float32 on those that may be faces."""
        if not len(candidates.boxes):
            return candidates
        squares = to_squares(candidates.boxes)
        crops = pyramid.crop_and_resize_approximately(squares, 24)
        possible = face_probability(run_in_buckets(self._screening_rnet, crops)) > SCREEN_CONFIDENCE
        if not possible.any():
            return candidates.pick(possible)
        squares = squares[possible]
        output = run_in_buckets(self._rnet, pyramid.crop_and_resize(squares, 24))
        refined = Candidates(apply_offsets(squares, output[:, 2:6]), face_probability(output))
        refined = refined.pick(refined.scores > RNET_CONFIDENCE)
        return refined.pick(nms(*refined, MAX_OVERLAP))

    def _decide(
        self, pyramid: ImagePyramid, candidates: Candidates, threshold: float
    ) -> list[Detection]:
        """Run ONet on what is left; it decides, and places the landmarks."""
        if not len(candidates.boxes):
            return []
        squares = to_squares(candidates.boxes)
        output = run_in_buckets(self._onet, pyramid.crop_and_resize(squares, 48))
        decided = Candidates(apply_offsets(squares, output[:, 2:6]), face_probability(output))
        landmarks = place_landmarks(squares, output[:, 6:])
        confident = np.flatnonzero(decided.scores > threshold)
        kept = confident[nms(*decided.pick(confident), MAX_OVERLAP, measure="ioa")]
        return [
            Detection(
                tuple(decided.boxes[row].tolist()), float(decided.scores[row]), landmarks[row]
            )
            for row in kept
        ]


def pyramid_scales(shape: tuple[int, ...], min_face: float | None) -> list[float]:
    """Return the scales at which an image is searched, the finest first.

    Args:
        shape: Height and width of the image in pixels.
        min_face: Smallest face to find, in pixels; None for 20, or larger where the finest level
            would have more than `MAX_LEVEL` pixels. Faces that would need a level of more than
            `MAX_LEVEL_ASKED` pixels are not searched for.
    """
    height, width = shape[:2]
    if min_face is None:
        finest = CELL / SMALLEST_FACE
        while height * width * finest**2 > MAX_LEVEL:
            finest *= PYRAMID_STEP
    else:
        finest = scale_to(CELL, shape, min_face, MAX_LEVEL_ASKED)
    scales = (finest * PYRAMID_STEP**step for step in range(1000))
    return list(takewhile(lambda scale: int(min(height, width) * scale) >= CELL, scales))
