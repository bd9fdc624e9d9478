from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faceattr.images import load_image


def faceattr(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faceattr", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_table_shows_each_face(astronaut: Path) -> None:
    done = faceattr("analyze", astronaut)
    assert done.returncode == 0
    assert "astronaut.png" in done.stdout
    assert "happy" in done.stdout


def test_json_has_one_object_per_picture(astronaut: Path, tmp_path: Path) -> None:
    done = faceattr("analyze", astronaut, tmp_path / "no.jpg", "--json")
    assert done.returncode == 1
    found, missing = json.loads(done.stdout)
    assert found["source"] == str(astronaut)
    assert (found["width"], found["height"]) == (512, 512)
    assert found["faces"][0]["attributes"]["emotion"]["label"] == "happy"
    assert missing["source"] == str(tmp_path / "no.jpg")
    assert "no such file" in missing["error"]
    assert "no such file" in done.stderr


def test_csv_has_one_row_per_face(astronaut: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(faceattr("analyze", astronaut, "--csv").stdout))
    assert row["source"] == str(astronaut)
    assert row["emotion"] == "happy"
    assert float(row["emotion_happy"]) == float(row["emotion_confidence"])


def test_a_bad_file_is_reported_and_the_rest_go_on(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    (tmp_path / "good.png").write_bytes(astronaut.read_bytes())
    done = faceattr("analyze", tmp_path, "--save", tmp_path / "out")
    assert done.returncode == 1
    assert "bad.png" in done.stderr
    assert "Traceback" not in done.stderr
    assert "good.png" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]
    drawn = load_image(tmp_path / "out" / "good.png")
    assert not np.array_equal(drawn, load_image(astronaut))


def test_plugins_are_listed_with_what_they_do() -> None:
    done = faceattr("list")
    assert done.returncode == 0
    for words in ("emotion", "Seven emotions", "haar", "mtcnn"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--actions", "emotoin"], "did you mean 'emotion'"),
        (["--detector", "mtcn"], "did you mean 'mtcnn'"),
        (["--json", "--csv"], "--json and --csv exclude each other"),
        (["--precision", "f8"], "it can be 'auto' or 'f32'"),
    ],
)
def test_a_wrong_word_is_one_line_and_status_1(
    astronaut: Path, arguments: list[str], message: str
) -> None:
    done = faceattr("analyze", astronaut, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    done = faceattr("analyze", tmp_path)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr


def test_tensorflow_stays_away(astronaut: Path) -> None:
    code = (
        f"import sys, faceattr; faceattr.analyze({str(astronaut)!r}, actions=['emotion']); "
        "sys.exit(bool({'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_openvino_does_not_report_its_use(astronaut: Path) -> None:
    code = (
        f"import sys, faceattr; faceattr.analyze({str(astronaut)!r}); "
        "sys.exit(any(name.startswith('openvino_telemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_faceattr_imports_nothing_heavy() -> None:
    code = (
        "import sys, faceattr; sys.exit(bool({'openvino', 'requests', 'typer', 'rich', 'mtcnn', "
        "'tensorflow', 'PIL'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_picture_that_cannot_be_saved_costs_no_result(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "astronaut.png").mkdir()
    done = faceattr("analyze", astronaut, "--csv", "--save", tmp_path)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "happy" in done.stdout


def test_weights_are_listed_with_size_and_terms() -> None:
    done = faceattr("weights", "list")
    assert done.returncode == 0
    for words in ("age-vgg", "539 MB", "MIT"):
        assert words in done.stdout


def test_weights_are_brought_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    assert "is no published file name" in faceattr("weights", "import", file).stderr
    refused = faceattr("weights", "import", file, "--as", "age-vgg")
    assert refused.returncode == 1
    assert "0aeff75734bf" in refused.stderr
    assert faceattr("weights", "import", file, "--as", "age-vgg", "--trust").returncode == 0
    path = faceattr("weights", "path", "age-vgg").stdout.strip()
    assert Path(path).read_bytes() == b"weights"
    assert "trusted by you" in faceattr("weights", "verify", "age-vgg").stdout
    assert path in faceattr("weights", "clear").stdout
    assert faceattr("weights", "path", "age-vgg").returncode == 1


def test_weights_that_are_missing_offline_say_what_to_do(
    astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    done = faceattr("analyze", astronaut, "--actions", "age-vgg")
    assert done.returncode == 1
    for words in (
        "age_model_weights.h5",
        "539 MB",
        "0aeff75734bf",
        "https://github.com",
        "weights",
    ):
        assert words in done.stderr


def test_only_what_is_downloaded_has_weights() -> None:
    done = faceattr("weights", "fetch", "emotion")
    assert done.returncode == 1
    assert "'emotion' has no weights to download; those that have: age-vgg" in done.stderr
