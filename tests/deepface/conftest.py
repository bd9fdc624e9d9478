"""A home of their own for the tests of deepface's calls, with nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from deepface_scenes import EYES, Told

from faceattr import api
from faceattr.deepface import descriptors, detection, differences
from faceattr.deepface.finders import DetectorFinder
from faceattr.types import BBox


def forget_loaded() -> None:
    """Forget the pipelines and detectors that are kept for later calls, and what was warned of."""
    api._remembered.cache_clear()
    detection.load_finder.cache_clear()
    descriptors.load_network.cache_clear()
    differences._warn.cache_clear()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    monkeypatch.setenv("FACEATTR_PRECISION", "f32")
    for name in ("MODELS", "STRICT"):
        monkeypatch.delenv(f"FACEATTR_DEEPFACE_{name}", raising=False)
    forget_loaded()
    yield
    forget_loaded()


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Let the backend ``mtcnn`` find these boxes."""

    def find(*bboxes: BBox, eyes: Sequence[tuple[float, float]] = EYES) -> Told:
        detector = Told(bboxes, eyes)
        monkeypatch.setitem(detection.FINDERS, "mtcnn", lambda: DetectorFinder(detector))
        detection.load_finder.cache_clear()
        return detector

    return find
