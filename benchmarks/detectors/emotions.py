"""Whether the emotion of a face depends on the detector that found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import eq
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.detectors.candidates import Candidate
from benchmarks.detectors.data import AnnotatedImage, longer_sides
from benchmarks.detectors.scoring import Found, match
from faceattr.alignment import crop_batch
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.analyzers.loaded import LoadedAnalyzer
from faceattr.detectors import detectors
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.landmarks import LandmarkFinder
from faceattr.engines.base import Engine
from faceattr.types import BGRImage, Classification, Detection

MIN_SIZE = 40  # pixels, longer side of the faces whose emotions are compared
CONTROL, CONTROL_SCALE = "mtcnn, picture at 9/10", 0.9

Agreement: TypeAlias = Mapping[str, Sequence[bool]]
"""By kind of landmarks: whether each face has the emotion that it has by MTCNN's."""


class EmotionReader:
    """Reads emotions as `faceattr.analyze` does, or with other landmarks.

    Args:
        engine: Runs the networks.
    """

    def __init__(self, engine: Engine) -> None:
        self._analyzer = LoadedAnalyzer(EmotionAnalyzer(), engine, {})
        self._finder = LandmarkFinder(engine)

    def read(self, image: BGRImage, detections: Sequence[Detection]) -> list[str]:
        """Return the emotion of each face."""
        if not detections:
            return []
        batch = crop_batch([image], [detections], self._analyzer.crop)
        return [one.label for one in self._analyzer.read(batch) if isinstance(one, Classification)]

    def read_each_way(
        self, image: BGRImage, detections: Sequence[Detection]
    ) -> dict[str, list[str]]:
        """Return the emotions by the detector's own landmarks, MTCNN's, and a mean face's."""
        bare = [replace(one, landmarks=None) for one in detections]
        has_own = all(one.landmarks is not None for one in detections)
        return {
            "own": self.read(image, detections if has_own else []),
            "borrowed": self.read(image, self._finder.complete(image, bare)),
            "mean": self.read(image, bare),
        }


def emotion_agreement(
    engine: Engine,
    candidates: Sequence[Candidate],
    images: Sequence[AnnotatedImage],
    found: Mapping[str, Found],
) -> Mapping[str, Agreement]:
    """Compare the emotions by each detector with those by MTCNN's boxes and landmarks.

    The control is MTCNN itself on slightly smaller images.

    Returns:
        The agreement of each detector, by its name.
    """
    reader, mtcnn = EmotionReader(engine), LoadedDetector(detectors.create("mtcnn"), engine)
    agreements: dict[str, dict[str, list[bool]]] = {}
    for index, annotated in enumerate(images):
        image = annotated.read()
        detections = mtcnn.detect(image)
        sizes = longer_sides(np.array([one.bbox for one in detections]).reshape(-1, 4))
        references = [one for one, size in zip(detections, sizes, strict=True) if size >= MIN_SIZE]
        boxes = np.array([one.bbox for one in references]).reshape(-1, 4)
        expected = reader.read(image, references)
        by_name = {CONTROL: detect_smaller(mtcnn, image, CONTROL_SCALE)}
        for one in candidates:
            detections = list(found[one.name].get(index, ()))
            by_name[one.name] = [face for face in detections if face.confidence >= one.threshold]
        for name, detections in by_name.items():
            faces = match(detections, boxes)
            both = [one for one, face in zip(detections, faces, strict=True) if face is not None]
            labels = [expected[face] for face in faces if face is not None]
            agreement = agreements.setdefault(name, {})
            for way, answers in reader.read_each_way(image, both).items():
                agreement.setdefault(way, []).extend(map(eq, answers, labels))
    return agreements


def detect_smaller(detector: LoadedDetector, image: BGRImage, scale: float) -> list[Detection]:
    """Return the faces found in a smaller copy of an image, in pixels of the image itself."""
    return [
        replace(
            one,
            bbox=tuple(np.divide(one.bbox, scale).tolist()),
            landmarks=None if one.landmarks is None else one.landmarks / np.float32(scale),
        )
        for one in detector.detect(cv2.resize(image, None, fx=scale, fy=scale))
    ]
