"""Measure where faces lie in FER2013's pictures: the template that `emotion` is served by.

python -m models.emotion.framing fer2013.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.mtcnn.detector import MtcnnDetector
from faceattr.engines import create_engine
from faceattr.options import SearchOptions

NUM_PICTURES = 1500
LARGE, ROOM = 144, 48  # px: side of an enlarged picture, and around it
MIN_CONFIDENCE = 0.95


def main(data: Path) -> None:
    """Print the median place of each landmark, as shares of the picture's sides."""
    with np.load(data) as archive:
        training = archive["images"][archive["split"] == 0]
    chosen = np.random.default_rng(0).permutation(len(training))[:NUM_PICTURES]
    search = SearchOptions(min_face=60, max_faces=1, threshold=MIN_CONFIDENCE)
    detector = LoadedDetector(MtcnnDetector(), create_engine(), search)
    found = [face.landmarks for row in chosen for face in detector.detect(enlarged(training[row]))]
    places = (np.array(found) - ROOM) / LARGE
    print(f"sure of {len(places)} of {NUM_PICTURES}")
    for name, place in zip(
        ("eye", "eye", "nose", "mouth", "mouth"), np.median(places, 0), strict=True
    ):
        print(f"{name:6}{place[0]:.3f} {place[1]:.3f}")
    print(f"standard deviation {places.std(axis=0).mean():.3f}")


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a 48×48 picture as a larger BGR one with room around it."""
    large = cv2.resize(image, (LARGE, LARGE), interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, ROOM, ROOM, ROOM, ROOM, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(padded, cv2.COLOR_GRAY2BGR)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
