"""Landmarks for faces whose detector gives none, by MTCNN's last network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec, crop_faces
from faceattr.boxes import Boxes
from faceattr.detectors.mtcnn.stages import apply_offsets, place_landmarks, to_squares
from faceattr.detectors.mtcnn.weights import read_network
from faceattr.engines.base import Compiled, Engine
from faceattr.types import BGRImage, Detection

CROP = CropSpec(size=(48, 48), mode="box")
NUM_RUNS = 2  # the first only moves the boxes, so that it hardly matters how they were drawn


class LandmarkFinder:
    """Completes detections. Nothing is loaded until a face needs it.

    The landmarks are 0.03 of the distance between the eyes from those that MTCNN itself finds
    (median, for the boxes of any detector), which is as far as resampling an image moves its own.

    Args:
        engine: Runs the network.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def complete(self, image: BGRImage, detections: Sequence[Detection]) -> list[Detection]:
        """Return the same faces, each with landmarks."""
        bare = [one for one in detections if one.landmarks is None]
        if not bare:
            return list(detections)
        landmarks = iter(self._find(image, np.array([one.bbox for one in bare])))
        return [
            one if one.landmarks is not None else replace(one, landmarks=next(landmarks))
            for one in detections
        ]

    def _find(self, image: BGRImage, boxes: Boxes) -> NDArray[np.float32]:
        """Return (N, 5, 2) landmarks."""
        for _ in range(NUM_RUNS):
            crops = crop_faces(image, [Detection(tuple(box), 1.0) for box in boxes.tolist()], CROP)
            squares, output = to_squares(boxes), self._onet(crops)
            boxes = apply_offsets(squares, output[:, 2:6])
        return place_landmarks(squares, output[:, 6:])

    @cached_property
    def _onet(self) -> Compiled:
        return self._engine.compile(read_network("onet"), precision="f32")
