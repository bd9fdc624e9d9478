from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceattr.boxes import iou
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.mtcnn import detector as mtcnn
from faceattr.detectors.mtcnn.detector import MtcnnDetector, MtcnnFinder, pyramid_scales
from faceattr.engines import create_engine
from faceattr.errors import MissingDependencyError
from faceattr.images import load_image
from faceattr.types import BGRImage, Detection, Landmarks

RNG = np.random.default_rng(0)
FACE = (181.6, 63.7, 264.6, 171.1)
"""The astronaut's, as the mtcnn package finds it."""
NOISE: BGRImage = RNG.integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def detector() -> LoadedDetector:
    return loaded()


@pytest.fixture(scope="module")
def finder() -> MtcnnFinder:
    return MtcnnFinder(create_engine())


def loaded(min_face: float | None = None, threads: int | None = None) -> LoadedDetector:
    return LoadedDetector(MtcnnDetector(min_face=min_face), create_engine(threads=threads))


def overlap(a: Detection, b: Detection) -> float:
    return iou(np.array([a.bbox]), np.array([b.bbox])).item()


def landmarks(face: Detection) -> Landmarks:
    assert face.landmarks is not None
    return face.landmarks


def test_the_face_of_a_photograph_is_found_with_its_landmarks(
    detector: LoadedDetector, astronaut: Path
) -> None:
    (face,) = detector.detect(load_image(astronaut))
    assert face.bbox == pytest.approx(FACE, abs=1)
    assert face.confidence > 0.99
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks(face)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_screening_changes_no_face(detector: LoadedDetector, astronaut: Path) -> None:
    exact = LoadedDetector(MtcnnDetector(), create_engine(precision="f32"))
    image = load_image(astronaut)
    (ours,), (theirs,) = detector.detect(image), exact.detect(image)
    assert ours.bbox == pytest.approx(theirs.bbox, abs=0.01)
    np.testing.assert_allclose(landmarks(ours), landmarks(theirs), atol=0.01)


def test_boxes_are_in_pixels_of_a_picture_too_large_to_be_searched_as_it_is(
    monkeypatch: pytest.MonkeyPatch, detector: LoadedDetector, astronaut: Path
) -> None:
    image = load_image(astronaut)
    (face,) = detector.detect(image)
    monkeypatch.setattr(mtcnn, "MAX_LEVEL", 20_000)
    (again,) = detector.detect(image)
    assert overlap(face, again) > 0.9


def test_no_face_is_smaller_than_asked(astronaut: Path) -> None:
    image = load_image(astronaut)
    assert len(loaded(min_face=60).detect(image)) == 1
    assert loaded(min_face=200).detect(image) == []


def test_faces_of_any_size_can_be_asked_for(astronaut: Path) -> None:
    small = cv2.resize(load_image(astronaut), None, fx=1 / 8, fy=1 / 8)
    assert loaded(min_face=20).detect(small) == []
    (face,) = loaded(min_face=8).detect(small)
    assert face.bbox == pytest.approx([side / 8 for side in FACE], abs=2)


@pytest.mark.parametrize("value", [0, 128])
def test_plain_pictures_have_no_face(detector: LoadedDetector, value: int) -> None:
    assert detector.detect(np.full((200, 300, 3), value, np.uint8)) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 70), (12, 12), (20, 21), (100, 10_000), (40_000, 25)]
)
def test_a_picture_may_have_any_shape(detector: LoadedDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)) == []


def test_threads_do_not_mix_their_faces(detector: LoadedDetector, astronaut: Path) -> None:
    image = load_image(astronaut)
    pictures = [image, image[:, ::-1], NOISE, image[::-1]] * 4
    alone = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detector.detect, pictures)) == alone


def test_one_thread_finds_the_same(detector: LoadedDetector, astronaut: Path) -> None:
    image = load_image(astronaut)
    (face,), (alone,) = detector.detect(image), loaded(threads=1).detect(image)
    assert alone.bbox == pytest.approx(face.bbox, abs=0.01)


FORKED = """
import os, sys, warnings
import cv2
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.mtcnn.detector import MtcnnDetector
from faceattr.engines import create_engine

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork with threads
detector, image = LoadedDetector(MtcnnDetector(), create_engine()), cv2.imread(sys.argv[1])
found = detector.detect(image)
child = os.fork()
if child == 0:
    os._exit(0 if detector.detect(image) == found else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_finds_the_same(astronaut: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKED, str(astronaut)], timeout=60, check=True)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings(  # lz4 closes the package's weights late: Python 3.13 says so
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_the_package_finds_the_same(detector: LoadedDetector, pictures: Path) -> None:
    package = pytest.importorskip("mtcnn").MTCNN()
    for path in sorted(pictures.glob("*.jpg")):
        image = load_image(path)
        ours = detector.detect(image)
        for face in package.detect_faces(image[..., ::-1]):
            left, top, width, height = face["box"]
            names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
            points = np.array([face["keypoints"][name] for name in names])
            theirs = Detection((left, top, left + width, top + height), face["confidence"])
            same = max(ours, key=lambda one: overlap(one, theirs))
            assert overlap(same, theirs) > 0.95
            np.testing.assert_allclose(landmarks(same), points, atol=2)


# Levels


def test_the_pyramid_starts_with_the_smallest_face_and_ends_with_the_shorter_side() -> None:
    scales = pyramid_scales((480, 640), None)
    np.testing.assert_allclose(scales, [0.6 * 0.709**step for step in range(10)])


def test_a_large_picture_is_searched_from_a_level_of_a_smaller_one() -> None:
    asked, default = pyramid_scales((2000, 2400), 20), pyramid_scales((2000, 2400), None)
    assert default == pytest.approx(asked[1:])
    assert 2000 * 2400 * default[0] ** 2 <= 900_000 < 2000 * 2400 * asked[0] ** 2


def test_the_smallest_face_asked_for_fills_a_cell() -> None:
    scales = pyramid_scales((480, 640), 48)
    assert scales == pytest.approx([0.25 * 0.709**step for step in range(7)])


@pytest.mark.parametrize("min_face", [5e-324, 0.01, 1])
def test_no_level_is_too_large_for_memory(min_face: float) -> None:
    assert 480 * 640 * pyramid_scales((480, 640), min_face)[0] ** 2 == pytest.approx(16e6)


def test_a_picture_smaller_than_the_smallest_face_has_no_level() -> None:
    assert pyramid_scales((19, 640), None) == []
    assert pyramid_scales((480, 640), 1e9) == []


# Weights


def test_the_package_s_weights_fit(finder: MtcnnFinder) -> None:
    assert finder._pnet(np.zeros((1, 13, 16, 3), np.uint8)).shape == (1, 2, 3, 6)
    assert finder._rnet(np.zeros((5, 24, 24, 3), np.uint8)).shape == (5, 6)
    assert finder._onet(np.zeros((2, 48, 48, 3), np.uint8)).shape == (2, 16)


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install mtcnn"):
        loaded()
