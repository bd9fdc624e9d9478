from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceattr.boxes import iou
from faceattr.detectors import yunet
from faceattr.detectors.base import LoadedDetector, Search
from faceattr.detectors.yunet import (
    Faces,
    YunetDetector,
    YunetFinder,
    decode,
    lay_out,
    merge_duplicates,
)
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.networks.architectures.yunet import STRIDES
from faceattr.networks.graph import Array
from faceattr.types import Detection

RNG = np.random.default_rng(0)
NUM_CELLS = 8 * 12 + 4 * 6 + 2 * 3  # of an image of 64×96 pixels
SIZES_ON_A_SHEET = [(240, 320), (94, 125), (50, 60)]
TOLERANCE = 0.02  # of a confidence near the threshold


@pytest.fixture(scope="module")
def detector() -> LoadedDetector:
    return LoadedDetector(YunetDetector(), create_engine())


def overlap(a: Detection, b: Detection) -> float:
    return iou(np.array([a.bbox]), np.array([b.bbox])).item()


def output(**cells: list[float]) -> Array:
    """Return the network's output with these rows, `cell3` for the third; no face elsewhere."""
    rows = np.full((NUM_CELLS, 16), -9.0, np.float32)
    for name, values in cells.items():
        rows[int(name.removeprefix("cell"))] = values
    return rows


# The network's output


def test_a_face_is_placed_relative_to_its_cell() -> None:
    landmarks = [0.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]
    face = [9.0, 9.0, 0.5, 0.25, np.log(2), np.log(3), *landmarks]
    for cell, stride, x, y in ((12 + 2, 8, 2, 1), (96 + 6 + 5, 16, 5, 1), (96 + 24 + 4, 32, 1, 1)):
        faces = decode(output(**{f"cell{cell}": face}), 64, 96, 0.5)
        expected = np.array([x - 0.5, y - 1.25, x + 1.5, y + 1.75]) * stride
        np.testing.assert_allclose(faces.boxes, [expected], rtol=1e-6)
        points = np.add(np.reshape(landmarks, (5, 2)), (x, y)) * stride
        np.testing.assert_allclose(faces.landmarks, [points], rtol=1e-6)


def test_the_score_is_the_mean_of_both_probabilities() -> None:
    rest = [0.0] * 14
    rows = output(cell3=[np.log(4), np.log(9), *rest], cell7=[9.0, -9.0, *rest])
    assert decode(rows, 64, 96, 0.1).scores == pytest.approx([(0.8 * 0.9) ** 0.5])
    assert len(decode(rows, 64, 96, 0.9).scores) == 0


def test_the_threshold_may_be_zero_or_one() -> None:
    assert len(decode(output(), 64, 96, 0).scores) == NUM_CELLS
    assert len(decode(output(), 64, 96, 1).scores) == 0


def test_only_so_many_faces_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet, "MAX_FACES", 2)
    rest = [0.0] * 14
    rows = output(cell3=[1.0, 1.0, *rest], cell7=[3.0, 3.0, *rest], cell9=[2.0, 2.0, *rest])
    assert decode(rows, 64, 96, 0.1).scores == pytest.approx(1 / (1 + np.exp([-3, -2])))


# Duplicates


def faces(*rows: tuple[float, float, float, float, float]) -> Faces:
    """Return faces of a box and a score each, their landmarks at the left upper corners."""
    boxes = np.array(rows, float)[:, :4].reshape(-1, 2, 2)
    points = np.concatenate([boxes, np.repeat(boxes[:, :1], 5, axis=1)], axis=1)
    return Faces(points, np.array(rows)[:, 4])


def test_a_face_is_placed_at_the_mean_of_its_duplicates() -> None:
    merged = merge_duplicates(
        faces((0, 0, 100, 100, 0.9), (10, 0, 110, 100, 0.6), (300, 0, 400, 100, 0.8)), 0.5
    )
    left = 10 * 0.6**2 / (0.9**2 + 0.6**2)
    expected = np.array([[left, 0, 100 + left, 100], [300, 0, 400, 100]])
    np.testing.assert_allclose(merged.boxes, expected, rtol=1e-12)
    np.testing.assert_allclose(merged.landmarks[0], np.array([[left, 0]] * 5), rtol=1e-12)
    assert merged.scores.tolist() == [0.9, 0.8]


def test_unsure_and_distant_duplicates_do_not_move_a_face() -> None:
    sure = (0, 0, 100, 100, 0.9)
    unsure, distant = (10, 0, 110, 100, 0.44), (36, 0, 136, 100, 0.8)
    for other in (unsure, distant):
        assert merge_duplicates(faces(sure, other), 0.5).boxes.tolist() == [list(sure[:4])]


def test_images_on_a_sheet_lie_apart_and_are_whole() -> None:
    images = [np.full((height, width, 3), 9, np.uint8) for height, width in SIZES_ON_A_SHEET]
    sheet, corners = lay_out(images)
    assert sheet.shape[0] % 32 == sheet.shape[1] % 32 == 0
    assert (sheet > 0).any(axis=2).sum() == sum(
        height * width for height, width in SIZES_ON_A_SHEET
    )
    for (x, y), (height, width) in zip(corners, SIZES_ON_A_SHEET, strict=True):
        around = sheet[max(y - 32, 0) : y + height + 32, max(x - 32, 0) : x + width + 32]
        assert (around > 0).any(axis=2).sum() == height * width


# The whole


def test_landmarks_lie_where_they_should(detector: LoadedDetector, astronaut: Path) -> None:
    (face,) = detector.detect(load_image(astronaut))
    assert face.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("size", [40, 150, 400, 900, 2500])
def test_a_face_of_any_size_is_found_once(
    size: int, detector: LoadedDetector, astronaut: Path
) -> None:
    portrait = load_image(astronaut)[:300, 80:380]
    scale = size / 107  # pixels of the face's longer side
    image = cv2.resize(portrait, None, fx=scale, fy=scale)
    (face,) = detector.detect(np.asarray(image, np.uint8))
    expected = Detection(tuple(np.multiply((101.6, 63.7, 184.6, 171.1), scale).tolist()), 1.0)
    assert overlap(face, expected) > 0.6


def test_many_sizes_of_images_make_few_shapes() -> None:
    finder, met = YunetFinder(create_engine()), set()

    def network(batch: Array) -> Array:
        met.add(batch.shape)
        num_cells = sum(batch.shape[1] * batch.shape[2] // stride**2 for stride in STRIDES)
        return np.full((1, num_cells, 16), -9, np.float32)

    finder._first = finder._others = network
    for side in range(500, 700):
        finder(np.zeros((side, side + 100, 3), np.uint8), Search(0.6))
    assert len(met) < 30


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (20, 400), (100, 10_000), (3000, 25)])
def test_thin_images_have_no_phantom_faces(
    shape: tuple[int, int], detector: LoadedDetector
) -> None:
    for image in (
        np.full((*shape, 3), 128, np.uint8),
        RNG.integers(0, 256, (*shape, 3), dtype=np.uint8),
    ):
        assert detector.detect(image) == []


def test_a_large_level_in_tiles_has_the_same_faces(
    monkeypatch: pytest.MonkeyPatch, detector: LoadedDetector, astronaut: Path
) -> None:
    portrait = cv2.resize(load_image(astronaut)[:300, 80:380], (100, 100))
    crowd = np.tile(portrait, (8, 8, 1))
    whole = detector.detect(crowd)
    monkeypatch.setattr(yunet, "TILE_SIDE", 384)
    tiled = detector.detect(crowd)
    assert len(whole) == len(tiled) == 64
    for face in whole:
        assert max(overlap(face, other) for other in tiled) > 0.8


def test_threads_do_not_mix_their_faces(detector: LoadedDetector, astronaut: Path) -> None:
    image = load_image(astronaut)
    images = [image, image[:, ::-1], image[:150], image[::-1]] * 4
    alone = [[one.to_dict() for one in detector.detect(image)] for image in images]
    with ThreadPoolExecutor(8) as pool:
        found = [[one.to_dict() for one in faces] for faces in pool.map(detector.detect, images)]
    assert found == alone


@pytest.mark.data
def test_opencv_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, shared: Path, astronaut: Path
) -> None:
    monkeypatch.setattr(yunet, "LAST_SIDE", 512)  # one level, like OpenCV
    monkeypatch.setattr(yunet, "SAME_FACE", 1.0)  # the surest of the duplicates, likewise
    file = shared / "detectors" / "face_detection_yunet_2023mar.onnx"
    image = load_image(astronaut)
    reader = cv2.FaceDetectorYN.create(str(file), "", image.shape[1::-1])
    row = reader.detect(image)[1][0]
    exact = LoadedDetector(YunetDetector(), create_engine(precision="f32"))
    (face,) = exact.detect(image)
    x, y, width, height = row[:4].tolist()
    assert face.bbox == pytest.approx((x, y, x + width, y + height), abs=0.01)
    assert face.confidence == pytest.approx(row[14], abs=1e-4)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, row[4:14].reshape(5, 2), atol=0.01)
