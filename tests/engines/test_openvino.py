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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import random_weights

from faceattr.engines.openvino import OpenVinoEngine
from faceattr.errors import EngineError
from faceattr.networks.graph import Layer, Network, sequential

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


@pytest.mark.parametrize("suffix", [".bin", ".xml"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_entry_is_made_again(home: Path, suffix: str, share: float) -> None:
    expected = run()
    intact = stored(home)
    (damaged,) = (home / "compiled").glob(f"*{suffix}")
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    np.testing.assert_array_equal(run(), expected)
    assert stored(home) == intact
    run(replace(NETWORK, weights=Unreadable()))


def test_a_cache_that_cannot_be_written_is_done_without(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = run(replace(NETWORK, digest=None))
    (home / "compiled").write_text("not a folder")
    with caplog.at_level(logging.WARNING, "faceattr"):
        np.testing.assert_allclose(run(), expected, atol=1e-6)
    assert caplog.messages[0].startswith("small will be converted again at the next start, as ")


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
