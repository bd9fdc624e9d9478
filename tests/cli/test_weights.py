from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Command

from faceattr.engines import converted


def test_weights_are_listed_with_size_and_terms(faceattr: Command) -> None:
    done = faceattr("weights", "list")
    assert done.status == 0
    for words in ("age-vgg", "539 MB", "MIT"):
        assert words in done.stdout


def test_weights_are_brought_by_hand(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    assert "is not a published file name" in faceattr("weights", "import", file).stderr
    refused = faceattr("weights", "import", file, "--as", "age-vgg")
    assert refused.status == 1
    assert "0aeff75734bf" in refused.stderr
    assert faceattr("weights", "import", file, "--as", "age-vgg", "--trust").status == 0
    path = faceattr("weights", "path", "age-vgg").stdout.strip()
    assert Path(path).read_bytes() == b"weights"
    assert "trusted by you" in faceattr("weights", "verify", "age-vgg").stdout
    assert path in faceattr("weights", "clear").stdout
    assert faceattr("weights", "path", "age-vgg").status == 1


def test_weights_to_import_are_named_by_plugin_or_by_file(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    unnamed = faceattr("weights", "import", file)
    assert unnamed.status == 2
    assert "say with --as whose weights it holds: age-vgg, emotion-cnn" in unnamed.stderr
    unknown = faceattr("weights", "import", file, "--as", "emotion-cn")
    assert unknown.status == 2
    assert "unknown weights 'emotion-cn'; did you mean 'emotion-cnn'?" in unknown.stderr
    refused = faceattr("weights", "import", file, "--as", "age_model_weights.h5")
    assert refused.status == 1
    assert "add --trust" in refused.stderr
    done = faceattr("weights", "import", file, "--as", "opencv_face_detector.pbtxt", "--trust")
    assert done.stdout.startswith("ssd: ")


def test_the_list_of_weights_cuts_nothing_off(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / ("long" * 30)))
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    faceattr("weights", "import", file, "--as", "emotion-cnn", "--trust")
    path = faceattr("weights", "path", "emotion-cnn").stdout.strip()
    lines = faceattr("weights", "list").stdout.splitlines()
    row = next(index for index, line in enumerate(lines) if line.startswith("emotion-cnn "))
    assert lines[row].split() == [
        *("emotion-cnn", "facial_expression_model_weights.h5", "5.9", "MB", "yes"),
        *("(trusted", "by", "you)"),
    ]
    assert [line.strip() for line in lines[row + 1 : row + 3]] == [
        *("MIT; trained on FER2013, research data", path)
    ]


def test_only_what_is_downloaded_has_weights(faceattr: Command) -> None:
    done = faceattr("weights", "fetch", "emotion")
    assert done.status == 2
    assert "'emotion' has no weights to download; those that have: age-vgg" in done.stderr


def test_a_plugin_may_have_several_weights(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    listed = faceattr("weights", "list").stdout
    assert listed.count("ssd") == 2
    file = tmp_path / "mine.pb"
    file.write_bytes(b"weights")
    refused = faceattr("weights", "import", file, "--as", "ssd", "--trust")
    assert "opencv_face_detector_uint8.pb, opencv_face_detector.pbtxt" in refused.stderr
    named = file.rename(tmp_path / "opencv_face_detector.pbtxt")
    assert faceattr("weights", "import", named, "--trust").status == 0
    assert "trusted by you" in faceattr("weights", "verify", "ssd").stdout


def test_converted_networks_are_verified_too(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))

    def write(xml: Path) -> None:
        xml.write_text("<net/>")
        xml.with_suffix(".bin").write_bytes(bytes(1000))

    path = converted.path_of("key")
    converted.store(path, write)
    assert faceattr("weights", "verify").stdout.startswith("converted networks: 1 intact in ")
    path.with_suffix(".bin").write_bytes(bytes(999))
    done = faceattr("weights", "verify")
    assert done.status == 1
    assert f"{path} was damaged and is removed" in done.stderr
    assert faceattr("weights", "verify").status == 0


@pytest.mark.parametrize("command", [("list",), ("weights", "list"), ("weights", "verify")])
def test_a_home_that_is_a_file_costs_the_weights_only(
    faceattr: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "file"))
    assert faceattr(*command).status == 0


def test_licenses_are_listed_also_of_what_is_in_the_package(faceattr: Command) -> None:
    lines = faceattr("weights", "list", "--license").stdout.splitlines()
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert rows["age"].startswith("no    in its package")
    assert rows["age-open"].startswith("yes   in its package")
    assert rows["age-open"].endswith("CC0-1.0; trained on pictures that its authors do not name")
    assert rows["emotion-cnn"].startswith("yes   facial_expression_model_weights.h5")


def test_licenses_that_are_not_open_are_refused_if_asked(
    faceattr: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_LICENSES", "open")
    done = faceattr("analyze", "missing.jpg", "--actions", "age")
    assert done.status == 1
    assert "refuses 'age'" in done.stderr
    assert "use 'age-open'" in done.stderr
    assert "refuses 'age_model_weights.h5'" in faceattr("weights", "fetch", "age-vgg").stderr
