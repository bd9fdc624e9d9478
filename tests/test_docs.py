"""The code on the pages works; .ci/run follows the commands of those for plugin authors."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from onnx_files import write_classifier
from skimage import data as skimage_data

from faceattr import Detection, Pipeline, analyze
from faceattr.cli import run as run_command
from faceattr.cli.training import train_analyzer
from faceattr.deepface import DeepFaceWarning
from faceattr.engines import create_engine
from faceattr.evaluation.evaluate import evaluate
from faceattr.evaluation.metrics import wilson_interval
from faceattr.images import load_image
from faceattr.testing import FixedDetector, check_analyzer, check_detector
from faceattr.testing.analyzers import ANALYZER_CHECKS
from faceattr.testing.detectors import DETECTOR_CHECKS

DOCS = Path(__file__).parents[1] / "docs"


def block(page: str, section: str, number: int = 0) -> str:
    """Return a Python block under a heading."""
    _, _, text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {section}\n")
    return re.findall(r"```python\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)[number]


def run(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Import the block as a module in a folder, and return its names."""
    (folder / "page_example.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "page_example", raising=False)
    return vars(importlib.import_module("page_example"))


def test_the_first_analyzer_keeps_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From an empty folder")
    check_analyzer(run(source, tmp_path, monkeypatch)["BrightnessAnalyzer"]())


@pytest.mark.parametrize(
    "section", ["From an empty folder", "From an ONNX file", "From a plain function"]
)
def test_each_way_to_write_an_analyzer_is_short(section: str) -> None:
    lines = block("write-an-analyzer.md", section).splitlines()
    assert len([line for line in lines if line.strip()]) < 15


def test_the_analyzer_from_an_onnx_file_keeps_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From an ONNX file")
    weights = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    bias = np.zeros(2, np.float32)
    write_classifier(tmp_path / "smile.onnx", weights, bias, side=112, softmax=False)
    check_analyzer(run(source, tmp_path, monkeypatch)["SmileAnalyzer"]())


def test_the_analyzer_from_a_function_keeps_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From a plain function")
    check_analyzer(run(source, tmp_path, monkeypatch)["contrast"]())


def test_the_analyzer_that_loads_something_keeps_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "What you define")
    analyzer = run(source, tmp_path, monkeypatch)["FaceSizeAnalyzer"]()
    check_analyzer(analyzer)
    face = Detection((5.0, 5.0, 37.0, 37.0), 0.9)
    image = np.zeros((50, 50, 3), np.uint8)
    (found,) = analyze(image, [analyzer], detector=FixedDetector([face]))
    assert found.estimate("face_height").value == 32


def test_the_head_reads_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = block("write-an-analyzer.md", "A head on the VGG-Face trunk")
    read = run(source, tmp_path, monkeypatch)["SmileHead"]().load_head(create_engine())
    (attribute,) = read(np.full((1, 7, 7, 512), 1.0, np.float32))
    assert attribute.scores == {"serious": 0.5, "smiling": 0.5}


def test_the_pages_say_how_many_rules_there_are() -> None:
    for page, number, checks in (
        ("write-an-analyzer.md", "Thirteen", ANALYZER_CHECKS),
        ("write-a-detector.md", "Fourteen", DETECTOR_CHECKS),
    ):
        assert f"{number} tests pass, one for each rule" in (DOCS / page).read_text(
            encoding="utf-8"
        )
        assert len(checks) == {"Thirteen": 13, "Fourteen": 14}[number]


def test_the_calls_on_the_page_for_people_from_deepface_work(
    astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    photo = load_image(astronaut)
    Path("people/Eileen").mkdir(parents=True)
    for name in ("photo.jpg", "party.jpg", "people/Eileen/1.jpg"):
        cv2.imwrite(name, photo)
    cv2.imwrite("wall.jpg", np.full((60, 80, 3), 90, np.uint8))
    film = cv2.VideoWriter("film.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 5, (512, 512))
    for _ in range(3):
        film.write(photo)
    film.release()

    page = (DOCS / "coming-from-deepface.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    source = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    with pytest.warns(DeepFaceWarning, match="the people of db_path"):
        exec(source, names)
    assert names["old_emotion"] == names["new_emotion"] == "happy"
    assert names["old_share"] == pytest.approx(100 * names["new_share"], abs=1)
    assert names["old_age"] == pytest.approx(names["new_age"].value, abs=4)
    assert (names["old_gender"], names["new_gender"]) == ("Woman", "woman")
    assert len(names["many"]) == len(names["lists"]) == 2
    assert names["crops"][0]["facial_area"]["x"] == pytest.approx(
        names["detections"][0].bbox[0], abs=9
    )
    assert names["nobody"] == []
    assert names["old_same"] is names["new_same"] is True
    assert names["distance"] == 0
    assert names["probability"] > 0.99
    assert names["old_best"] == str(Path("people", "Eileen", "1.jpg"))
    assert names["new_best"] == "Eileen"
    assert len(names["embedding"]) == 128
    assert Path("held.mp4").stat().st_size > 1000


def test_the_page_for_people_from_deepface_quotes_the_measured_times() -> None:
    page = (DOCS / "coming-from-deepface.md").read_text(encoding="utf-8")
    measured = (DOCS / "benchmarks.md").read_text(encoding="utf-8").replace("**", "")
    _, _, table = page.partition("\n## Speed\n")
    rows = re.findall(r"^\| [a-z0-9].*$", table.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) == 7
    for row in rows:
        for figure in re.findall(r"[\d.,]+ (?:ms|s|MB)\b", row):
            assert f"| {figure} " in measured, f"{figure} of {row!r} is not on benchmarks.md"


def test_the_first_detector_keeps_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-a-detector.md", "From an empty folder")
    check_detector(run(source, tmp_path, monkeypatch)["Alt2Detector"]())


def test_the_page_on_evaluation_measures_a_folder(
    astronaut: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for label in ("happy", "sadness"):
        (tmp_path / "labelled" / label).mkdir(parents=True)
        (tmp_path / "labelled" / label / "1.png").write_bytes(astronaut.read_bytes())
    source = "\n".join(block("evaluate.md", "From Python", number) for number in range(4))
    page = run(source, tmp_path, monkeypatch)
    evaluation = page["measure"](tmp_path / "labelled")
    page["print_figures"](evaluation)
    assert "50.0% of 2 are right" in capsys.readouterr().out
    data = page["load_labelled_set"](tmp_path / "labelled", attribute="emotion")
    wrong = page["wrong_pictures"](evaluation, data)
    assert wrong == [str(tmp_path / "labelled" / "sadness" / "1.png")]
    assert evaluate(Pipeline("emotion"), page["data"], attribute="emotion").found == 2


def test_the_page_on_evaluation_names_options_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (DOCS / "evaluate.md").read_text(encoding="utf-8")
    assert run_command(["eval", "--help"]) == 0
    shown = capsys.readouterr().out
    assert {one for one in re.findall(r"--[a-z]+", text) if one not in shown} == set()


def test_the_page_on_evaluation_quotes_the_right_interval() -> None:
    assert wilson_interval(80, 100) == pytest.approx((0.71, 0.87), abs=0.005)


def test_the_page_on_training_works_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    image = load_image(Path(skimage_data.__path__[0]) / "astronaut.png")
    rng = np.random.default_rng(0)
    for label, brightness in (("glasses", 0.4), ("none", 1.0)):  # what it learns matters not here
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for index in range(10):
            picture = image[:320, 60:380] * brightness + rng.normal(0, 4, (320, 320, 3))
            path = tmp_path / "pictures" / label / f"{index}.png"
            cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
    for name in ("photo.jpg", "photo2.jpg"):
        cv2.imwrite(name, image)
    source = "\n".join(block("train.md", "From Python", number) for number in range(3))
    page = run(source, tmp_path, monkeypatch)
    assert page["training"].counts == {"glasses": 10, "none": 10}
    assert page["live"].analyze("photo.jpg")[0].attributes.keys() == {"eyewear"}
    crops = [image[60:200, 155:295] // (1 + index % 2) + index for index in range(20)]
    assert page["learn"](crops, ["light", "dark"] * 10).counts == {"dark": 10, "light": 10}


def test_the_page_on_training_names_options_that_exist() -> None:
    text = (DOCS / "train.md").read_text(encoding="utf-8")
    known = inspect.signature(train_analyzer).parameters.values()
    flags = {name for one in known for name in flags_of(one)}
    named = re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)
    assert len(named) == 9
    assert set(named) <= flags


def flags_of(parameter: inspect.Parameter) -> list[str]:
    """Return the flags of a parameter of a command."""
    option = get_args(parameter.annotation)[-1]
    given = [option.default, *(option.param_decls or ())]  # Typer takes the first for a default
    names = [one for one in given if isinstance(one, str) and one.startswith("--")]
    return "/".join(names or [f"--{parameter.name}"]).split("/")
