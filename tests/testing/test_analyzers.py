"""Each way to break an analyzer's contract is found out, and built-in ones break none."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Brightness
from standins import narrow_vgg_face, random_weights, write_hdf5

from faceattr.alignment import CropSpec, Placement
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, PlacedAnalyzer
from faceattr.engines.base import Engine
from faceattr.errors import FaceattrError, PluginError, WeightsError
from faceattr.images import load_image
from faceattr.networks.architectures import emotion_cnn, vgg_face
from faceattr.networks.graph import Layer
from faceattr.testing import FixedDetector, check_analyzer, check_detector, contract_test
from faceattr.types import Attribute, Classification, Crops, Estimate
from faceattr.weights import GoogleDrive, Weights, cache_folder, fetch, import_file

PAPERS = Weights("a.bin", ("https://example.org/a.bin",), "0" * 64, 7, "MIT", "README.md")
NARROW = {"width": 2, "hidden": 16}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")


DOWNLOADED: Mapping[str, Callable[[], tuple[Layer, ...]]] = {
    "age-vgg": lambda: vgg_face.vgg_face(101, **NARROW),
    "emotion-cnn": emotion_cnn.emotion_cnn,
    "gender-vgg": lambda: vgg_face.vgg_face(2, **NARROW),
    "race-vgg": lambda: vgg_face.vgg_face(6, **NARROW),
}


@pytest.mark.parametrize("name", list(analyzers))
def test_every_built_in_analyzer_keeps_the_contract(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = analyzers.get(name)()
    if analyzer.weights is not None:
        write_hdf5(tmp_path / "weights.h5", random_weights(DOWNLOADED[name]()))
        import_file(tmp_path / "weights.h5", analyzer.weights, trust=True)
    narrow_vgg_face(monkeypatch)
    check_analyzer(analyzer)


class Good(Brightness):
    """Mean of the crop, told properly."""

    unit = "levels"


class Labelled(Analyzer):
    """Gives the scores that it is told to."""

    attribute = "light"
    crop = CropSpec(size=(8, 8), color="gray", mode="box")
    labels = ("day", "night")

    def __init__(self, scores: Mapping[Any, float]) -> None:
        self._scores = scores

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        return [Classification(self._scores) for _ in crops]


def with_data(**declared: object) -> Analyzer:
    return type("Broken", (Good,), declared)()


def answering(answer: Callable[[Crops], Sequence[Any]]) -> Analyzer:
    return type("Broken", (Good,), {"predict": lambda self, crops: answer(crops)})()


def test_who_keeps_the_contract_hears_nothing(astronaut: Path) -> None:
    check_analyzer(Good())
    check_analyzer(Labelled({"day": 0.25, "night": 0.75}))
    gray = load_image(astronaut)[None, :8, :8, :1]
    check_analyzer(Good(), gray)


@pytest.mark.parametrize(
    "analyzer, complaint",
    [
        (with_data(attribute="how bright"), "has the attribute 'how bright'; it has to be a name"),
        (with_data(crop=(8, 8)), r"has the crop \(8, 8\); it has to be a CropSpec"),
        (with_data(crop=CropSpec((8, 0))), "has a crop that cannot be cut"),
        (with_data(crop=CropSpec((8, 8), mode="round")), "has a crop that cannot be cut"),  # type: ignore[arg-type]
        (with_data(refresh=-1.0), "has a refresh of -1.0; it has to be seconds"),
        (with_data(contract=2), "was made for contract 2 of faceattr's plugins, not 1"),
        (with_data(unit=""), "has to declare labels, if it classifies, or else the unit"),
        (with_data(labels=("a", "b")), "has to declare labels, if it classifies, or else the unit"),
        (with_data(unit="", labels=("a", "a")), "has labels that are no different words"),
        (with_data(unit="", labels="ab"), "has labels that are no different words"),
        (with_data(unit="px"), "gave an estimate in 'levels', but declares 'px'"),
    ],
)
def test_class_data_that_is_not_as_it_should_be_is_found_out(
    analyzer: Analyzer, complaint: str
) -> None:
    with pytest.raises(PluginError, match=f"Broken {complaint}"):
        check_analyzer(analyzer)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"filename": "a/b.bin"}, "a filename without folders"),
        ({"sources": ()}, "without sources"),
        ({"sources": ("a.bin",)}, "sources that are addresses on the web"),
        ({"sources": (GoogleDrive(""),)}, "sources that are addresses on the web"),
        ({"sha256": "abc"}, "a SHA-256 of 64 hex digits"),
        ({"num_bytes": 0}, "its size in num_bytes"),
        ({"license": " "}, "a license"),
        ({"card": ""}, "a card"),
        ({"card": "", "license": ""}, "a license, a card"),
    ],
)
def test_papers_that_are_not_complete_are_found_out(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PluginError, match=f"has weights without .*{complaint}|{complaint}"):
        check_analyzer(with_data(weights=replace(PAPERS, **change)))


def test_weights_that_are_no_record_are_found_out() -> None:
    with pytest.raises(PluginError, match=r"has weights that are no Weights record but 'a\.bin'"):
        check_analyzer(with_data(weights="a.bin"))


class Downloaded(Good):
    weights = PAPERS

    def load(self, engine: Engine) -> None:
        fetch(self.weights)


def test_who_fetches_its_weights_hears_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("weights")
    import_file(tmp_path / "mine", PAPERS, trust=True)
    check_analyzer(Downloaded())


def test_weights_that_cannot_be_had_are_told_as_always() -> None:
    with pytest.raises(WeightsError, match=r"a\.bin \(7e-06 MB\) is missing"):
        check_analyzer(Downloaded())


@pytest.mark.parametrize(
    "load, complaint",
    [
        (lambda self, engine: None, "loads where its weights are missing; fetch"),
        (
            lambda self, engine: open(f"{self.home()}/weights/trusted/a.bin").close(),
            "raises FileNotFoundError instead of a FaceattrError where its weights are missing",
        ),
        (lambda self, engine: 1 / 0, "cannot be loaded: ZeroDivisionError: division by zero"),
    ],
    ids=["silent", "other error", "failing"],
)
def test_errors_of_another_kind_are_found_out(
    load: Callable[[Any, Engine], None], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("weights")
    import_file(tmp_path / "mine", PAPERS, trust=True)
    with pytest.raises(PluginError, match=f"Broken {complaint}"):
        check_analyzer(with_data(weights=PAPERS, load=load, home=staticmethod(cache_folder)))


def test_a_load_that_takes_too_long_is_found_out() -> None:
    slow = with_data(load=lambda self, engine: time.sleep(0.02))
    with pytest.raises(PluginError, match=r"took \d\.\d s to load; 0\.01 s are allowed"):
        check_analyzer(slow, longest_load=0.01)


def means(crops: Crops) -> list[Estimate]:
    return [Estimate(float(mean), "levels") for mean in crops.mean(axis=(1, 2, 3))]


def paint(crops: Crops) -> list[Estimate]:
    answers = means(crops)
    crops[:] = 0
    return answers


def stop_at_white(crops: Crops) -> list[Estimate]:
    return [Estimate(1 / (255 - mean), "levels") for mean in crops.mean(axis=(1, 2, 3)).tolist()]


NUMBERS = itertools.count()


def count(crops: Crops) -> list[Estimate]:
    return [Estimate(float(next(NUMBERS)), "levels") for _ in crops]


@pytest.mark.parametrize(
    "answer, complaint",
    [
        (lambda crops: means(crops)[:1], "gave 1 attributes for 17 crops"),
        (lambda crops: [float(crop.mean()) for crop in crops], "it has to be a Classification or"),
        (lambda crops: [Estimate(float("nan"), "levels")] * len(crops), "that is no number"),
        (lambda crops: [Estimate(1.0, "levels", std=-1.0)] * len(crops), "that is no number"),
        (paint, "changed its crops"),
        (count, "says another thing of the same crop"),
        (
            lambda crops: [Estimate(float(crops.mean()), "levels")] * len(crops),
            "says another thing of a crop among others",
        ),
        (stop_at_white, "failed on 1 crops: ZeroDivisionError"),
    ],
    ids=["number", "form", "nan", "std", "mutation", "chance", "batch", "error"],
)
def test_answers_that_are_not_as_they_should_be_are_found_out(
    answer: Callable[[Crops], Sequence[Any]], complaint: str
) -> None:
    with pytest.raises(PluginError, match=f"Broken .*{complaint}"):
        check_analyzer(answering(answer))


@pytest.mark.parametrize(
    "scores, complaint",
    [
        ({"night": 0.5, "day": 0.5}, r"gave the labels \['night', 'day'\], but declares"),
        ({"day": 1.0}, r"gave the labels \['day'\], but declares"),
        ({"day": 1.5, "night": -0.5}, "gave scores that are no probabilities with the sum 1"),
        ({"day": 0.5, "night": 0.1}, "gave scores that are no probabilities with the sum 1"),
        ({"day": float("nan"), "night": 1.0}, "gave scores that are no probabilities"),
    ],
)
def test_scores_that_are_no_probabilities_are_found_out(
    scores: Mapping[Any, float], complaint: str
) -> None:
    with pytest.raises(PluginError, match=f"Labelled {complaint}"):
        check_analyzer(Labelled(scores))


def test_what_is_another_thing_in_json_is_found_out() -> None:
    class Odd(Estimate):
        def to_dict(self) -> dict[str, Any]:
            return {"value": (1, 2)}

    with pytest.raises(PluginError, match="gave what is another thing in JSON"):
        check_analyzer(answering(lambda crops: [Odd(1.0, "levels") for _ in crops]))

    class Worse(Estimate):
        def to_dict(self) -> dict[str, Any]:
            return {"value": np.float32(1)}

    with pytest.raises(PluginError, match="gave what JSON cannot say"):
        check_analyzer(answering(lambda crops: [Worse(1.0, "levels") for _ in crops]))


def test_state_that_threads_share_is_found_out() -> None:
    class Shared(Good):
        """Keeps the crops where another thread overwrites them."""

        def predict(self, crops: Crops) -> Sequence[Estimate]:
            self._crops = crops
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.001)
            return means(self._crops)

    with pytest.raises(PluginError, match="says another thing in several threads"):
        check_analyzer(Shared())


class Size(PlacedAnalyzer):
    """Width of the mouth, in px of the picture."""

    attribute = "mouth"
    unit = "px"
    crop = CropSpec(size=(8, 8))

    def predict_placed(self, crops: Crops, placements: Sequence[Placement]) -> list[Estimate]:
        return [
            Estimate(0.0 if one.landmarks is None else float(one.landmarks[4, 0]), "px")
            for one in placements
        ]


def test_placed_analyzers_are_asked_with_and_without_landmarks() -> None:
    check_analyzer(Size())
    careless = type(
        "Careless",
        (Size,),
        {
            "predict_placed": lambda self, crops, placements: [
                Estimate(float(one.landmarks[0, 0]), "px") for one in placements
            ]
        },
    )
    with pytest.raises(PluginError, match="Careless failed on a crop of which nothing is known"):
        check_analyzer(careless())


test_good = contract_test(Good)


def test_a_test_for_pytest_has_a_part_for_each_check() -> None:
    (mark,) = contract_test(Good).pytestmark
    assert "says_the_same_alone" in mark.args[1]
    assert mark.args[0] == "part"
    broken = contract_test(lambda: with_data(unit="px"))
    with pytest.raises(PluginError, match="gave an estimate in 'levels', but declares 'px'"):
        broken("answers_for_each_crop")
    broken("declares_what_it_reads")


def test_a_detector_is_tested_as_a_whole() -> None:
    (mark,) = contract_test(lambda: FixedDetector([])).pytestmark
    assert list(mark.args[1]) == ["detector"]
    check_detector(FixedDetector([]))


def test_complaints_are_errors_of_ours() -> None:
    assert issubclass(PluginError, FaceattrError)
