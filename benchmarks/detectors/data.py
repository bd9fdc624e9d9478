"""Annotated images: WIDER FACE, and large images with small faces made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import Boxes
from faceattr.types import BGRImage

FAR_WIDTH, FAR_HEIGHT = 3840, 2160  # pixels, of an image with small faces
CELL_WIDTH, CELL_HEIGHT = 640, 540  # pixels of it for each face


class AnnotatedImage(NamedTuple):
    """An image file and the faces in it.

    Attributes:
        path: The file.
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        valid: (N,) whether a face counts; False where the annotators could not judge it.
    """

    path: Path
    boxes: Boxes
    valid: NDArray[np.bool_]

    def read(self) -> BGRImage:
        """Return the image.

        Raises:
            FileNotFoundError: The file is missing, or not an image.
        """
        image = cv2.imread(str(self.path))
        if image is None:
            raise FileNotFoundError(self.path)
        return np.asarray(image, np.uint8)


def read_wider(folder: Path) -> list[AnnotatedImage]:
    """Return the images of a folder with ``images/`` and ``wider_face_val_bbx_gt.txt``."""
    lines = iter((folder / "wider_face_val_bbx_gt.txt").read_text().splitlines())
    images = []
    for name in lines:
        count = int(next(lines))  # an image without faces has one row all the same
        rows = np.array([next(lines).split() for _ in range(max(count, 1))], float)[:count]
        boxes = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
        images.append(AnnotatedImage(folder / "images" / name, boxes, rows[:, 7] == 0))
    return images


def longer_sides(boxes: Boxes) -> NDArray[np.float64]:
    """Return the longer side of each of (N, 4) boxes in pixels."""
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)


def far_image(images: Sequence[AnnotatedImage], size: int) -> tuple[BGRImage, Boxes]:
    """Return a large image with portraits scaled so that each face has a given size.

    Args:
        images: Those of a single face are used.
        size: Longer side of a face in pixels.

    Returns:
        The image, and the (N, 4) boxes of the faces.
    """
    portraits = [image for image in images if len(image.boxes) == 1 and image.valid[0]]
    canvas = np.full((FAR_HEIGHT, FAR_WIDTH, 3), 128, np.uint8)
    corners = [
        (x, y) for y in range(0, FAR_HEIGHT, CELL_HEIGHT) for x in range(0, FAR_WIDTH, CELL_WIDTH)
    ]
    boxes = []
    for number, (x, y) in enumerate(corners):
        portrait = portraits[number % len(portraits)]
        scale = size / longer_sides(portrait.boxes)[0]
        small = cv2.resize(portrait.read(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = small[:CELL_HEIGHT, :CELL_WIDTH]
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
        boxes.append(portrait.boxes[0] * scale + (x, y, x, y))
    return canvas, np.array(boxes)
