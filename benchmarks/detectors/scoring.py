"""Detections against the ground truth, by the protocol of WIDER FACE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.detectors.data import AnnotatedImage, longer_sides
from faceattr.boxes import Boxes, iou
from faceattr.types import Detection

MIN_IOU = 0.5  # of a detection with the face that it stands for

Found: TypeAlias = Mapping[int, Sequence[Detection]]
"""The detections in each image, by its index in the list of annotated images."""


class Score(NamedTuple):
    """The detections of many images that count, the most confident first.

    Attributes:
        hits: (N,) whether each is the first on a face that counts; the others are false.
        num_faces: Number of faces that count.
        num_images: Number of images that were searched.
    """

    hits: NDArray[np.bool_]
    num_faces: int
    num_images: int

    @property
    def average_precision(self) -> float:
        """Area under the curve of precision over recall, made monotonic from the right."""
        precision = np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        return float(best_from_here[self.hits].sum() / self.num_faces)

    @property
    def recall(self) -> float:
        """Share of faces found at the threshold with one false detection per image."""
        allowed = np.cumsum(~self.hits) <= self.num_images
        return float(self.hits[allowed].sum() / self.num_faces)


def score(images: Sequence[AnnotatedImage], found: Found, min_size: float) -> Score:
    """Compare detections with the ground truth.

    A detection stands for the face that it overlaps most, if their IoU is at least one half.
    Smaller faces, and those that the annotators could not judge, do not count as missed;
    detections of them count neither as hits nor as false.

    Args:
        images: Images with their faces.
        found: The detections.
        min_size: Longer side in pixels from which on faces count.
    """
    confidences, hits, num_faces = [], [], 0
    for index, detections in found.items():
        image = images[index]
        detections = sorted(detections, key=lambda one: one.confidence, reverse=True)
        counts = image.valid & (longer_sides(image.boxes) >= min_size)
        num_faces += int(counts.sum())
        missing = counts.copy()
        for detection, face in zip(detections, match(detections, image.boxes), strict=True):
            if face is not None and not counts[face]:
                continue
            confidences.append(detection.confidence)
            hits.append(face is not None and bool(missing[face]))
            if face is not None:
                missing[face] = False
    order = np.argsort(-np.array(confidences), kind="stable")
    return Score(np.array(hits, bool)[order], num_faces, len(found))


def match(
    detections: Sequence[Detection], boxes: Boxes, min_iou: float = MIN_IOU
) -> list[int | None]:
    """Return the row of the box that each detection overlaps most; None below the least IoU."""
    if not len(boxes) or not detections:
        return [None] * len(detections)
    overlap = iou(np.array([one.bbox for one in detections], float), boxes)
    return [
        int(face) if row[face] >= min_iou else None
        for row, face in zip(overlap, overlap.argmax(axis=1), strict=True)
    ]
