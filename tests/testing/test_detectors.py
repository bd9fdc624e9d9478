"""Each way to break a detector's rules is found, and the built-in detectors break none."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from faceattr.detectors import detectors
from faceattr.detectors.base import Detector, Finder, LoadedDetector, Search
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import PluginError
from faceattr.images import load_image
from faceattr.testing import FixedDetector, check_detector, contract_test
from faceattr.types import BBox, BGRImage, Detection
from faceattr.weights import Weights, fetch, import_file

BUILT_IN = ("haar", "mtcnn", "whole")  # those that download nothing

IMAGE: BGRImage = np.full((100, 100, 3), 128, np.uint8)
FACES = (
    Detection((10, 10, 40, 50), 0.9, np.full((5, 2), 20, np.float32)),
    Detection((50, 50, 90, 90), 0.6, np.full((5, 2), 70, np.float32)),
)
FILE = Weights("a.bin", ("https://example.org/a.bin",), "0" * 64, 7, "MIT", "README.md")


class Good(FixedDetector):
    """Finds two faces."""

    api_version = 2

    def __init__(self) -> None:
        super().__init__(FACES)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_detector_keeps_the_rules(name: str, astronaut: Path) -> None:
    check_detector(detectors.create(name), [load_image(astronaut)])


def test_a_fixed_detector_finds_the_same_in_every_image() -> None:
    loaded = LoadedDetector(FixedDetector(FACES), create_engine())
    assert loaded.detect(IMAGE) == list(FACES)
    assert loaded.detect(IMAGE, threshold=0.7) == [FACES[0]]


def test_a_detector_that_keeps_the_rules_passes() -> None:
    check_detector(Good(), [IMAGE])


test_good = contract_test(Good)


def test_a_test_for_pytest_has_a_case_for_each_rule() -> None:
    (mark,) = contract_test(Good).pytestmark
    assert mark.args[0] == "rule"
    assert {"gives_detections", "is_thread_safe", "leaves_images_unchanged"} < set(mark.args[1])
    broken = contract_test(lambda: finding(lambda image, search: [_with(confidence=1.5)]))
    broken("gives_boxes_with_corners_in_order")
    with pytest.raises(PluginError, match=r"gave the confidence 1\.5"):
        broken("gives_detections")


def finding(find: Callable[[BGRImage, Search], Any], **declared: Any) -> Detector:
    """Return a detector that finds what a function says."""
    methods = {"find": lambda self, image, search: find(image, search)}
    detector: Detector = type("Broken", (Good,), {**methods, **declared})()
    return detector


def _with(bbox: BBox = (10, 10, 40, 50), confidence: Any = 0.9, landmarks: Any = None) -> Detection:
    return Detection(bbox, confidence, landmarks)


def paint(image: BGRImage, search: Search) -> Sequence[Detection]:
    image[:] = 7
    return FACES


def one_of_them(image: BGRImage, search: Search) -> Sequence[Detection]:
    return [FACES[next(NUMBERS) % 2]]


def none_if_strict(image: BGRImage, search: Search) -> Sequence[Detection]:
    return FACES if search.threshold < 0.7 else []


def one_in_threads(image: BGRImage, search: Search) -> Sequence[Detection]:
    """Find the same boxes, with landmarks that another thread has left there."""
    if threading.current_thread() is threading.main_thread():
        return FACES
    return [_with(face.bbox, face.confidence) for face in FACES]


def fail_on_dots(image: BGRImage, search: Search) -> Sequence[Detection]:
    return [_with(confidence=1 / (len(image) - 1))]


NUMBERS = itertools.count()
NOT_FIVE = np.zeros((4, 2), np.float32)
NOT_FINITE = np.full((5, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    "find, problem",
    [
        (lambda image, search: None, "gave None instead of a list of results"),
        (fail_on_dots, "failed on an image of 1×1 pixels: ZeroDivisionError"),
        (lambda image, search: [(10, 10, 40, 50)], r"gave \(10, 10, 40, 50\) instead of a Det"),
        (lambda image, search: [_with((40, 10, 10, 50))], r"gave the box \(40, 10, 10, 50\); it"),
        (lambda image, search: [_with((0, 0, np.nan, 50))], r"gave the box \(0, 0, nan, 50\)"),
        (lambda image, search: [_with(confidence=1.5)], "gave the confidence 1.5; it must be in"),
        (lambda image, search: [_with(confidence=float("nan"))], "gave the confidence nan"),
        (lambda image, search: [_with(landmarks=NOT_FIVE)], "gave the landmarks array"),
        (lambda image, search: [_with(landmarks=NOT_FINITE)], "gave the landmarks array"),
        (paint, "changed the image"),
        (one_of_them, "finds different faces in the same image"),
        (none_if_strict, r"finds 0 faces with threshold=0\.75, and 1 of those without it"),
        (one_in_threads, "finds other faces in several threads than in one"),
    ],
    ids=[
        *("none", "error", "tuple", "corners", "not finite", "above one", "nan"),
        *("four", "landmarks nan", "paint", "chance", "threshold", "threads"),
    ],
)
def test_wrong_results_are_found(find: Callable[..., Any], problem: str) -> None:
    with pytest.raises(PluginError, match=f"Broken {problem}"):
        check_detector(finding(find), [IMAGE])


@pytest.mark.parametrize(
    "declared, problem",
    [
        ({"default_threshold": 2}, "declares a default_threshold of 2; it must be in"),
        ({"api_version": 1}, "declares api_version = 1; this faceattr has version 2"),
        ({"api_version": None}, "declares api_version = None; this faceattr has version 2"),
        ({"weights": ("a.bin",)}, r"declares the weights 'a\.bin'; they must be a Weights record"),
        ({"weights": (FILE, Weights("b", (), "", 0, "", ""))}, "declares weights without sources"),
    ],
)
def test_wrong_declarations_are_found(declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(PluginError, match=f"Broken {problem}"):
        check_detector(finding(lambda image, search: FACES, **declared), [IMAGE])


def test_a_load_that_fails_is_found() -> None:
    with pytest.raises(PluginError, match="Broken cannot be loaded: ZeroDivisionError"):
        check_detector(finding(paint, load=lambda self, engine: 1 / 0))


def test_a_load_that_takes_too_long_is_found() -> None:
    def load(self: Detector, engine: Engine) -> Finder:
        time.sleep(0.02)
        return self.find

    with pytest.raises(PluginError, match=r"took \d\.\d s to load; 0\.01 s are allowed"):
        check_detector(finding(paint, load=load), longest_load=0.01)


def test_a_load_that_changes_the_detector_is_found() -> None:
    class Stateful(Good):
        def load(self, engine: Engine) -> Finder:
            self.cascade = object()
            return self.find

    with pytest.raises(PluginError, match=r"Stateful changed its own cascade in load\(\)"):
        check_detector(Stateful())


def test_a_search_that_changes_the_detector_is_found() -> None:
    class Remembering(Good):
        seen: ClassVar[list[int]] = []

        def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
            self.seen.append(len(image))
            return FACES

    with pytest.raises(PluginError, match="Remembering changed its own seen while it searched"):
        check_detector(Remembering())


def test_detectors_that_disturb_each_other_are_found() -> None:
    loads = []

    def load(self: Detector, engine: Engine) -> Finder:
        loads.append(engine)
        number = len(loads)
        return lambda image, search: FACES[: 1 + (len(loads) == number)]

    detector = finding(paint, load=load)
    with pytest.raises(PluginError, match="finds other faces after it was loaded for a second"):
        check_detector(detector, [IMAGE])


def test_missing_weights_must_be_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    (tmp_path / "mine").write_text("weights")
    import_file(tmp_path / "mine", FILE, trust=True)
    with pytest.raises(PluginError, match="Broken loads although its weights are missing"):
        check_detector(finding(lambda image, search: FACES, weights=(FILE,)))

    def load(self: Detector, engine: Engine) -> Finder:
        fetch(FILE)
        return self.find

    check_detector(finding(lambda image, search: FACES, weights=(FILE,), load=load))
