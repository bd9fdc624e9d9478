from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli.conftest import Command


def test_plugins_are_listed_with_what_they_do(faceattr: Command) -> None:
    done = faceattr("list")
    assert done.status == 0
    for words in ("emotion", "Seven emotions", "haar", "mtcnn"):
        assert words in done.stdout


def test_an_analyzer_is_described_with_what_it_costs(faceattr: Command) -> None:
    done = faceattr("info", "emotion")
    assert done.status == 0
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line[1] != " ")
    assert told["reads"].startswith("emotion: angry, disgust, fear, happy")
    assert told["weights"].strip() == "none to download"
    assert told["card"].strip() == "models/emotion/README.md"
    for words in ("48×48 px, gray", "faceattr.analyzers.emotion.EmotionAnalyzer", "every frame"):
        assert words in done.stdout
    assert re.search(
        r"[\d.]+ ms for one face, [\d.]+ ms each for 16 together; ready in", done.stdout
    )


def test_what_needs_weights_is_described_without_them(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    done = faceattr("info", "age-vgg")
    assert done.status == 0
    for words in (
        "age: in years",
        "age_model_weights.h5 (539 MB), to download on first use",
        "research only, as VGG-Face is; offered under MIT",
        "runs every 5 s on a face",
        "not known before its weights are here",
    ):
        assert words in done.stdout


def test_a_detector_is_described_too(faceattr: Command) -> None:
    done = faceattr("info", "haar")
    assert done.status == 0
    assert re.search(r"[\d.]+ ms for 640×480 pixels without a face; ready in", done.stdout)
    wrong = faceattr("info", "harr")
    assert wrong.status == 2
    assert "unknown analyzer or detector 'harr'; did you mean 'haar'?" in wrong.stderr


@pytest.fixture
def broken_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that cannot be imported, one for another plugin API, and a name claimed twice."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "newer.py").write_text(
        "import faceattr\nclass Newer(faceattr.Analyzer):\n    api_version = 99\n"
    )
    for package, names in {
        "one": {"torn": "no_such_module:Torn", "twice": "a:B"},
        "two": {"twice": "c:D", "newer": "newer:Newer"},
    }.items():
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in names.items()]
        (info / "entry_points.txt").write_text("\n".join(["[faceattr.analyzers]", *lines, ""]))
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.mark.usefixtures("broken_plugins")
@pytest.mark.parametrize("command", [["list"], ["weights", "list"]], ids=" ".join)
def test_broken_plugins_are_warnings_and_the_rest_is_listed(
    faceattr_process: Command, command: list[str]
) -> None:
    done = faceattr_process(*command)
    assert done.status == 0
    assert "emotion-cnn" in done.stdout
    for words in (
        "analyzer 'torn' of one 1.0 failed to import: No module named 'no_such_module'",
        "analyzer 'newer' of two 1.0 was written for version 99 of the plugin API, and this "
        "faceattr has version 2; upgrade faceattr",
    ):
        assert words in done.stderr
    assert re.search(r"'twice' is claimed by (one|two) 1.0 and by (one|two) 1.0", done.stderr)
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.usefixtures("broken_plugins")
def test_broken_plugins_harm_nothing_else(faceattr_process: Command, astronaut: Path) -> None:
    done = faceattr_process("analyze", astronaut, "--quiet")
    assert (done.status, done.stderr) == (0, "")
    assert faceattr_process("info", "emotion").status == 0
    for action in ("torn", "newer", "twice"):
        refused = faceattr_process("analyze", astronaut, "--actions", f"emotion,{action}")
        assert refused.status == 1
        assert f"analyzer '{action}'" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert faceattr_process("info", action).stderr == refused.stderr
