from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detectors.calibration import box_offset, platt_scaling
from benchmarks.detectors.data import AnnotatedImage
from benchmarks.detectors.scoring import match, score
from faceattr.types import Detection

BOXES = np.array([[0, 0, 100, 100], [200, 0, 300, 100], [400, 0, 410, 10]], float)


def image(*, valid: tuple[bool, ...] = (True, True, True)) -> AnnotatedImage:
    return AnnotatedImage(Path("image.jpg"), BOXES, np.array(valid))


def detection(x: float, confidence: float, side: float = 100) -> Detection:
    return Detection((x, 0, x + side, side), confidence)


def test_the_second_detection_of_a_face_is_false() -> None:
    found = {0: [detection(0, 0.9), detection(5, 0.8), detection(200, 0.7)]}
    result = score([image()], found, min_size=20)
    assert result.hits.tolist() == [True, False, True]
    assert (result.num_faces, result.num_images) == (2, 1)
    assert result.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert result.recall == 1.0  # one false detection per image is allowed


def test_detections_of_faces_that_do_not_count_are_neither_hits_nor_false() -> None:
    found = {0: [detection(0, 0.9), detection(400, 0.8, side=10)]}
    result = score([image(valid=(False, True, True))], found, min_size=20)
    assert (result.hits.tolist(), result.num_faces) == ([], 1)


def test_recall_stops_at_one_false_detection_per_image() -> None:
    found = {0: [detection(600, 0.9), detection(800, 0.8), detection(0, 0.7)]}
    assert score([image()], found, min_size=20).recall == 0.0


def test_a_detection_stands_for_the_face_that_it_overlaps_most() -> None:
    assert match([detection(210, 0.9), detection(140, 0.9)], BOXES) == [1, None]
    assert match([], BOXES) == []


def test_boxes_and_confidences_that_are_right_need_no_correction() -> None:
    rng = np.random.default_rng(0)
    images, found = [], {}
    for index in range(400):
        confidence = float(rng.uniform(0.05, 0.95))
        images.append(image())
        is_face = rng.random() < confidence
        found[index] = [detection(0 if is_face else 600, confidence)]
    assert box_offset(images, found) == [0, 0, 1, 1]
    midpoint, slope = platt_scaling(images, found)
    assert midpoint == pytest.approx(0, abs=0.25)
    assert slope == pytest.approx(1, abs=0.25)


def test_the_offset_of_a_box_is_in_its_own_sides() -> None:
    shifted = {0: [Detection((-10, 0, 40, 50), 0.9), Detection((190, 0, 240, 50), 0.9)]}
    boxes = np.array([[0, 0, 50, 50], [200, 0, 250, 50]], float)
    images = [AnnotatedImage(Path("image.jpg"), boxes, np.array([True, True]))]
    assert box_offset(images, shifted) == pytest.approx([0.2, 0, 1, 1])
