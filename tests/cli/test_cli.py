from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceattr.images import load_image
from faceattr.streaming.sinks import VideoSink
from faceattr.streaming.sources import VideoFile
from faceattr.types import Frame


def faceattr(*arguments: str | float | Path) -> subprocess.CompletedProcess[str]:
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


def test_labels_can_be_grouped(astronaut: Path) -> None:
    done = faceattr("analyze", astronaut, "--labels", "good=happy+surprise,bad=sad+fear", "--json")
    emotion = json.loads(done.stdout)[0]["faces"][0]["attributes"]["emotion"]
    assert emotion["label"] == "good"
    assert list(emotion["scores"]) == ["good", "bad"]


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


def test_an_analyzer_is_described_with_what_it_costs() -> None:
    done = faceattr("info", "emotion")
    assert done.returncode == 0
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line[1] != " ")
    assert told["reads"].startswith("emotion: angry, disgust, fear, happy")
    assert told["weights"].strip() == "none to download"
    assert told["card"].strip() == "models/emotion/README.md"
    for words in ("48×48 px, gray", "faceattr.analyzers.emotion.EmotionAnalyzer", "each frame"):
        assert words in done.stdout
    assert re.search(
        r"[\d.]+ ms for one face, [\d.]+ ms each for 16 together; ready in", done.stdout
    )


def test_what_needs_weights_is_described_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    done = faceattr("info", "age-vgg")
    assert done.returncode == 0
    for words in (
        "age, in years",
        "age_model_weights.h5 (539 MB), to download on first use",
        "MIT; trained on VGG-Face and WIKI",
        "looks at a face every 5 s",
        "not known before its weights are here",
    ):
        assert words in done.stdout


def test_a_detector_is_described_too() -> None:
    done = faceattr("info", "haar")
    assert done.returncode == 0
    assert re.search(r"[\d.]+ ms for 640×480 px of nobody; ready in", done.stdout)
    wrong = faceattr("info", "harr")
    assert wrong.returncode == 1
    assert "unknown analyzer or detector 'harr'; did you mean 'haar'?" in wrong.stderr


@pytest.fixture
def broken_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One plugin that cannot be imported, one for another contract, and one name claimed twice."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "newer.py").write_text(
        "import faceattr\nclass Newer(faceattr.Analyzer):\n    contract = 99\n"
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
def test_broken_plugins_are_warnings_and_the_rest_is_listed(command: list[str]) -> None:
    done = faceattr(*command)
    assert done.returncode == 0
    assert "emotion-cnn" in done.stdout
    for words in (
        "analyzer 'torn' of one 1.0 failed to import: No module named 'no_such_module'",
        "analyzer 'newer' of two 1.0 was made for contract 99 of faceattr's plugins, and this "
        "faceattr keeps contract 1; upgrade faceattr",
    ):
        assert words in done.stderr
    assert re.search(r"'twice' is claimed by (one|two) 1.0 and by (one|two) 1.0", done.stderr)
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.usefixtures("broken_plugins")
def test_broken_plugins_harm_nothing_else(astronaut: Path) -> None:
    done = faceattr("analyze", astronaut)
    assert (done.returncode, done.stderr) == (0, "")
    assert faceattr("info", "emotion").returncode == 0
    for action in ("torn", "newer", "twice"):
        refused = faceattr("analyze", astronaut, "--actions", f"emotion,{action}")
        assert refused.returncode == 1
        assert f"analyzer '{action}'" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert faceattr("info", action).stderr == refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--actions", "emotoin"], "did you mean 'emotion'"),
        (["--detector", "mtcn"], "did you mean 'mtcnn'"),
        (["--json", "--csv"], "--json and --csv exclude each other"),
        (["--precision", "f8"], "it can be 'auto' or 'f32'"),
        (["--labels", "hapy,sad"], "did you mean 'happy'"),
        (["--min-confidence", "2"], "it must lie in [0, 1]"),
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


def test_tensorflow_and_joblib_stay_away(astronaut: Path) -> None:
    code = (
        f"import sys, faceattr; faceattr.analyze({str(astronaut)!r}, actions=['emotion']); "
        "sys.exit(bool({'tensorflow', 'keras', 'joblib'} & sys.modules.keys()))"
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
        "'tensorflow', 'PIL', 'scipy', 'matplotlib'} & sys.modules.keys()))"
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


@pytest.fixture(scope="module")
def clip(astronaut: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames, 10 per second, of a face that moves to the left."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    image = cv2.resize(load_image(astronaut), (320, 320), interpolation=cv2.INTER_AREA)
    with VideoSink(path, fps=10) as video:
        for index in range(12):
            video.write(Frame(np.roll(image, -4 * index, axis=1), index, index / 10), [])
    return path


def test_a_video_becomes_tables_a_copy_and_a_picture(clip: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("a.mp4", "a.csv", "a.jsonl", "a.png")}
    save, table, lines, plot = files.values()
    done = faceattr("video", clip, "--save", save, "--csv", table, "--jsonl", lines, "--plot", plot)
    assert (done.returncode, done.stderr) == (0, "")
    assert "frames: 12 (0 dropped); faces: 1; looks: emotion 12" in done.stdout
    assert "happy" in done.stdout
    assert len(list(VideoFile(save))) == 12
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [(row["frame"], row["track"]) for row in rows] == [(str(i), "1") for i in range(12)]
    assert [row["timestamp"] for row in rows[:3]] == ["0.0", "0.1", "0.2"]
    last = json.loads(lines.read_text().splitlines()[-1])
    assert last["faces"][0]["attributes"]["emotion"]["label"] == "happy"
    assert load_image(plot).std() > 10


def test_labels_of_a_video_can_be_grouped_and_left_out_where_unsure(
    clip: Path, tmp_path: Path
) -> None:
    table = tmp_path / "a.csv"
    options = ["--labels", "good=happy+surprise,bad=sad+fear", "--min-confidence", "1"]
    assert "uncertain" in faceattr("video", clip, *options, "--csv", table).stdout
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert len(rows) == 12
    assert all(row["emotion"] == "" and float(row["emotion_good"]) > 0.9 for row in rows)


def test_json_lines_of_a_video_can_hold_a_face_each(clip: Path, tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    faceattr("video", clip, "--jsonl", lines, "--per-face", "--max-frames", 3)
    faces = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(face["frame"], face["track_id"]) for face in faces] == [(0, 1), (1, 1), (2, 1)]


def test_a_stream_needs_no_window(clip: Path, tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    options = ["--no-display", "--max-frames", "7", "--refresh", "emotion=2"]
    options += ["--detect-every", "auto", "--labels", "happy,sad"]
    done = faceattr("stream", clip, *options, "--jsonl", lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert "frames: 7 (0 dropped); faces: 1; looks: emotion 1" in done.stdout
    faces = [json.loads(line)["faces"][0] for line in lines.read_text().splitlines()]
    assert [bool(face["attributes"]) for face in faces] == [False] * 4 + [True] * 3
    assert faces[-1]["frozen"]["emotion"] == pytest.approx(1.8)
    assert list(faces[-1]["attributes"]["emotion"]["scores"]) == ["happy", "sad"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stream", "99"], "camera 99 cannot be opened"),
        (["stream", "CLIP", "--refresh", "age"], "write it like age=2"),
        (["stream", "CLIP"], "no window can be opened"),
        (["stream", "CLIP", "--detect-every", "0"], "detect_every is 0; it must be at least 1"),
        (["video", "CLIP", "--labels", "hapy,sad"], "did you mean 'happy'"),
        (["video", "CLIP", "--plot", "a.nope"], "a.nope: the name of a picture ends in"),
        (["video", "CLIP", "--save", "a.gif"], "a.gif: the name of a video ends in"),
    ],
)
def test_what_cannot_be_streamed_is_one_line_and_status_1(
    clip: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    done = faceattr(*(str(clip) if word == "CLIP" else word for word in arguments))
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_stream_with_whole_files(
    clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    video, lines = tmp_path / "a.mp4", tmp_path / "a.jsonl"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (frame, *_) = VideoFile(clip)
    for index in range(3000):  # more than anyone waits for
        name = pictures / f"{index:04}.png"
        name.hardlink_to(pictures / "0000.png") if index else cv2.imwrite(str(name), frame.image)
    command = ["stream", pictures, "--no-display", "--record", video, "--jsonl", lines]
    with subprocess.Popen(
        [sys.executable, "-m", "faceattr", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell's jobs may ignore it
    ) as process:
        deadline = time.monotonic() + 60
        while not (lines.exists() and lines.read_text().count("\n") >= 5):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert "(0 dropped); faces: 1; looks: emotion" in stdout
    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert 5 <= len(written) < 3000
    assert abs(len(list(VideoFile(video))) - len(written)) <= 1


def test_faces_are_found_without_reading_them(astronaut: Path) -> None:
    done = faceattr("detect", astronaut, "--json", "--max-faces", 1, "--min-face", 0.1)
    (found,) = json.loads(done.stdout)
    (face,) = found["faces"]
    assert face["attributes"] == {}
    assert len(face["landmarks"]) == 5
    none = faceattr("detect", astronaut, "--min-face", 500)
    assert "nobody" in none.stdout
    assert (
        "min_face is -1.0; it must be above 0"
        in faceattr("detect", astronaut, "--min-face", "-1").stderr
    )


def test_unsure_faces_have_scores_but_no_label(astronaut: Path) -> None:
    options = ["--labels", "good=happy+surprise,bad=sad+angry", "--min-confidence", "1"]
    assert "uncertain" in faceattr("analyze", astronaut, *options).stdout
    done = faceattr("analyze", astronaut, *options, "--csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["emotion"] == ""
    assert float(row["emotion_good"]) > 0.9


def write_labelled(folder: Path, astronaut: Path) -> Path:
    for label in ("happy", "sad"):
        (folder / label).mkdir(parents=True)
        (folder / label / "face.png").write_bytes(astronaut.read_bytes())
    return folder


def test_an_analyzer_is_measured_on_labelled_pictures(astronaut: Path, tmp_path: Path) -> None:
    data = write_labelled(tmp_path / "data", astronaut)
    done = faceattr("eval", "emotion", data, "--json", "--save", tmp_path / "charts")
    assert done.returncode == 0
    figures = json.loads(done.stdout)
    assert (figures["analyzer"], figures["pictures"], figures["found"]) == ("emotion", 2, 2)
    assert figures["ground_truth"]["folders"]["accuracy"] == 0.5
    assert [path.name for path in (tmp_path / "charts").iterdir()] == ["emotion-folders.png"]


def test_figures_are_shown_as_tables(astronaut: Path, tmp_path: Path) -> None:
    data = write_labelled(tmp_path, astronaut)
    done = faceattr("eval", "emotion", data, "--crops", "--labels", "good=happy,bad=sad+angry")
    assert done.returncode == 0
    for words in ("2 of 2 with a face", "accuracy", "macro F1", "precision", "good", "bad"):
        assert words in done.stdout


def test_what_cannot_be_measured_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = faceattr("eval", "emotion", tmp_path / "x.csv")
    assert done.returncode == 1
    assert done.stderr == f"faceattr: {tmp_path / 'x.csv'}: no such file or folder\n"


def test_a_plugin_may_have_several_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    listed = faceattr("weights", "list").stdout
    assert listed.count("ssd") == 2
    file = tmp_path / "mine.pb"
    file.write_bytes(b"weights")
    refused = faceattr("weights", "import", file, "--as", "ssd", "--trust")
    assert "opencv_face_detector_uint8.pb, opencv_face_detector.pbtxt" in refused.stderr
    named = file.rename(tmp_path / "opencv_face_detector.pbtxt")
    assert faceattr("weights", "import", named, "--trust").returncode == 0
    assert "trusted by you" in faceattr("weights", "verify", "ssd").stdout
