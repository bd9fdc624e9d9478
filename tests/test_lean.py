"""The lean installation asks for the same libraries as the whole one, without TensorFlow."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]
LEFT_OUT = {"keras", "tensorflow"}

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")


def test_the_lean_requirements_are_those_of_the_package_without_tensorflow() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    assert names >= LEFT_OUT
    lines = (TREE / "requirements-lean.txt").read_text().splitlines()
    lean = {line for line in lines if line and not line.startswith("#")}
    assert lean == {
        line.replace("opencv-python", "opencv-python-headless")
        for line in project["dependencies"]
        if not line.startswith(tuple(LEFT_OUT))
    }
