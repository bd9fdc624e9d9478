from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.alignment import (
    CropSpec,
    Mode,
    crop_batch,
    crop_faces,
    estimate_similarity,
    guess_landmarks,
    resize_crops,
)
from faceattr.types import BBox, BGRImage, CropGeometry, Detection

TEMPLATE = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
SPEC = CropSpec(size=(100, 100), color="bgr", template=TEMPLATE)
COLORS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)])


def paint(landmarks: NDArray[np.floating], size: tuple[int, int], radius: int) -> NDArray[np.uint8]:
    """A black picture with a disc of another color at each landmark."""
    image = np.zeros((*size, 3), np.uint8)
    for (x, y), color in zip(landmarks, COLORS.tolist(), strict=True):
        cv2.circle(image, (round(x), round(y)), radius, color, cv2.FILLED)
    return image


def turned(points: NDArray[np.floating], degrees: float) -> NDArray[np.floating]:
    matrix = cv2.getRotationMatrix2D(points.mean(axis=0).tolist(), degrees, 1)
    return points @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("degrees", [0, 30, -60, 180])
@pytest.mark.parametrize("side", [40, 100, 700])
def test_landmarks_come_to_lie_on_the_template(degrees: float, side: int) -> None:
    landmarks = turned(np.array(TEMPLATE) * side + (1000 - side) / 2, degrees).astype(np.float32)
    image = paint(landmarks, (1000, 1000), radius=max(2, side // 25))
    (crop,) = crop_faces(image, [Detection((0, 0, 1, 1), 1.0, landmarks)], SPEC)
    for (x, y), color in zip(np.array(TEMPLATE) * 100, COLORS, strict=True):
        np.testing.assert_allclose(crop[round(y), round(x)], color, atol=40)


def test_a_box_without_landmarks_gets_those_of_a_mean_face() -> None:
    bbox: BBox = (20.0, 30.0, 60.0, 80.0)
    image = paint(guess_landmarks(bbox), (100, 100), radius=2)
    bare, known = Detection(bbox, 1.0), Detection(bbox, 1.0, guess_landmarks(bbox))
    np.testing.assert_array_equal(crop_faces(image, [bare], SPEC), crop_faces(image, [known], SPEC))


def test_the_mean_color_survives_a_strong_shrinking() -> None:
    image = np.zeros((960, 960, 3), np.uint8)
    image[::2] = 200  # stripes of one px, which would alias
    spec = CropSpec(size=(48, 48), color="gray", mode="box")
    (crop,) = crop_faces(image, [Detection((100, 100, 860, 860), 1.0)], spec)
    assert crop.shape == (48, 48, 1)
    np.testing.assert_allclose(crop, 100, atol=4)


def test_what_lies_outside_repeats_the_border() -> None:
    image = np.full((50, 50, 3), (10, 20, 30), np.uint8)
    faces = [Detection((-30, -30, 20, 20), 1.0), Detection((400, 400, 450, 450), 1.0)]
    for mode in ("box", "landmarks"):
        crops = crop_faces(image, faces, CropSpec(size=(24, 32), mode=mode))
        assert crops.shape == (2, 24, 32, 3)
        assert (crops == (10, 20, 30)).all()


def test_a_box_is_cut_out_as_a_square_around_its_center() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 45:55] = 255
    (crop,) = crop_faces(image, [Detection((45, 40, 55, 60), 1.0)], CropSpec((20, 20), mode="box"))
    np.testing.assert_array_equal(crop[:, 5:15], 255)
    np.testing.assert_array_equal(crop[:, :5], 0)


def test_the_margin_is_a_share_of_the_longer_side() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 40:60] = 255
    spec = CropSpec((40, 40), mode="box", margin=0.5)
    (crop,) = crop_faces(image, [Detection((40, 40, 60, 60), 1.0)], spec)
    assert crop[:, :, 0].sum() == 255 * 20 * 20


def test_colors_are_in_the_order_that_is_asked_for() -> None:
    image = np.full((20, 20, 3), (10, 100, 200), np.uint8)
    face = [Detection((0, 0, 20, 20), 1.0)]
    assert crop_faces(image, face, CropSpec((8, 8), "bgr"))[0, 0, 0].tolist() == [10, 100, 200]
    assert crop_faces(image, face, CropSpec((8, 8), "rgb"))[0, 0, 0].tolist() == [200, 100, 10]
    assert crop_faces(image, face, CropSpec((8, 8), "gray"))[0, 0, 0].tolist() == [120]


def test_nobody_gives_no_crops() -> None:
    assert crop_faces(np.zeros((9, 9, 3), np.uint8), [], SPEC).shape == (0, 100, 100, 3)


def test_a_similarity_is_recovered_from_its_points() -> None:
    points = np.array(TEMPLATE) * 50
    matrix = cv2.getRotationMatrix2D((3, 4), 25, 1.7)
    targets = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(estimate_similarity(points, targets), matrix, atol=1e-9)


def test_points_that_coincide_are_only_shifted() -> None:
    matrix = estimate_similarity(np.full((5, 2), 8.0), np.array(TEMPLATE))
    np.testing.assert_allclose(matrix[:, :2], np.eye(2))


def test_a_crop_of_the_right_form_is_kept_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    (crop,) = resize_crops([image], CropSpec(size=(20, 30))).crops
    np.testing.assert_array_equal(crop, image)


def test_other_crops_are_scaled_and_converted() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = (0, 0, 255)
    (crop,) = resize_crops([image], CropSpec(size=(10, 10), color="rgb")).crops
    np.testing.assert_array_equal(crop[:, :5], np.zeros((10, 5, 3)))
    np.testing.assert_array_equal(crop[:, 5:], np.full((10, 5, 3), (255, 0, 0)))
    batch = resize_crops([image, image], CropSpec(size=(10, 10), color="gray"))
    assert batch.crops.shape == (2, 10, 10, 1)


RED, BLUE = (0, 0, 255), (255, 0, 0)


def two_halves(height: int, width: int) -> BGRImage:
    """Return a picture that is blue on the left and red on the right."""
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2] = BLUE
    image[:, width // 2 :] = RED
    return image


def eyes(left: tuple[float, float], right: tuple[float, float]) -> NDArray[np.float32]:
    return np.array([left, right, (0, 0), (0, 0), (0, 0)], np.float32)


def test_stretch_fills_the_crop_with_the_box() -> None:
    spec = CropSpec(size=(40, 40), mode="stretch")
    detection = Detection((10.0, 0.0, 30.0, 100.0), 1.0)
    (crop,) = crop_faces(two_halves(100, 40), [detection], spec)
    np.testing.assert_array_equal(crop[:, :19], np.full((40, 19, 3), BLUE))
    np.testing.assert_array_equal(crop[:, 21:], np.full((40, 19, 3), RED))


def test_letterbox_keeps_the_shape_of_the_box_and_blackens_the_rest() -> None:
    spec = CropSpec(size=(40, 40), mode="letterbox")
    detection = Detection((10.0, 0.0, 30.0, 100.0), 1.0)
    (crop,) = crop_faces(two_halves(100, 40), [detection], spec)
    assert not crop[:, :16].any()
    assert not crop[:, 24:].any()
    np.testing.assert_array_equal(crop[:, 16:19], np.full((40, 3, 3), BLUE))
    np.testing.assert_array_equal(crop[:, 21:24], np.full((40, 3, 3), RED))


def test_letterbox_splits_odd_room_as_deepface_does() -> None:
    spec = CropSpec(size=(10, 10), mode="letterbox")
    (crop,) = crop_faces(two_halves(20, 20), [Detection((0.0, 0.0, 20.0, 10.0), 1.0)], spec)
    assert np.flatnonzero(crop.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("mode", ["letterbox", "stretch"])
def test_eyes_come_to_lie_level(mode: Mode) -> None:
    spec = CropSpec(size=(40, 40), mode=mode)
    image = two_halves(60, 60)
    upside_down = Detection((10.0, 10.0, 50.0, 50.0), 1.0, eyes((40, 30), (20, 30)))
    (crop,) = crop_faces(image, [upside_down], spec)
    (expected,) = crop_faces(image[:, ::-1], [Detection(upside_down.bbox, 1.0)], spec)
    np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize("landmarks", [None, eyes((20, 20), (20, 20))])
def test_without_two_eyes_the_box_stays_upright(landmarks: NDArray[np.float32] | None) -> None:
    spec = CropSpec(size=(20, 20), mode="stretch")
    image = two_halves(40, 40)
    (crop,) = crop_faces(image, [Detection((10.0, 10.0, 30.0, 30.0), 1.0, landmarks)], spec)
    np.testing.assert_array_equal(crop, image[10:30, 10:30])


def test_a_margin_adds_the_same_room_on_each_side() -> None:
    detection = Detection((10.0, 15.0, 30.0, 25.0), 1.0)
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    wide = CropSpec(size=(20, 30), mode="stretch", margin=0.25)
    (crop,) = crop_faces(image, [detection], wide)
    np.testing.assert_array_equal(crop, image[10:30, 5:35])


def test_a_box_is_a_square_around_the_middle() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    spec = CropSpec(size=(20, 20), mode="box")
    (crop,) = crop_faces(image, [Detection((10.0, 15.0, 30.0, 25.0), 1.0)], spec)
    np.testing.assert_array_equal(crop, image[10:30, 10:30])


@pytest.mark.parametrize("mode", ["landmarks", "box", "letterbox", "stretch"])
def test_the_geometry_says_where_the_landmarks_come_to_lie(mode: Mode) -> None:
    landmarks = turned(np.array(TEMPLATE) * 400 + (300, 250), 20).astype(np.float32)
    image = paint(landmarks, (1000, 1000), radius=16)
    face = Detection((280, 250, 700, 680), 1.0, landmarks)
    spec = CropSpec(size=(100, 140), color="bgr", mode=mode, margin=0.2)
    batch = crop_batch([image], [[face]], spec)
    (crop,), (geometry,) = batch.crops, batch.geometry
    assert geometry.landmarks is not None
    for (x, y), color in zip(geometry.landmarks, COLORS, strict=True):
        np.testing.assert_allclose(crop[round(float(y)), round(float(x))], color, atol=40)


def test_the_geometry_has_the_scale_of_its_crop() -> None:
    face, image = Detection((10, 10, 60, 35), 1.0), np.zeros((50, 80, 3), np.uint8)
    for mode, scale in (("box", 2.0), ("stretch", 4.0)):
        spec = CropSpec((100, 100), mode=mode)  # type: ignore[arg-type]
        assert crop_batch([image], [[face]], spec).geometry == [CropGeometry(None, scale)]
    narrow = np.zeros((50, 20, 3), np.uint8)
    assert resize_crops([narrow], CropSpec((100, 100))).geometry == [CropGeometry(None, 5.0)]


def test_crops_are_cut_from_rgb_too() -> None:
    image = np.full((40, 40, 3), (200, 100, 0), np.uint8)
    face = Detection((5, 5, 25, 25), 0.9)
    spec = CropSpec((8, 8), color="rgb", mode="box")
    crops = crop_faces(np.ascontiguousarray(image[..., ::-1]), [face], spec, color="rgb")
    assert crops[0, 4, 4].tolist() == [0, 100, 200]
    assert np.array_equal(crops, crop_faces(image, [face], spec))
