from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from training.conftest import face_variant

import faceattr
from faceattr.errors import OptionError, SinkError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.outputs import Outputs
from faceattr.testing import check_analyzer
from faceattr.training.package import Package
from faceattr.training.training import Training
from faceattr.types import BGRImage


@pytest.fixture
def training(face: BGRImage) -> Training:
    crops = [face_variant(face, seed, mask=seed % 2 == 1) for seed in range(24)]
    data = LabelledSet("crops", crops, {"truth": ["bare", "masked"] * 12}, are_crops=True)
    return faceattr.train(data, "face_mask", trunk="emotion", mirror=False)


def test_the_package_holds_an_analyzer_that_keeps_the_rules(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Package("face_mask", tmp_path / "package", Outputs()).write(training)
    monkeypatch.syspath_prepend(tmp_path / "package")
    analyzer = importlib.import_module("faceattr_face_mask").FaceMaskAnalyzer
    check_analyzer(analyzer())
    card = (tmp_path / "package" / "README.md").read_text(encoding="utf-8")
    assert "faceattr analyze photo.jpg --actions emotion,face-mask" in card
    assert "24 pictures of crops: bare 12, masked 12" in card
    assert "a linear head on the features of faceattr's network `emotion`" in card
    assert "| head on emotion | 100.0% |" in card
    compile((tmp_path / "package/tests/test_face_mask.py").read_text(), "test", "exec")


def test_the_card_names_both_networks(labelled: LabelledSet, tmp_path: Path) -> None:
    training = faceattr.train(labelled, "face_mask", trunk="both", mirror=False)
    Package("face_mask", tmp_path, Outputs()).write(training)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "faceattr's networks `emotion` and `age_gender`" in card


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_the_package_announces_its_class(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Package("face_mask", tmp_path, Outputs()).write(training)
    tomllib = importlib.import_module("tomllib")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((name, target),) = project["entry-points"]["faceattr.analyzers"].items()
    monkeypatch.syspath_prepend(tmp_path)
    assert name == "face-mask"
    assert EntryPoint(name, target, "").load().attribute == "face_mask"


def test_a_package_claims_no_name_that_is_taken(tmp_path: Path) -> None:
    package = Package("emotion", tmp_path, Outputs())
    assert (package.folder / "faceattr_emotion_own").is_dir()


def test_an_attribute_without_a_letter_makes_no_package(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="letters from a to z"):
        Package("表情", tmp_path, Outputs())


def test_a_package_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        Package("mood", tmp_path, Outputs())
    assert (tmp_path / "README.md").read_text() == "mine"
