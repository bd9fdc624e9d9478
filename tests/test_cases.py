"""The scripts for known faults, one per fault, where their folder is there.

They were written for the interface before plugin API 2, so they are run with today's names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[2] / "shared" / "cases"
TIMEOUT = 120.0  # seconds

RENAMED = {
    "from faceattr.live import": "from faceattr.streaming.analysis import",
    "from faceattr.sources import": "from faceattr.streaming.sources import",
    "from faceattr.sinks import to_json": "from faceattr.results import to_json",
    "from faceattr.sinks import write_csv": "from faceattr.results import write_csv",
    "from faceattr.sinks import": "from faceattr.streaming.sinks import",
    "from faceattr.networks.hdf5 import": "from faceattr.networks.formats.hdf5 import",
    "import Layer, Network, chain": "import Layer, Network, sequential as chain",
    "import Layer, chain": "import Layer, sequential as chain",
    'detector="whole"), Pictures(frames), sinks, max_fps=fps)': (
        'detector="whole", max_fps=fps), Pictures(frames), sinks)'
    ),
    "network = yunet._Network(fetch(yunet.YUNET), 0.6)": (
        "from faceattr.detectors.base import LoadedDetector\n"
        "from faceattr.engines import create_engine\n"
        "yunet = LoadedDetector(yunet.YunetDetector(), create_engine())\n"
        "network = lambda image: np.array([face.bbox for face in yunet.detect(image)])"
    ),
    "contract = 1": "api_version, output = 2, __import__('faceattr').Unit('u')",
}


@pytest.mark.parametrize("case", sorted(CASES.glob("case_*.py")), ids=lambda case: case.stem[5:])
def test_a_known_fault_is_mended(case: Path, tmp_path: Path) -> None:
    text = case.read_text()
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    script = tmp_path / case.name
    script.write_text(text)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "FACEATTR_HOME": str(home),
        "FACEATTR_MIRROR": str(CASES.parent / "data" / "detectors"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
