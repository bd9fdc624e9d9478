"""Each way to break an analyzer's rules is found, and the built-in analyzers break none."""

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
from dlib_files import dlib_file, random_layers
from standins import narrow_vgg_face, random_weights, write_hdf5

from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.analyzers.identity import DLIB_FACE
from faceattr.engines.base import Engine
from faceattr.errors import PluginError, WeightsError
from faceattr.forms import Labels, Unit, Vector
from faceattr.images import load_image
from faceattr.networks.architectures import emotion_cnn, vgg_face
from faceattr.networks.graph import Layer
from faceattr.testing import check_analyzer, contract_test
from faceattr.types import Attribute, Classification, CropBatch, Crops, Descriptor, Estimate
from faceattr.weights import GoogleDrive, Weights, cache_folder, fetch, import_file

FILE = Weights("a.bin", ("https://example.org/a.bin",), "0" * 64, 7, "MIT", "README.md")
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
def test_every_built_in_analyzer_keeps_the_rules(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = analyzers.create(name)
    if name == "identity-dlib":
        (tmp_path / "weights.dat").write_bytes(dlib_file(random_layers()))
        import_file(tmp_path / "weights.dat", DLIB_FACE, trust=True)
    elif analyzer.weights is not None:
        write_hdf5(tmp_path / "weights.h5", random_weights(DOWNLOADED[name]()))
        import_file(tmp_path / "weights.h5", analyzer.weights, trust=True)
    narrow_vgg_face(monkeypatch)
    check_analyzer(analyzer)


class Good(Brightness):
    """Mean of the crop, by the rules."""

    api_version = 2


class Labelled(Analyzer):
    """Gives the scores that it is told to."""

    api_version = 2
    attribute = "light"
    output = Labels(["day", "night"])
    crop = CropSpec(size=(8, 8), color="gray", mode="box")

    def __init__(self, scores: Mapping[Any, float]) -> None:
        self._scores = scores

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        return [Classification(self._scores) for _ in crops]


class Described(Analyzer):
    """The top row of the crop as a direction."""

    api_version = 2
    attribute = "top"
    output = Vector(8)
    crop = CropSpec(size=(8, 8), color="gray", mode="box")

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        rows = crops[:, 0, :, 0].astype(np.float32) + 1
        return [Descriptor(row / np.linalg.norm(row)) for row in rows]


def declaring(**declared: object) -> Analyzer:
    return type("Broken", (Good,), declared)()


def reading(read: Callable[[Crops], Any]) -> Analyzer:
    return type("Broken", (Good,), {"predict": lambda self, crops: read(crops)})()


def test_analyzers_that_keep_the_rules_pass(astronaut: Path) -> None:
    check_analyzer(Good())
    check_analyzer(Labelled({"day": 0.25, "night": 0.75}))
    check_analyzer(Described())
    gray = load_image(astronaut)[None, :8, :8, :1]
    check_analyzer(Good(), gray)


@pytest.mark.parametrize(
    "analyzer, problem",
    [
        (declaring(attribute="how bright"), "declares the attribute 'how bright'; it must be a"),
        (declaring(crop=(8, 8)), r"declares the crop \(8, 8\); it must be a CropSpec"),
        (declaring(refresh=-1.0), r"declares a refresh of -1\.0; it must be seconds"),
        (declaring(refresh=float("inf")), "declares a refresh of inf; it must be seconds"),
        (declaring(api_version=3), "declares api_version = 3; this faceattr has version 2"),
        (declaring(api_version=None), "declares api_version = None; this faceattr has version 2"),
        (declaring(output="levels"), "declares the output 'levels'; it must be Labels, a Unit or"),
        (
            declaring(attribute="source"),
            "cannot be written to tables: the attribute",
        ),
        (declaring(output=Unit("px")), "gave an estimate in 'levels'; it declares 'px'"),
        (declaring(output=Vector(2)), r"gave Estimate\(.*\) instead of a Descriptor"),
    ],
)
def test_wrong_declarations_are_found(analyzer: Analyzer, problem: str) -> None:
    with pytest.raises(PluginError, match=f"Broken {problem}"):
        check_analyzer(analyzer)


@pytest.mark.parametrize(
    "change, problem",
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
def test_incomplete_weights_metadata_is_found(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(PluginError, match=f"declares weights without .*{problem}|{problem}"):
        check_analyzer(declaring(weights=replace(FILE, **change)))


def test_weights_that_are_not_a_record_are_found() -> None:
    message = r"declares the weights 'a\.bin'; they must be a Weights record"
    with pytest.raises(PluginError, match=message):
        check_analyzer(declaring(weights="a.bin"))


class Downloaded(Good):
    weights = FILE

    def load(self, engine: Engine) -> Reader:
        fetch(self.weights)
        return self.read


def test_an_analyzer_that_fetches_its_weights_passes(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("weights")
    import_file(tmp_path / "mine", FILE, trust=True)
    check_analyzer(Downloaded())


def test_weights_that_cannot_be_downloaded_are_the_usual_error() -> None:
    with pytest.raises(WeightsError, match=r"a\.bin \(7e-06 MB\) is missing"):
        check_analyzer(Downloaded())


def open_trusted_file(self: Analyzer, engine: Engine) -> Reader:
    (cache_folder() / "weights" / "trusted" / "a.bin").read_bytes()
    return self.read


@pytest.mark.parametrize(
    "load, problem",
    [
        (lambda self, engine: self.read, "loads although its weights are missing; get them with"),
        (
            open_trusted_file,
            "raises FileNotFoundError instead of a FaceattrError where its weights are missing",
        ),
        (lambda self, engine: 1 / 0, "cannot be loaded: ZeroDivisionError: division by zero"),
    ],
    ids=["silent", "other error", "failing"],
)
def test_errors_of_another_kind_are_found(
    load: Callable[[Any, Engine], Any], problem: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("weights")
    import_file(tmp_path / "mine", FILE, trust=True)
    with pytest.raises(PluginError, match=f"Broken {problem}"):
        check_analyzer(declaring(weights=FILE, load=load))


def test_a_load_that_takes_too_long_is_found() -> None:
    slow = declaring(load=lambda self, engine: time.sleep(0.02))
    with pytest.raises(PluginError, match=r"took \d\.\d s to load; 0\.01 s are allowed"):
        check_analyzer(slow, longest_load=0.01)


def test_a_load_that_changes_the_analyzer_is_found() -> None:
    class Stateful(Good):
        def load(self, engine: Engine) -> Reader:
            self.network = object()
            return self.read

    with pytest.raises(PluginError, match=r"Stateful changed its own network in load\(\)"):
        check_analyzer(Stateful())


def test_a_reading_that_changes_the_analyzer_is_found() -> None:
    class Counting(Good):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def predict(self, crops: Crops) -> Sequence[Estimate]:
            self.sizes.append(len(crops))
            return super().predict(crops)

    with pytest.raises(PluginError, match="Counting changed its own sizes while it read faces"):
        check_analyzer(Counting())


def test_analyzers_that_disturb_each_other_are_found() -> None:
    loads = []

    def load(self: Analyzer, engine: Engine) -> Reader:
        loads.append(engine)
        number = len(loads)
        return lambda batch: [Estimate(float(number == len(loads)), "levels")] * len(batch)

    with pytest.raises(PluginError, match="after it was loaded for a second pipeline, and read"):
        check_analyzer(declaring(load=load))


def means(crops: Crops) -> list[Estimate]:
    return [Estimate(float(mean), "levels") for mean in crops.mean(axis=(1, 2, 3))]


def paint(crops: Crops) -> list[Estimate]:
    results = means(crops)
    crops[:] = 0
    return results


def stop_at_white(crops: Crops) -> list[Estimate]:
    return [Estimate(1 / (255 - mean), "levels") for mean in crops.mean(axis=(1, 2, 3)).tolist()]


NUMBERS = itertools.count()


def count(crops: Crops) -> list[Estimate]:
    return [Estimate(float(next(NUMBERS)), "levels") for _ in crops]


PLACE: list[Crops] = []


def read_from_one_place(crops: Crops) -> list[Estimate]:
    """Keep the crops where another thread overwrites them."""
    PLACE[:] = [crops]
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.001)
    return means(PLACE[0])


@pytest.mark.parametrize(
    "read, problem",
    [
        (lambda crops: means(crops)[:1], "gave 1 results for 17 faces"),
        (lambda crops: [float(crop.mean()) for crop in crops], "gave .* instead of an Estimate"),
        (lambda crops: [Estimate(float("nan"), "levels")] * len(crops), "that is not finite"),
        (lambda crops: [Estimate(1.0, "levels", std=-1.0)] * len(crops), "that is not finite"),
        (paint, "changed its crops"),
        (count, "reads the same crop differently"),
        (
            lambda crops: [Estimate(float(crops.mean()), "levels")] * len(crops),
            "reads a crop differently in a batch",
        ),
        (read_from_one_place, "reads a crop differently in several threads"),
        (stop_at_white, "failed: ZeroDivisionError"),
    ],
    ids=["number", "form", "nan", "std", "mutation", "chance", "batch", "threads", "error"],
)
def test_wrong_results_are_found(read: Callable[[Crops], Any], problem: str) -> None:
    with pytest.raises(PluginError, match=f"Broken .*{problem}"):
        check_analyzer(reading(read))


@pytest.mark.parametrize(
    "scores, problem",
    [
        ({"night": 0.5, "day": 0.5}, r"gave the labels \['night', 'day'\]; it declares"),
        ({"day": 1.0}, r"gave the labels \['day'\]; it declares"),
        ({"day": 1.5, "night": -0.5}, "gave scores that are not probabilities in"),
        ({"day": 0.5, "night": 0.1}, r"gave scores with the sum 0\.6 instead of 1"),
        ({"day": float("nan"), "night": 1.0}, "gave scores that are not probabilities in"),
    ],
)
def test_scores_that_are_not_probabilities_are_found(
    scores: Mapping[Any, float], problem: str
) -> None:
    with pytest.raises(PluginError, match=f"Labelled {problem}"):
        check_analyzer(Labelled(scores))


def test_results_that_json_changes_are_found() -> None:
    class Odd(Estimate):
        def to_dict(self) -> dict[str, Any]:
            return {"value": (1, 2)}

    with pytest.raises(PluginError, match="gave a result that does not survive a JSON round trip"):
        check_analyzer(reading(lambda crops: [Odd(1.0, "levels") for _ in crops]))

    class Worse(Estimate):
        def to_dict(self) -> dict[str, Any]:
            return {"value": np.float32(1)}

    with pytest.raises(PluginError, match="gave a result that JSON cannot express"):
        check_analyzer(reading(lambda crops: [Worse(1.0, "levels") for _ in crops]))


class Mouth(Analyzer):
    """Where the right mouth corner is in the crop."""

    api_version = 2
    attribute = "mouth"
    output = Unit("px")
    crop = CropSpec(size=(8, 8))

    def read(self, batch: CropBatch) -> Sequence[Estimate]:
        return [
            Estimate(0.0 if one.landmarks is None else float(one.landmarks[4, 0]), "px")
            for one in batch.geometry
        ]


def test_analyzers_are_given_faces_with_and_without_landmarks() -> None:
    check_analyzer(Mouth())

    class Careless(Mouth):
        def read(self, batch: CropBatch) -> Sequence[Estimate]:
            return [Estimate(float(one.landmarks[0, 0]), "px") for one in batch.geometry]  # type: ignore[index]

    with pytest.raises(PluginError, match="Careless failed on a face without landmarks: TypeError"):
        check_analyzer(Careless())


test_good = contract_test(Good)


def test_a_test_for_pytest_has_a_case_for_each_rule() -> None:
    (mark,) = contract_test(Good).pytestmark
    assert mark.args[0] == "rule"
    assert "is_batch_invariant" in mark.args[1]
    broken = contract_test(lambda: declaring(output=Unit("px")))
    with pytest.raises(PluginError, match="gave an estimate in 'levels'; it declares 'px'"):
        broken("reads_each_face")
    broken("declares_what_it_reads")


def test_a_message_about_two_results_has_the_digits_that_differ() -> None:
    steps = itertools.count()
    drifting = reading(
        lambda crops: [Estimate(1 + next(steps) * 1e-9, "levels") for _ in range(len(crops))]
    )
    with pytest.raises(
        PluginError, match=r"differently: Estimate\(1\.0000\d+, 'levels', None\), th"
    ):
        check_analyzer(drifting)
