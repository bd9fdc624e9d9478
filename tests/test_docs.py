"""What the pages for plugin authors show works; .ci/run follows their commands."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import write_classifier

from faceattr.testing import check_analyzer, check_detector

DOCS = Path(__file__).parents[1] / "docs"


def block(page: str, section: str, number: int = 0) -> str:
    """Return a Python block under a heading."""
    _, _, text = (DOCS / page).read_text().partition(f"\n## {section}\n")
    return re.findall(r"```python\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)[number]


def run(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Import the block as a module in a folder, and return its names."""
    (folder / "page_example.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "page_example", raising=False)
    return vars(importlib.import_module("page_example"))


def test_the_first_analyzer_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From an empty folder")
    check_analyzer(run(source, tmp_path, monkeypatch)["BrightnessAnalyzer"]())


def test_the_analyzer_from_an_onnx_file_is_short_and_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From an ONNX file")
    weights = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    bias = np.zeros(2, np.float32)
    write_classifier(tmp_path / "smile.onnx", weights, bias, side=112, softmax=False)
    check_analyzer(run(source, tmp_path, monkeypatch)["SmileAnalyzer"]())
    assert len([line for line in source.splitlines() if line.strip()]) < 15


def test_the_analyzer_from_a_function_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-an-analyzer.md", "From a plain function")
    check_analyzer(run(source, tmp_path, monkeypatch)["contrast"]())


def test_the_head_reads_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = block("write-an-analyzer.md", "A head on the VGG-Face trunk")
    head = run(source, tmp_path, monkeypatch)["SmileHead"]()
    head._weights, head._bias = np.ones(512) / 512, -1.0
    (read,) = head.predict_from(np.full((1, 7, 7, 512), 1.0, np.float32))
    assert read.scores == {"serious": 0.5, "smiling": 0.5}


def test_the_first_detector_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = block("write-a-detector.md", "From an empty folder")
    check_detector(run(source, tmp_path, monkeypatch)["Alt2Detector"]())
