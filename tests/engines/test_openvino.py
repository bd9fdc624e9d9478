"""A network with a digest is converted once; damage and a closed cache are survived."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import write_classifier
from standins import random_weights

from faceattr.engines.openvino import OpenVinoEngine, _model
from faceattr.engines.quiet import openvino as ov
from faceattr.errors import EngineError
from faceattr.networks.graph import Layer, Network, sequential
from faceattr.options import Precision

LAYERS = sequential(
    (6, 6, 3),
    Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "activation": "relu"}),
    Layer("Conv2D", "whole", {"filters": 5, "kernel_size": (4, 4), "activation": "relu"}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 2, "activation": "softmax"}),
)
NETWORK = Network("small", LAYERS, random_weights(LAYERS), digest="one")
CROPS = np.random.default_rng(2).random((3, 6, 6, 3), np.float32)


class Unreadable(Mapping[str, Any]):
    """Weights that nobody may ask for."""

    def __getitem__(self, name: str) -> Any:
        raise AssertionError(name)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    return tmp_path


def run(network: Network = NETWORK) -> np.ndarray:
    return OpenVinoEngine().build(network, "f32")(CROPS)


def stored(home: Path) -> dict[str, bytes]:
    """Return the stored arrays by the name of their file."""
    return {path.name: path.read_bytes() for path in (home / "compiled").glob("*.bin")}


def test_the_second_start_does_not_ask_for_the_weights() -> None:
    expected = run()
    np.testing.assert_array_equal(run(replace(NETWORK, weights=Unreadable())), expected)


def test_other_weights_and_other_graphs_are_kept_apart() -> None:
    run()
    other = random_weights(LAYERS, seed=1)
    assert not np.allclose(run(replace(NETWORK, weights=other, digest="two")), run())
    with pytest.raises(AssertionError):
        run(replace(NETWORK, layers=LAYERS[:-1], weights=Unreadable()))


def test_what_has_no_digest_is_not_kept(home: Path) -> None:
    run(replace(NETWORK, digest=None))
    assert not (home / "compiled").exists()


def test_what_is_not_to_be_stored_is_shared_but_not_kept(home: Path) -> None:
    engine = OpenVinoEngine(precision="f32")
    small = replace(NETWORK, stored=False)
    compiled = engine.compile(small)
    assert engine.compile(small) is compiled
    assert not (home / "compiled").exists()


def test_half_precision_is_only_for_auto(home: Path) -> None:
    OpenVinoEngine().build(NETWORK, "f32")
    (exact,) = stored(home).values()
    OpenVinoEngine().build(NETWORK, "auto")
    (half,) = set(stored(home).values()) - {exact}
    assert len(half) == pytest.approx(len(exact) / 2, rel=0.1)


def test_a_cache_that_cannot_be_written_is_done_without(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = run(replace(NETWORK, digest=None))
    (home / "compiled").write_text("not a folder")
    with caplog.at_level(logging.WARNING, "faceattr"):
        np.testing.assert_allclose(run(), expected, atol=1e-6)
    assert caplog.messages[0].startswith(
        "the converted network small cannot be stored and will be converted again at the next start"
    )


def test_two_processes_may_convert_at_once(home: Path) -> None:
    program = [sys.executable, "-c", "import test_openvino; test_openvino.run()"]
    folders = map(str, [Path(__file__).parent, *sys.path])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    processes = [subprocess.Popen(program, env=environment) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    theirs = stored(home)
    run(replace(NETWORK, weights=Unreadable()))
    shutil.rmtree(home / "compiled")
    run()
    assert stored(home) == theirs  # so it does not matter whose files they were


def test_one_network_is_compiled_once_as_long_as_it_is_in_use() -> None:
    engine = OpenVinoEngine(precision="f32")
    compiled = engine.compile(NETWORK)
    assert OpenVinoEngine(precision="f32").compile(replace(NETWORK, name="alias")) is compiled
    assert OpenVinoEngine(precision="auto").compile(NETWORK) is not compiled
    assert engine.compile(replace(NETWORK, digest=None)) is not compiled
    forgotten = weakref.ref(compiled)
    del compiled
    gc.collect()
    assert forgotten() is None


def test_a_layer_that_openvino_does_not_know_is_named_and_not_kept(home: Path) -> None:
    layers = sequential((6, 6, 3), Layer("LSTM", "memory"))
    with pytest.raises(EngineError, match="layer 'memory' of 'odd' is a LSTM"):
        OpenVinoEngine().compile(Network("odd", layers, {}, digest="one"))
    assert not (home / "compiled").exists()


def test_openvinos_converter_is_imported_only_for_who_asks() -> None:
    code = (
        "import sys, faceattr.engines.openvino, openvino; "
        "early = 'openvino.tools.ovc' in sys.modules; "
        "sys.exit(early or openvino.convert_model.__name__ != 'convert_model')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_answers_do_not_depend_on_whether_the_cache_can_store(
    home: Path, precision: Precision
) -> None:
    stored = OpenVinoEngine().build(NETWORK, precision)(CROPS)
    again = OpenVinoEngine().build(NETWORK, precision)(CROPS)
    shutil.rmtree(home / "compiled")
    (home / "compiled").write_text("not a folder")
    unstored = OpenVinoEngine().build(NETWORK, precision)(CROPS)
    np.testing.assert_array_equal(stored, again)
    np.testing.assert_array_equal(stored, unstored)


def test_half_precision_rounds_the_weights() -> None:
    engine = OpenVinoEngine(precision="f32")
    exact = replace(NETWORK, digest=None)
    model = _model(NETWORK, "auto")
    rounded = engine._compile(model, "f32", "rounded")(CROPS)
    assert not np.array_equal(rounded, engine.compile(exact)(CROPS))
    np.testing.assert_allclose(rounded, engine.compile(exact)(CROPS), atol=1e-3)


def test_no_home_is_needed_to_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = run()
    monkeypatch.setenv("FACEATTR_HOME", "~nobody-has-this-name/cache")
    with caplog.at_level(logging.WARNING, "faceattr"):
        np.testing.assert_array_equal(run(), expected)
    assert "there is no home folder in which to keep files; set FACEATTR_HOME" in caplog.text


def test_what_cannot_run_is_an_engine_error() -> None:
    compiled = OpenVinoEngine().compile(NETWORK)
    with pytest.raises(EngineError, match="cannot run 'small' on 1×6×6×5 numbers"):
        compiled(np.zeros((1, 6, 6, 5), np.float32))


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"garbage" * 99, b"\xff" * 999, b"\x08\x08\x3a\x02\x12\xff"]
)
def test_a_file_that_is_not_onnx_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=r"OpenVINO cannot read .*model\.onnx"):
        OpenVinoEngine().compile_onnx(tmp_path / "model.onnx")


def test_names_in_an_onnx_file_may_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_classifier(path, np.ones((3, 2), np.float32), np.zeros(2, np.float32))
    intact = path.read_bytes()
    for name in (b"picture", b"means", b"logits", b"scores", b"weights", b"toy", b"ReduceMean"):
        path.write_bytes(intact.replace(name, b"\xff" * len(name)))
        with suppress(EngineError):
            OpenVinoEngine().compile_onnx(path)(np.zeros((1, 8, 8, 3), np.float32))


def test_a_missing_openvino_is_one_line_that_says_what_to_do() -> None:
    code = (
        "import sys; sys.modules['openvino'] = None\n"
        "from faceattr.engines import create_engine\n"
        "try: create_engine()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output.startswith("MissingDependencyError OpenVINO cannot be imported: ")
    assert output.endswith(
        "pip install --force-reinstall openvino`, or choose engine='tensorflow'\n"
    )
    assert output.count("\n") == 1


@pytest.mark.parametrize("reason", ["Cannot load library\nlibopenvino_intel_cpu_plugin.so", ""])
def test_an_openvino_without_its_plugin_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    class Broken:
        available_devices = ()

        def compile_model(self, *_: object) -> None:
            raise RuntimeError(reason)

    monkeypatch.setattr(ov, "Core", Broken)
    with pytest.raises(
        EngineError, match=r"cannot load its plugin for the CPU: .*reinstall"
    ) as got:
        run(replace(NETWORK, digest=None))
    assert "\n" not in str(got.value)


def test_an_openvino_that_does_not_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("plugins.xml\nis missing")

    monkeypatch.setattr(ov, "Core", fail)
    with pytest.raises(EngineError, match=r"OpenVINO does not start: plugins.xml is missing; rein"):
        run(replace(NETWORK, digest=None))
