from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import faceattr
from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.age_gender import AgeAnalyzer
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.emotion_cnn import EMOTION_CNN
from faceattr.analyzers.onnx import OnnxAnalyzer
from faceattr.analyzers.trunks import EMOTION
from faceattr.analyzers.vgg_face import AGE_VGG
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.engines import create_engine
from faceattr.errors import LicenseError, OptionError
from faceattr.exporting.exporting import export
from faceattr.forms import Labels
from faceattr.recognition.scores import shipped_cohort
from faceattr.types import Attribute, Crops
from faceattr.weights import fetch, is_open, terms_of


class Shade(Analyzer):
    """Needs no weights."""

    attribute = "shade"
    output = Labels(("dark", "light"))
    crop = CropSpec(size=(8, 8))

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """See the base class."""
        return [self.output.classify(np.array([0.5, 0.5], np.float32)) for _ in crops]


class Unnamed(OnnxAnalyzer):
    """Has a network in its package, and says nothing of its license."""

    attribute = "shade"
    output = Labels(("dark", "light"))
    crop = CropSpec(size=(8, 8))
    file = "shade.onnx"


class Restricted(Detector):
    """Has weights that are not open."""

    license = "CC-BY-NC-4.0; trained on nothing"


@pytest.fixture(autouse=True)
def _only_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_LICENSES", "open")


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("MIT", True),
        ("CC0-1.0; trained on pictures of the author", True),
        ("MIT for the code; trained on secrets", False),
        ("CC-BY-NC-4.0; MIT", False),
        ("", False),
    ],
)
def test_a_license_is_open_if_it_begins_with_the_identifier_of_an_open_one(
    license: str, expected: bool
) -> None:
    assert is_open(license) is expected


def test_every_built_in_plugin_with_weights_names_their_license() -> None:
    plugins = dict([*analyzers.load_all(), *detectors.load_all()])
    with_terms = {name: [license for _, license in terms_of(one)] for name, one in plugins.items()}
    assert {name for name, licenses in with_terms.items() if not licenses} <= {"whole"}
    assert [name for name, licenses in with_terms.items() if not all(licenses)] == []


@pytest.mark.parametrize(
    ("action", "advice"),
    [
        ("age", "use 'age-open', or unset FACEATTR_LICENSES"),
        ("age-vgg", "use 'age-open', or unset"),
        ("gender", "use 'gender-open', or unset"),
        ("emotion", "use 'emotion-cnn', or unset"),
        ("race-vgg", "FairFace'; unset"),
    ],
)
def test_an_analyzer_that_is_not_open_is_refused_with_what_is(action: str, advice: str) -> None:
    with pytest.raises(
        LicenseError, match=f"FACEATTR_LICENSES=open refuses '{action}': .*{advice}"
    ):
        faceattr.Pipeline([action])


def test_an_analyzer_object_is_refused_like_its_name() -> None:
    with pytest.raises(LicenseError, match=r"refuses 'AgeAnalyzer': .*use 'age-open'"):
        faceattr.Pipeline([AgeAnalyzer()])


def test_streams_are_refused_before_they_begin() -> None:
    with pytest.raises(LicenseError, match="refuses 'age'"):
        faceattr.LiveAnalysis(["age"])


def test_what_is_open_and_what_has_no_weights_is_allowed() -> None:
    pipeline = faceattr.Pipeline(["age-open", "gender-open", "identity", Shade()])
    assert list(pipeline.outputs) == ["age", "gender", "identity", "shade"]


def test_weights_without_a_license_are_refused() -> None:
    with pytest.raises(LicenseError, match="refuses 'Unnamed': it names no license; unset"):
        faceattr.Pipeline([Unnamed()])


def test_a_detector_that_is_not_open_is_refused_with_those_that_are() -> None:
    with pytest.raises(LicenseError, match=r"refuses 'Restricted': .*'haar' or .* or 'yunet'"):
        faceattr.Pipeline([], detector=Restricted())


def test_files_that_are_not_open_are_not_fetched_even_if_they_are_here(home: Path) -> None:
    with pytest.raises(LicenseError, match=r"refuses 'age_model_weights\.h5'"):
        fetch(AGE_VGG)
    with pytest.raises(LicenseError, match="CC-BY-NC"):
        fetch(replace(EMOTION_CNN, license="CC-BY-NC-4.0"))


def test_trunks_exports_and_scores_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(LicenseError, match=r"refuses 'emotion': .*use 'identity'"):
        EMOTION.load(create_engine())
    with pytest.raises(LicenseError, match="refuses 'AgeAnalyzer'"):
        export(AgeAnalyzer(), tmp_path / "age.xml", format="openvino")
    with pytest.raises(LicenseError, match="refuses 'scores of identity'"):
        shipped_cohort()


def test_deepface_s_calls_are_refused_too() -> None:
    from faceattr.deepface import DeepFace

    image = np.zeros((64, 64, 3), np.uint8)
    for models in ("deepface", "builtin"):
        with pytest.raises(LicenseError, match="use 'age-open'"):
            DeepFace.analyze(image, actions=["age"], detector_backend="skip", models=models)


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_LICENSES", "free")
    with pytest.raises(OptionError, match="FACEATTR_LICENSES is 'free'; it can be 'open' or 'all'"):
        faceattr.Pipeline(["age-open"])


@pytest.mark.parametrize("value", ["", "all"])
def test_everything_is_allowed_by_default(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_LICENSES", value)
    assert list(faceattr.Pipeline(["age"]).outputs) == ["age"]
