"""Move a camera over a photograph, and save what it sees with the face drawn on each frame.

    python examples/moving_picture.py moving.webp [PHOTO]

Without PHOTO, it is scikit-image's picture of the astronaut Eileen Collins, in the public domain.
The README's moving picture was made by this program.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import faceattr

SIZE = (360, 270)  # width and height of a frame in pixels
NUM_FRAMES, FPS = 36, 12


def main(to: str, photo: str | None = None) -> None:
    """Analyze the frames as a stream, and save them as one moving picture."""
    if photo is None:
        import skimage

        photo = str(Path(skimage.__file__).parent / "data" / "astronaut.png")
    image = faceattr.load_image(photo)
    painter = faceattr.FramePainter()
    pictures = []
    for frame, faces in faceattr.stream(camera(image), actions="emotion,age,gender"):
        drawn = painter.draw(frame.image, faces)
        pictures.append(Image.fromarray(np.ascontiguousarray(drawn[..., ::-1])))
    first, *rest = pictures
    first.save(to, save_all=True, append_images=rest, duration=1000 // FPS, loop=0, quality=40)


def camera(image: faceattr.BGRImage) -> Iterator[faceattr.BGRImage]:
    """Yield views of the image by a camera that swings to and fro, and comes nearer and goes."""
    height, width = image.shape[:2]
    for index in range(NUM_FRAMES):
        turn = 2 * math.pi * index / NUM_FRAMES
        scale = SIZE[0] / width * (1.35 - 0.3 * math.cos(turn))
        matrix = cv2.getRotationMatrix2D((0.45 * width, 0.3 * height), 7 * math.sin(turn), scale)
        middle = SIZE[0] * (0.5 + 0.12 * math.sin(turn)), SIZE[1] * 0.45
        matrix[:, 2] += np.array(middle) - (0.45 * width, 0.3 * height)
        view = cv2.warpAffine(image, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
        yield np.asarray(view, np.uint8)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/moving_picture.py MOVING.webp [PHOTO]")
    try:
        main(*sys.argv[1:3])
    except faceattr.FaceattrError as error:
        sys.exit(str(error))
