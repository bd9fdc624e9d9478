"""Make labelled pictures to try `faceattr train` on: one face, with and without a mask.

    python make_pictures.py [FOLDER [COUNT]]

The face is that of scikit-image's photograph of an astronaut, by NASA, in the public domain. All
pictures show the same person, so what is learned from them holds for this example and nobody else.
It needs ``pip install scikit-image``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage import data

import faceattr

ASTRONAUT = Path(data.__path__[0]) / "astronaut.png"
SIDE = 320  # pixels of a picture


def main() -> None:
    """Write the pictures to FOLDER/bare and FOLDER/masked."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "pictures")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    image = faceattr.load_image(ASTRONAUT)
    (face,) = faceattr.detect(image)
    for seed, label in enumerate(("bare", "masked")):
        (folder / label).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for index in range(count):
            shown = wear_mask(image, face, rng) if label == "masked" else image
            picture = photograph(shown, face, rng)
            cv2.imwrite(str(folder / label / f"{index:03}.jpg"), picture)
    print(f"{count} pictures each in {folder / 'bare'} and {folder / 'masked'}")


def wear_mask(
    image: faceattr.BGRImage, face: faceattr.Detection, rng: np.random.Generator
) -> faceattr.BGRImage:
    """Return the image with a mask of some color over nose and mouth."""
    assert face.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    across, down = (right_eye - left_eye) / 2, (left_mouth + right_mouth) / 2 - nose
    corners = [nose - across * 1.3, nose - down * 0.5, nose + across * 1.3]
    corners += [
        right_mouth + across * 0.6 + down,
        nose + down * 3,
        left_mouth - across * 0.6 + down,
    ]
    color = [float(level) for level in rng.integers(40, 240, 3)]
    masked = image.copy()
    cv2.fillConvexPoly(masked, cv2.convexHull(np.rint(corners).astype(np.int32)), color)
    return masked


def photograph(
    image: faceattr.BGRImage, face: faceattr.Detection, rng: np.random.Generator
) -> faceattr.BGRImage:
    """Return a picture of the face: another angle, distance, light and noise each time."""
    x1, y1, x2, y2 = face.bbox
    center = ((x1 + x2) / 2, (y1 + y2) / 2)
    scale = rng.uniform(0.35, 0.6) * SIDE / (y2 - y1)
    matrix = cv2.getRotationMatrix2D(center, float(rng.uniform(-15, 15)), float(scale))
    matrix[:, 2] += SIDE / 2 - np.array(center) + rng.uniform(-30, 30, 2)
    taken = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    lit = taken * rng.uniform(0.6, 1.2) + rng.normal(0, rng.uniform(0, 12), taken.shape)
    picture = np.clip(lit, 0, 255).astype(np.uint8)
    return picture[:, ::-1] if rng.random() < 0.5 else picture


if __name__ == "__main__":
    main()
