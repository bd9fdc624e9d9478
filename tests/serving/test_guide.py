"""What docs/serve.md says is so; browser/test_example.py runs what it shows for browsers."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from browsing import GUIDE, guide_blocks
from servers import Client, serving

from faceattr.cli import run as run_command
from faceattr.images import load_image
from faceattr.serving.models import AnalyzeAnswer, FaceModel
from faceattr.serving.options import Limits

TEXT = GUIDE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[Client]:
    """A server as the guide starts it."""
    with serving(actions=("emotion", "age", "gender"), detector="yunet") as one:
        yield one


@pytest.fixture
def folder(astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures that the guide names, which becomes the current one."""
    for name in ("photo.jpg", "party.jpg"):
        shutil.copy(astronaut, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_requests_by_curl_are_answered(server: Client, folder: Path) -> None:
    commands = [
        line
        for block in guide_blocks("console", server.url)
        for line in block.splitlines()
        if line.startswith("curl")
    ]
    assert len(commands) == 4
    answers = [
        subprocess.run(
            ["bash", "-c", f"{command} --silent --fail"], check=True, capture_output=True
        ).stdout
        for command in commands
    ]
    first, two, emotion = (AnalyzeAnswer.model_validate(json.loads(one)) for one in answers[:3])
    assert first.pictures[0].faces[0].attributes.keys() == {"emotion", "age", "gender"}
    assert [one.name for one in two.pictures] == ["photo.jpg", "party.jpg"]
    assert emotion.pictures[0].faces[0].attributes.keys() == {"emotion"}
    assert answers[3] == b""
    assert load_image(folder / "annotated.jpg").shape == (512, 512, 3)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("number, package", [(0, "httpx"), (1, "websockets")])
def test_the_requests_from_python_are_answered(
    server: Client,
    number: int,
    package: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(package)
    script = tmp_path / "script.py"
    script.write_text(guide_blocks("python", server.url)[number], encoding="utf-8")
    names = runpy.run_path(str(script))
    if "server" in names:
        names["server"].close()
    printed = capsys.readouterr().out.splitlines()
    if package == "httpx":
        assert printed[0].startswith("photo.jpg happy [1")
    else:
        assert printed == ["0 1 happy", "1 1 happy", "2 1 happy"]


def test_the_answer_that_the_guide_shows_has_the_form_of_answers() -> None:
    (block,) = guide_blocks("json", "")
    (picture,) = json.loads(block)["pictures"]
    (face,) = picture["faces"]
    assert face.keys() == FaceModel.model_fields.keys()
    assert picture.keys() == {"name", "width", "height", "faces", "error"}
    assert face["attributes"]["age"].keys() == {"value", "unit", "std"}
    assert face["attributes"]["emotion"].keys() == {"label", "confidence", "scores"}


def test_the_guide_lists_the_limits_with_their_defaults() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \| ([\d.]+) \|", TEXT, re.MULTILINE)
    assert [(name, float(value)) for name, value in rows] == [
        (one.name.replace("_", "-"), float(getattr(Limits(), one.name))) for one in fields(Limits)
    ]


def test_the_guide_names_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    own = {"--data-binary", "--build", "--detach"}  # of curl and docker
    assert {one for one in re.findall(r"--[a-z-]+[a-z]", TEXT) if one not in shown} == own


def test_the_guide_names_addresses_that_there_are(server: Client) -> None:
    known = set(server.get("/openapi.json").json()["paths"]) | {"/openapi.json", "/metrics"}
    named = set(re.findall(r"`(?:POST |GET |WebSocket )?(/[\w./]+)`", TEXT.partition("## Live")[0]))
    others = {"/v1/verify", "/v1/gallery", "/v1/gallery/find", "/v1/stream"}
    assert named - known == others
    assert len(named) == 11
