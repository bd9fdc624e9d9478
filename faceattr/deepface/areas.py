"""Where a face lies, in deepface's terms: whole pixels, and the subject's own left and right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from faceattr.types import BGRImage, Detection, Landmarks

Point: TypeAlias = tuple[int, int]
"""x and y in pixels."""

EYES = ("right_eye", "left_eye")  # the subject's right is the viewer's left
LANDMARKS = (*EYES, "nose", "mouth_right", "mouth_left")
"""deepface's names of the five landmarks, in our order."""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Where a face lies in an image, in pixels.

    Attributes:
        x: Its left side.
        y: Its upper side.
        w: Its width.
        h: Its height.
        confidence: The detector's confidence, on its own scale.
        points: The places that the detector gives in deepface, by deepface's names.
        landmarks: All five landmarks, where the detector knows them.
    """

    x: int
    y: int
    w: int
    h: int
    confidence: float = 0.0
    points: Mapping[str, Point] = field(default_factory=dict)
    landmarks: Landmarks | None = None

    def cut(self, image: BGRImage) -> BGRImage:
        """Return this part of an image."""
        return image[self.y : self.y + self.h, self.x : self.x + self.w]

    def expand(self, shape: tuple[int, ...], percentage: int) -> Area:
        """Return the area with longer sides, within an image of that shape."""
        height, width = shape[:2]
        w, h = (side + int(side * percentage / 100) for side in (self.w, self.h))
        x, y = max(0, self.x - int((w - self.w) / 2)), max(0, self.y - int((h - self.h) / 2))
        return replace(self, x=x, y=y, w=min(width - x, w), h=min(height - y, h))

    def clip(self, shape: tuple[int, ...]) -> Area:
        """Return the part of the area inside an image of that shape; its sides may be 0."""
        height, width = shape[:2]
        x, y = max(0, self.x), max(0, self.y)
        w = max(0, min(width, self.x + self.w) - x)
        h = max(0, min(height, self.y + self.h) - y)
        return replace(self, x=x, y=y, w=w, h=h)

    def shift(self, x: int, y: int) -> Area:
        """Return the area moved to the right and down."""
        points = {name: (point[0] + x, point[1] + y) for name, point in self.points.items()}
        landmarks = self.landmarks
        if landmarks is not None:
            landmarks = landmarks + np.array([x, y], np.float32)
        return replace(self, x=self.x + x, y=self.y + y, points=points, landmarks=landmarks)

    def to_region(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return deepface's ``facial_area`` in an image of that shape."""
        height, width = shape[:2]
        x, y = max(0, self.x), max(0, self.y)
        points = dict.fromkeys(("left_eye", "right_eye")) | {
            name: point if 0 <= point[0] < width and 0 <= point[1] < height else None
            for name, point in self.points.items()
        }
        return {
            "x": x,
            "y": y,
            "w": min(width - x - 1, self.w),
            "h": min(height - y - 1, self.h),
            **points,
        }


def to_area(detection: Detection, shape: tuple[int, ...], names: tuple[str, ...] = EYES) -> Area:
    """Return the area of a detection, rounded as the mtcnn package does.

    Its corner and its size are rounded, and it ends at the last pixel.

    Args:
        detection: A face.
        shape: Shape of the image.
        names: The landmarks of such a face that deepface gives.
    """
    height, width = shape[:2]
    box = np.clip(detection.bbox, 0, np.tile((width - 1, height - 1), 2))
    x, y, w, h = np.rint([*box[:2], *(box[2:] - box[:2])]).astype(int).tolist()
    landmarks = detection.landmarks
    points: dict[str, Point] = {}
    if landmarks is not None:
        places = zip(LANDMARKS, np.rint(landmarks).astype(int).tolist(), strict=True)
        points = {name: (place[0], place[1]) for name, place in places if name in names}
    return Area(x, y, w, h, detection.confidence, points, landmarks)
