"""deepface's detectors, beside plain versions of its steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN

from faceattr.deepface import finders
from faceattr.deepface.areas import Area
from faceattr.deepface.finders import DlibFinder, SsdFinder, YunetFinder
from faceattr.errors import OptionError
from faceattr.images import load_image
from faceattr.types import BGRImage


def with_border(image: BGRImage) -> BGRImage:
    """Return the image as deepface's detectors see it."""
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    return cv2.copyMakeBorder(image, rows, rows, columns, columns, cv2.BORDER_CONSTANT)


def as_row(area: Area) -> list[int]:
    eyes = [area.points["right_eye"], area.points["left_eye"]]
    return [area.x, area.y, area.w, area.h, *eyes[0], *eyes[1]]


@pytest.mark.data
def test_yunet_finds_what_opencvs_reader_finds(pictures: Path, shared: Path) -> None:
    reader = cv2.FaceDetectorYN.create(
        str(shared / "detectors" / "face_detection_yunet_2023mar.onnx"), "", (0, 0), 0.9
    )
    find = YunetFinder()
    found, expected = [], []
    for path in sorted(pictures.iterdir()):
        image = load_image(path)
        for picture in (image, with_border(image)):
            found += [(as_row(area), area.confidence) for area in find(picture)]
            expected += read_by_opencv(reader, picture)
    assert len(found) == len(expected) >= 26
    rows, scores = zip(*found, strict=True)
    expected_rows, expected_scores = zip(*expected, strict=True)
    differences = np.abs(np.subtract(rows, expected_rows))
    assert (differences == 0).mean() > 0.99
    assert differences.max() <= 8  # a pixel of the smaller image, enlarged
    np.testing.assert_allclose(scores, expected_scores, atol=1e-3)


def read_by_opencv(reader: Any, image: BGRImage) -> list[tuple[list[int], float]]:
    """Return box and eyes of each face, cut to whole pixels before and after they are scaled."""
    height, width = image.shape[:2]
    ratio = 1.0
    if max(height, width) > 640:
        ratio = 640.0 / max(height, width)
        image = cv2.resize(image, (int(width * ratio), int(height * ratio)))
    reader.setInputSize(image.shape[1::-1])
    _, faces = reader.detect(image)
    rows = []
    for face in () if faces is None else faces:
        values = [int(value) for value in face[:8]]
        values[:2] = (max(value, 0) for value in values[:2])
        rows.append(([int(value / ratio) for value in values], float(face[-1])))
    return rows


def test_the_threshold_of_yunet_is_that_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    blurred = cv2.GaussianBlur(WOMAN, (0, 0), 8)
    find = YunetFinder()
    assert find(blurred) == []
    monkeypatch.setenv("yunet_score_threshold", "0.3")
    (area,) = find(blurred)
    assert 0.3 < area.confidence < 0.9
    monkeypatch.setenv("yunet_score_threshold", "high")
    with pytest.raises(OptionError, match="yunet_score_threshold is 'high'"):
        find(blurred)


@pytest.mark.data
def test_ssd_finds_what_a_plain_calculation_finds(
    pictures: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_MIRROR", str(shared / "detectors"))
    folder = shared / "detectors"
    network = cv2.dnn.readNetFromTensorflow(
        str(folder / "opencv_face_detector_uint8.pb"), str(folder / "opencv_face_detector.pbtxt")
    )
    find = SsdFinder()
    num_faces = 0
    for path in sorted(pictures.iterdir()):
        image = load_image(path)
        network.setInput(cv2.dnn.blobFromImage(cv2.resize(image, (300, 300))))
        expected = []
        for _, is_face, score, *sides in network.forward()[0, 0]:
            if is_face == 1 and score >= 0.9:
                x1, y1, x2, y2 = (int(side * 300) for side in sides)
                columns, rows = image.shape[1] / 300, image.shape[0] / 300
                x1, y1, x2, y2 = (
                    int(x1 * columns),
                    int(y1 * rows),
                    int(x2 * columns),
                    int(y2 * rows),
                )
                expected.append((x1, y1, x2 - x1, y2 - y1, float(score)))
        found = find(image)
        assert [(one.x, one.y, one.w, one.h, one.confidence) for one in found] == expected
        num_faces += len(found)
    assert num_faces >= 13


def test_dlibs_boxes_and_eyes_are_cut_to_whole_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = [
        SimpleNamespace(x=x, y=y) for x, y in ((60, 30), (51, 31), (20, 30), (31, 34), (0, 0))
    ]
    boxes = [rectangle(-5, 10, 70, 120), rectangle(10, 20, 60, 70)]
    dlib = SimpleNamespace(
        get_frontal_face_detector=lambda: SimpleNamespace(
            run=lambda image, upsampled: (boxes, [2.5, 0.25], [0, 0])
        ),
        shape_predictor=lambda path: lambda image, box: SimpleNamespace(parts=lambda: corners),
    )
    monkeypatch.setattr(finders, "import_dlib", lambda: dlib)
    monkeypatch.setattr(finders, "find", lambda weights: SimpleNamespace(path=weights.filename))
    first, second = DlibFinder()(NOBODY)
    assert (first.x, first.y, first.w, first.h, first.confidence) == (0, 10, 70, 90, 1.0)
    assert (second.x, second.y, second.w, second.h, second.confidence) == (10, 20, 50, 50, 0.25)
    assert first.points == {"right_eye": (25, 32), "left_eye": (55, 30)}


def rectangle(left: int, top: int, right: int, bottom: int) -> Any:
    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    return SimpleNamespace(**{name: lambda value=value: value for name, value in sides.items()})
