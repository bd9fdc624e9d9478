"""The detectors that are measured: faceattr's, the mtcnn package, and OpenCV's own YuNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors import detectors
from faceattr.detectors.base import Detector, LoadedDetector
from faceattr.engines.base import Engine
from faceattr.types import BGRImage, Detection
from faceattr.weights import Weights, fetch

YUNET = Weights(
    filename="face_detection_yunet_2023mar.onnx",
    sources=(
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2023mar.onnx",
    ),
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    num_bytes=232_589,
    license="MIT; trained on WIDER FACE, research data",
    card="models/detectors/README.md",
)
"""The file as published, for OpenCV; faceattr's own detector ships its weights."""

OURS: Mapping[str, Mapping[str, Any]] = {
    "mtcnn": {},
    "yunet": {},
    "ssd": {},
    "haar": {},
    "dlib-hog": {},
    "dlib-cnn": {},
    "yunet, min_face=20": {"min_face": 20},
    "ssd, min_face=20": {"min_face": 20},
}
"""The name of a detector, perhaps with a suffix, to its options."""

LOW = 0.02  # threshold at which curves of precision over recall are nearly complete
PACKAGE_THRESHOLD, OPENCV_THRESHOLD = 0.8, 0.6  # as in the examples of their documentation

Detect: TypeAlias = Callable[[BGRImage], Sequence[Detection]]


class Calls(NamedTuple):
    """A detector that is ready, at two thresholds.

    Attributes:
        detect_all: Also gives detections of very low confidence.
        detect: Gives the detections that a user gets.
    """

    detect_all: Detect
    detect: Detect


@dataclass(frozen=True)
class Candidate:
    """A detector that is measured.

    Attributes:
        name: Name in tables.
        load: Makes the detector ready.
        threshold: Least confidence of what a user gets.
    """

    name: str
    load: Callable[[], Calls]
    threshold: float


def all_candidates(engine: Engine) -> Iterator[Candidate]:
    """Yield faceattr's detectors, then the others."""
    for name, options in OURS.items():
        kind = detectors.get(name.partition(",")[0])

        def load(kind: type[Detector] = kind, options: Mapping[str, Any] = options) -> Calls:
            detector = LoadedDetector(kind(**options), engine)
            return Calls(partial(detector.detect, threshold=LOW), detector.detect)

        yield Candidate(name, load, kind.default_threshold)
    yield Candidate("the mtcnn package", _load_package, PACKAGE_THRESHOLD)
    yield Candidate("OpenCV's YuNet", _load_opencv, OPENCV_THRESHOLD)


def _load_package() -> Calls:
    from mtcnn import MTCNN  # type: ignore[import-untyped]

    package = MTCNN()
    landmarks = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

    def detect(image: BGRImage, **options: float) -> list[Detection]:
        return [
            _to_detection(
                face["box"],
                face["confidence"],
                np.array([face["keypoints"][name] for name in landmarks], np.float32),
            )
            for face in package.detect_faces(image[..., ::-1], **options)
        ]

    return Calls(lambda image: detect(image, threshold_onet=LOW), detect)


def _load_opencv() -> Calls:
    reader = cv2.FaceDetectorYN.create(str(fetch(YUNET)), "", (1, 1))

    def detect(image: BGRImage, threshold: float) -> list[Detection]:
        reader.setInputSize(image.shape[1::-1])
        reader.setScoreThreshold(threshold)
        _, rows = reader.detect(image)
        return [
            _to_detection(row[:4].tolist(), row[14], row[4:14].reshape(5, 2))
            for row in (() if rows is None else rows)
        ]

    return Calls(lambda image: detect(image, LOW), lambda image: detect(image, OPENCV_THRESHOLD))


def _to_detection(
    box: Sequence[float], confidence: float, landmarks: NDArray[np.float32]
) -> Detection:
    """Return a detection from a box of x, y, width and height."""
    x, y, width, height = box
    return Detection((x, y, x + width, y + height), float(confidence), landmarks)
