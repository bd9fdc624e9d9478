from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from cli.conftest import Command

from faceattr import __version__
from faceattr.streaming.sources import VideoFile

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
unix = pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")


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


def test_the_version_is_shown(faceattr: Command) -> None:
    assert faceattr("--version") == (0, f"faceattr {__version__}\n", "")


def test_another_process_gives_the_same_table(
    faceattr: Command, faceattr_process: Command, astronaut: Path
) -> None:
    command = ("analyze", astronaut, "--quiet")
    assert faceattr_process(*command) == faceattr(*command)


@pytest.mark.parametrize("error", ["ImportError", "OSError"])
def test_opencv_that_cannot_load_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faceattr_process: Command, error: str
) -> None:
    text = "libGL.so.1: cannot open shared object"
    (tmp_path / "cv2.py").write_text(f"raise {error}({text!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for arguments in (["list"], ["--help"]):
        done = faceattr_process(*arguments)
        assert (done.status, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        for words in ("faceattr: OpenCV cannot be loaded: libGL.so.1", "opencv-python-headless"):
            assert words in done.stderr
    caught = "try: import faceattr\nexcept ImportError as error: print(type(error).__name__)"
    output = subprocess.check_output([sys.executable, "-c", caught], text=True)
    assert output == "MissingDependencyError\n"


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "faceattr", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in SIGNALS],
    )


def interrupt(process: subprocess.Popen[str], lines: Path, number: int) -> tuple[int, str, str]:
    """Send a signal when there are five lines, and return status, stdout and stderr."""
    with process:
        try:
            deadline = time.monotonic() + 300  # a busy machine takes long to start a process
            while not (lines.exists() and lines.read_text().count("\n") >= 5):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()
    return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def pictures(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than anyone waits for."""
    folder = tmp_path_factory.mktemp("pictures")
    (frame, *_) = VideoFile(clip)
    cv2.imwrite(str(folder / "0000.png"), frame.image)
    for index in range(1, 3000):
        (folder / f"{index:04}.png").hardlink_to(folder / "0000.png")
    return folder


@unix
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_stream_with_whole_files(
    pictures: Path, tmp_path: Path, number: signal.Signals
) -> None:
    video, lines = tmp_path / "a.mp4", tmp_path / "a.jsonl"
    process = start("stream", pictures, "--no-display", "--record", video, "--jsonl", lines)
    status, stdout, stderr = interrupt(process, lines, number)
    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert 5 <= len(written) < 3000
    assert status == 128 + number
    message, summary = stderr.splitlines()
    assert re.fullmatch(
        r"faceattr: \d+ frames, 1 face, .* s; wrote .*a\.jsonl and .*a\.mp4.*", summary
    )
    interrupted = re.fullmatch(r"faceattr: interrupted after (\d+) of 3,000 frames", message)
    assert interrupted is not None
    assert int(interrupted[1]) - len(written) in (0, 1)  # the signal may come between the two
    assert stdout == ""
    assert abs(len(list(VideoFile(video))) - len(written)) <= 1


@unix
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_what_was_done_and_resume_does_the_rest(
    pictures: Path, tmp_path: Path, number: signal.Signals, faceattr: Command
) -> None:
    table, copies = tmp_path / "a.csv", tmp_path / "copies"
    command = ["detect", f"{pictures}/00*.png", "-d", "whole"]
    command += ["--output", str(table), "--save", str(copies)]
    status, stdout, stderr = interrupt(start(*command), table, number)
    num_done = len(table.read_text().splitlines()) - 1
    assert (status, stdout) == (128 + number, "")
    assert stderr == f"faceattr: interrupted; {num_done} of 100 pictures are done\n"
    assert len(list(copies.glob("*.png"))) - num_done in (0, 1)
    refused = faceattr(*command)
    assert refused.status == 1
    assert "exists already" in refused.stderr
    done = faceattr(*command, "--resume")
    assert done.status == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [str(path) for path in sorted(pictures.glob("00*"))]
    assert len(list(copies.iterdir())) == 100
