"""What several test modules need: a photograph, stand-in plugins, the data that is not shipped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data as skimage_data

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.detectors.base import Detector, Search
from faceattr.forms import Labels, Unit
from faceattr.images import load_image
from faceattr.streaming.sinks import VideoSink
from faceattr.types import BGRImage, Classification, Crops, Detection, Estimate, Frame

SHARED = Path(__file__).parents[2] / "shared" / "data"
HAS_TENSORFLOW = find_spec("tensorflow") is not None
NEED_TENSORFLOW = (  # whole modules; single tests ask for the fixture `tensorflow`
    "analyzers/test_keras.py",
    "networks/test_keras_file.py",
    "networks/test_networks.py",
)
HAS_SERVER = all(
    map(find_spec, ("fastapi", "prometheus_client", "python_multipart", "uvicorn", "websockets"))
)
collect_ignore = [
    *([] if HAS_TENSORFLOW else NEED_TENSORFLOW),
    *([] if HAS_SERVER else ["serving"]),
]


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [
        *(
            []
            if HAS_TENSORFLOW
            else [f"without TensorFlow, so without {', '.join(NEED_TENSORFLOW)}"]
        ),
        *([] if HAS_SERVER else ["without faceattr[serve], so without serving"]),
    ]


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """For tests that use TensorFlow, which a lean installation lacks."""
    if not HAS_TENSORFLOW:
        pytest.skip("needs TensorFlow")


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A photograph of one smiling face, in the public domain, 512×512 px."""
    return Path(skimage_data.__path__[0]) / "astronaut.png"


@pytest.fixture
def page_folder(astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages name, which becomes the current one."""
    shutil.copy(astronaut, tmp_path / "photo.jpg")  # recognized by its content
    (tmp_path / "holiday").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(astronaut, tmp_path / "holiday" / name)
    with VideoSink(tmp_path / "party.mp4") as sink:
        for index in range(6):
            sink.write(Frame(load_image(astronaut), index, index / 25), [])
    image = load_image(astronaut)[:256, 96:352]
    for label, darkest in (("bright", 0.8), ("dark", 0.2)):
        (tmp_path / "labelled" / label).mkdir(parents=True)
        for number in range(10):
            darker = image * (darkest + number / 50)
            cv2.imwrite(str(tmp_path / "labelled" / label / f"{number}.png"), darker)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path.with_name("home")))
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that is not shipped."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The folder of press pictures, which is not shipped."""
    folder = SHARED / "pictures"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    return folder


class EveryCorner(Detector):
    """Finds a face of 10×10 px in as many corners as it is told."""

    def __init__(self, count: int = 2) -> None:
        super().__init__()
        self._count = count

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        height, width = image.shape[:2]
        corners = [(0, 0), (width - 10, 0), (0, height - 10), (width - 10, height - 10)]
        return [
            Detection((x, y, x + 10, y + 10), confidence=1 - index / 10)
            for index, (x, y) in enumerate(corners[: self._count])
        ]


class Brightness(Analyzer):
    """Mean of the crop."""

    attribute = "brightness"
    output = Unit("levels")
    crop = CropSpec(size=(8, 8), color="gray", mode="box")

    def predict(self, crops: Crops) -> Sequence[Estimate]:
        means = crops.mean(axis=(1, 2, 3), dtype=np.float64)
        return [Estimate(float(mean), unit="levels") for mean in means]


class Light(Analyzer):
    """Time of day by the mean of the crop."""

    attribute = "light"
    output = Labels(["day", "dusk", "night"])
    crop = CropSpec(size=(4, 4), mode="box")

    def predict(self, crops: Crops) -> Sequence[Classification]:
        shares = crops.mean(axis=(1, 2, 3), dtype=np.float64) / 255
        return [
            Classification({"day": x, "dusk": (1 - x) / 2, "night": (1 - x) / 2}) for x in shares
        ]
