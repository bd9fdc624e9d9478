"""Two Ray nodes, of which something is killed at a random moment, lose and double no row."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import batch_cluster
import pytest
from batch_runs import OPTIONS, Inline, read_rows, write_picture

from faceattr.batch import on_ray, run
from faceattr.errors import MissingDependencyError

pytest.importorskip("pyarrow")

SEPARATE = ["unshare", "-n", "-p", "-f", "--mount-proc", "sh", "-c"]  # from the network, too
COMMAND = 'ip link set lo up && "$@"'
NUM_PICTURES = 60


def can_be_separate() -> bool:
    """Return whether processes can have namespaces of their own here."""
    try:
        done = subprocess.run([*SEPARATE, COMMAND, "sh", "true"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'faceattr[ray]'")
@pytest.mark.parametrize("what", ["nothing", "actor", "node", "driver"])
def test_a_kill_loses_and_doubles_nothing(tmp_path: Path, inline: Inline, what: str) -> None:
    if not can_be_separate():
        pytest.skip("needs unshare and ip, and the right to make a network namespace")
    for index in range(NUM_PICTURES):
        write_picture(tmp_path / "pictures" / f"{index:02}.png", (0, 100 + index, 0))
    run(tmp_path / "pictures", tmp_path / "whole", OPTIONS, chunk_size=2)
    when = random.randrange(1, NUM_PICTURES // 2)
    folders = [str(tmp_path / "pictures"), str(tmp_path / "out")]
    program = [sys.executable, batch_cluster.__file__, *folders]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*SEPARATE, COMMAND, "sh", *program, what, str(when)],
        env=environment,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode == 0) == (what != "driver"), done.stderr.decode()[-5000:]
    again = run(tmp_path / "pictures", tmp_path / "out", OPTIONS, chunk_size=2)
    assert again.new < NUM_PICTURES // 2 if what == "driver" else again.new == 0
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "whole"), when


def test_without_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv(on_ray.TELEMETRY, "0")
    with pytest.raises(MissingDependencyError, match=r"faceattr\[ray\]"):
        on_ray.import_ray()


@pytest.mark.parametrize("is_configured", [True, False])
def test_telemetry_is_off_unless_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_configured: bool
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delenv(on_ray.TELEMETRY, raising=False)
    monkeypatch.setattr(on_ray, "CONFIGURATION", tmp_path if is_configured else tmp_path / "none")
    with pytest.raises(MissingDependencyError):
        on_ray.import_ray()
    assert os.environ.get(on_ray.TELEMETRY) == (None if is_configured else "0")
    monkeypatch.setenv(on_ray.TELEMETRY, "0")
