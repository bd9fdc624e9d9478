"""Landmarks for faces whose detector gives none: MTCNN's last network looks at their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec, crop_faces
from faceattr.boxes import Boxes
from faceattr.detectors.mtcnn import weights as networks
from faceattr.detectors.mtcnn.detector import moved, place_landmarks, squared
from faceattr.engines.base import Compiled, Engine
from faceattr.types import BGRImage, Detection

CROP = CropSpec(size=(48, 48), mode="box")


class LandmarkFinder:
    """Completes what detectors find. Nothing is loaded until a face needs it.

    The landmarks are 0.03 of the distance between the eyes from those that MTCNN finds by
    itself (median, whichever detector drew the box), which is as far as a resampled picture
    moves its own.

    Args:
        engine: What runs the network.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def complete(self, image: BGRImage, detections: Sequence[Detection]) -> list[Detection]:
        """Return the same faces, each with landmarks."""
        bare = [one for one in detections if one.landmarks is None]
        if not bare:
            return list(detections)
        landmarks = iter(self._look_twice(image, np.array([one.bbox for one in bare])))
        return [
            one if one.landmarks is not None else replace(one, landmarks=next(landmarks))
            for one in detections
        ]

    def _look_twice(self, image: BGRImage, boxes: Boxes) -> NDArray[np.float32]:
        """Return (N, 5, 2) landmarks; the first look only moves the boxes.

        So it hardly matters how they were drawn.
        """
        for _ in range(2):
            crops = crop_faces(image, [Detection(tuple(box), 1.0) for box in boxes.tolist()], CROP)
            squares, answer = squared(boxes), self._onet(crops)
            boxes = moved(squares, answer[:, 2:6])
        return place_landmarks(squares, answer[:, 6:])

    @cached_property
    def _onet(self) -> Compiled:
        return self._engine.compile(networks.read("onet"), precision="f32")
