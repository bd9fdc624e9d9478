"""What holds for every detector, also for those that download their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from conftest import SHARED
from numpy.typing import NDArray

from faceattr.boxes import iou
from faceattr.detectors import detectors, dlib
from faceattr.detectors.base import Detector, LoadedDetector
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.testing import check_detector
from faceattr.types import BGRImage, Detection

FACE = (181.6, 63.7, 264.6, 171.1)
"""The astronaut's, as the mtcnn package finds it."""
MARKS = {
    "dlib-cnn": [pytest.mark.data, pytest.mark.slow],
    "ssd": [pytest.mark.data],
}
SEARCHING = [
    pytest.param(name, marks=MARKS.get(name, ()))
    for name in ("dlib-cnn", "dlib-hog", "haar", "mtcnn", "ssd", "yunet")
]
FAR = [one for one in SEARCHING if one.values[0] in ("mtcnn", "ssd", "yunet")]  # haar misses them
SMALL = 24  # px, longer side of a far face
PLACES = [(x, y) for y in (3, 690, 1413, 2040) for x in (5, 950, 1901, 2847, 3720)]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def mirror() -> Iterator[str]:
    """Address of a server that has the files that detectors download."""
    folder = SHARED / "detectors"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _empty_cache(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_MIRROR", mirror)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))


def create(name: str, **options: float | None) -> Detector:
    """Return a detector; skip the test if this machine lacks what it needs."""
    if name.startswith("dlib"):
        pytest.importorskip("dlib")
    if detectors.get(name).weights and not (SHARED / "detectors").is_dir():
        pytest.skip(f"needs {SHARED / 'detectors'}")
    return detectors.create(name, **options)


def load(name: str, **options: float | None) -> LoadedDetector:
    return LoadedDetector(create(name, **options), create_engine())


def are_inside(found: Sequence[Detection], image: BGRImage) -> bool:
    height, width = image.shape[:2]
    return all(
        0 <= one.bbox[0] < one.bbox[2] <= width and 0 <= one.bbox[1] < one.bbox[3] <= height
        for one in found
    )


def overlap(detection: Detection, bbox: Sequence[float]) -> float:
    return iou(np.array([detection.bbox]), np.array([bbox])).item()


def num_found(found: Sequence[Detection], faces: Sequence[NDArray[np.float64]]) -> int:
    """Return on how many of the faces something was found."""
    boxes = np.array([one.bbox for one in found]).reshape(-1, 4)
    return int((iou(np.array(faces), boxes).max(axis=1, initial=0) > 0.4).sum())


@pytest.mark.parametrize("name", SEARCHING)
def test_the_contract_is_kept(name: str, astronaut: Path) -> None:
    image = load_image(astronaut)
    check_detector(create(name), [np.hstack([image, image[:, ::-1]])])


@pytest.mark.parametrize("name", SEARCHING)
def test_the_face_is_framed_as_by_mtcnn(name: str, astronaut: Path) -> None:
    surest = load(name).detect(load_image(astronaut))[0]
    assert overlap(surest, FACE) > 0.7


@pytest.mark.parametrize("name", SEARCHING)
def test_a_gray_picture_has_the_same_face(name: str, astronaut: Path) -> None:
    gray = cv2.cvtColor(load_image(astronaut), cv2.COLOR_BGR2GRAY)
    surest = load(name).detect(load_image(gray))[0]
    assert overlap(surest, FACE) > 0.7


@pytest.mark.parametrize("name", SEARCHING)
@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8])
def test_a_face_cut_by_the_border_ends_there(name: str, cut: float, astronaut: Path) -> None:
    detector, image = load(name), load_image(astronaut)
    right = round(FACE[0] + (FACE[2] - FACE[0]) * cut)
    below = round(FACE[1] + (FACE[3] - FACE[1]) * cut)
    for part in (image[:, right:], image[below:], image[:, :right], image[:below]):
        assert are_inside(detector.detect(part), part)


@pytest.mark.parametrize("name", SEARCHING)
def test_fifty_faces_are_found_in_one_picture(name: str, astronaut: Path) -> None:
    portrait = cv2.resize(load_image(astronaut)[:300, 80:380], (150, 150))
    crowd = np.tile(portrait, (5, 10, 1))
    found = load(name, min_face=30).detect(crowd)
    assert are_inside(found, crowd)
    faces = [
        np.add(np.subtract(FACE, (80, 0, 80, 0)) / 2, (x, y, x, y))
        for y in range(0, 750, 150)
        for x in range(0, 1500, 150)
    ]
    assert num_found(found, faces) == 50


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("tile_size", [None, 1000])
def test_far_faces_are_found_when_asked_for(
    name: str, tile_size: int | None, astronaut: Path
) -> None:
    scale = SMALL / (FACE[3] - FACE[1])
    small = cv2.resize(
        load_image(astronaut), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    image = np.full((2160, 3840, 3), 128, np.uint8)
    for x, y in PLACES:
        part = image[y : y + len(small), x : x + len(small)]
        part[:] = small[: part.shape[0], : part.shape[1]]
    found = load(name, min_face=0.75 * SMALL, tile_size=tile_size).detect(image)
    assert are_inside(found, image)
    faces = [np.add(np.multiply(FACE, scale), (x, y, x, y)) for x, y in PLACES]
    assert num_found(found, faces) == len(PLACES)


def test_dlib_s_memory_has_a_limit_however_small_a_face_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, astronaut: Path
) -> None:
    monkeypatch.setattr(dlib, "HOG_PIXELS_ASKED", 1_000_000)
    surest = load("dlib-hog", min_face=1).detect(load_image(astronaut))[0]
    assert overlap(surest, FACE) > 0.7


@pytest.mark.data
@pytest.mark.parametrize("name", [pytest.param("mtcnn", marks=pytest.mark.slow), "yunet"])
def test_auto_precision_loses_no_face(name: str, shared: Path) -> None:
    """Every face that is not within 0.02 of the threshold is found at either precision."""
    exact = LoadedDetector(detectors.create(name), create_engine(precision="f32"))
    fast = LoadedDetector(detectors.create(name), create_engine(precision="auto"))
    threshold = detectors.get(name).default_threshold
    crowds = sorted((shared / "wider").rglob("*.jpg"))[:25]
    for path in [*sorted((shared / "pictures").glob("*.jpg")), *crowds]:
        image = load_image(path)
        for one, other in ((exact, fast), (fast, exact)):
            nearly = other.detect(image, threshold=threshold - 0.02)
            for face in one.detect(image):
                if face.confidence >= threshold + 0.02:
                    assert max(overlap(there, face.bbox) for there in nearly) > 0.5
