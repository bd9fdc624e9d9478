from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Brightness

from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.cli.description import describe
from faceattr.engines.base import Engine
from faceattr.errors import PluginError
from faceattr.types import Crops, Estimate
from faceattr.weights import Weights, import_file


class Downloaded(Brightness):
    """Mean of the crop,
    with weights that it has no use for.

    More is not told.
    """

    refresh = 3.0
    weights = Weights("a.bin", ("https://example.org/a.bin",), "0" * 64, 7000, "MIT", "CARD.md")


class Torn(Brightness):
    def load(self, engine: Engine) -> Reader:
        raise OSError("disk is full")


class Bare(Analyzer):
    attribute = "bare"

    def predict(self, crops: Crops) -> list[Estimate]:
        return []


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(analyzers, "_registered", {})
    for plugin in (Downloaded, Torn, Bare):
        analyzers.register(plugin.__name__, plugin)


def test_a_plugin_is_told_with_its_papers(tmp_path: Path) -> None:
    told = dict(describe("Downloaded"))
    assert told["analyzer"] == "Mean of the crop, with weights that it has no use for."
    assert told["from crops of"] == "8×8 px, gray, a square around the box"
    assert told["weights"] == "a.bin (0.007 MB), to download on first use"
    assert (told["license"], told["card"]) == ("MIT", "CARD.md")
    assert told["from"] == f"{__name__}, as {__name__}.Downloaded"
    assert told["on streams"] == "runs every 3 s on a face"
    assert told["cost here"] == "not known before its weights are here"
    (tmp_path / "mine").write_text("weights")
    copy = import_file(tmp_path / "mine", Downloaded.weights, trust=True)
    told = dict(describe("Downloaded"))
    assert told["weights"] == f"a.bin (0.007 MB), here, at {copy.path}"
    assert "ms for one face" in told["cost here"]


def test_a_plugin_that_does_not_work_is_told_all_the_same() -> None:
    told = dict(describe("Torn"))
    assert told["reads"] == "brightness: in levels"
    assert told["cost here"] == "cannot be measured: Torn failed: OSError: disk is full"


def test_a_plugin_that_lacks_what_is_told_is_named() -> None:
    with pytest.raises(PluginError, match=r"Bare does not declare 'output'"):
        describe("Bare")
