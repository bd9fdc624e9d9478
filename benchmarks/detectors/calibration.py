"""What detectors promise: that boxes are framed alike, and that a confidence is a probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detectors.data import AnnotatedImage, longer_sides
from benchmarks.detectors.scoring import Found, match

MIN_SIZE = 10.0  # pixels, longer side of the faces by which confidences are calibrated
BOX_CONFIDENCE = 0.5  # of the detections whose boxes are compared
BOX_IOU, FACE_IOU = 0.3, 0.4  # lower than for scores: boxes are what is to be corrected
NEWTON_STEPS, RIDGE = 30, 1e-3
LOGIT_LIMIT = 50.0  # beyond which a probability is 0 or 1


def box_offset(images: Sequence[AnnotatedImage], found: Found) -> list[float]:
    """Return how boxes would have to move and grow to be as annotated, in the median.

    Returns:
        The shift to the right and down in widths and heights of the box, then the factors of
        its width and height; 0, 0, 1, 1 if the boxes are right.
    """
    changes = []
    for index, detections in found.items():
        image = images[index]
        confident = [one for one in detections if one.confidence >= BOX_CONFIDENCE]
        faces = match(confident, image.boxes, BOX_IOU)
        for detection, face in zip(confident, faces, strict=True):
            if face is not None and image.valid[face]:
                box = np.reshape(detection.bbox, (2, 2))
                truth = image.boxes[face].reshape(2, 2)
                sides = box[1] - box[0]
                shift = (truth.mean(axis=0) - box.mean(axis=0)) / sides
                changes.append([*shift, *((truth[1] - truth[0]) / sides)])
    return np.median(changes or [[np.nan] * 4], axis=0).tolist()


def platt_scaling(images: Sequence[AnnotatedImage], found: Found) -> list[float]:
    """Fit the probability that a detection is a face to the log-odds of its confidence.

    Returns:
        The log-odds at which half of the detections are faces, and the slope there; 0, 1 if
        confidences are probabilities.

    Reference: Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    rows, hits = [], []
    for index, detections in found.items():
        image = images[index]
        counts = image.valid & (longer_sides(image.boxes) >= MIN_SIZE)
        faces = match(detections, image.boxes, FACE_IOU)
        for detection, face in zip(detections, faces, strict=True):
            if face is None or counts[face]:
                confidence = np.clip(detection.confidence, 1e-6, 1 - 1e-6)
                rows.append([1.0, float(np.log(confidence / (1 - confidence)))])
                hits.append(face is not None)
    inputs, targets = np.array(rows).reshape(-1, 2), np.array(hits, float)
    weights = np.array([0.0, 1.0])
    for _ in range(NEWTON_STEPS):  # a little ridge, for detectors that find only faces
        logits = np.clip(inputs @ weights, -LOGIT_LIMIT, LOGIT_LIMIT)
        probabilities = 1 / (1 + np.exp(-logits))
        gradient = inputs.T @ (targets - probabilities) - RIDGE * weights
        curvature = (inputs.T * (probabilities * (1 - probabilities))) @ inputs
        weights = weights + np.linalg.solve(curvature + RIDGE * np.eye(2), gradient)
    return [float(-weights[0] / weights[1]), float(weights[1])]
