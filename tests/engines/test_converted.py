"""Converted networks are believed only if their seal is right; nothing else stays in the cache."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from standins import random_weights

from faceattr.engines import converted
from faceattr.engines.openvino import OpenVinoEngine
from faceattr.errors import WeightsError
from faceattr.networks.graph import Layer, Network, sequential

LAYERS = sequential(
    (6, 6, 3),
    Layer("Conv2D", "conv", {"filters": 4, "kernel_size": (3, 3), "activation": "relu"}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 2, "activation": "softmax"}),
)
NETWORK = Network("small", LAYERS, random_weights(LAYERS), digest="one")
OTHER = replace(NETWORK, weights=random_weights(LAYERS, seed=1), digest="two")
CROPS = np.random.default_rng(2).random((3, 6, 6, 3), np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    return tmp_path / "compiled"


def run(network: Network = NETWORK) -> np.ndarray:
    return OpenVinoEngine().build(network, "f32")(CROPS)


def store(network: Network) -> Path:
    """Convert a network; return the path of its xml file."""
    before = set(converted.path_of("").parent.glob("*.xml"))
    run(network)
    (path,) = set(converted.path_of("").parent.glob("*.xml")) - before
    return path


def flip(data: bytes, at: float) -> bytes:
    index = int(at * len(data))
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit at the beginning": lambda data: flip(data, 0.0),
    "a bit in the middle": lambda data: flip(data, 0.5),
    "a bit at the end": lambda data: flip(data, 0.999),
    "zeros": lambda data: data[:100] + bytes(100) + data[200:],
    "all zeros": lambda data: bytes(len(data)),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "longer": lambda data: data + b"\0",
    "doubled": lambda data: data + data,
}


@pytest.mark.parametrize("suffix", [".bin", ".xml"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_converted_again(suffix: str, damage: str) -> None:
    expected = run()
    (path,) = converted.path_of("").parent.glob(f"*{suffix}")
    intact = path.read_bytes()
    times = path.stat()
    path.write_bytes(DAMAGES[damage](intact))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    np.testing.assert_array_equal(run(), expected)
    assert converted.is_intact(path.with_suffix(".xml"))


@pytest.mark.parametrize("suffixes", [(".bin",), (".xml",), (".bin", ".xml")])
def test_models_that_were_swapped_are_converted_again(suffixes: tuple[str, ...]) -> None:
    one, two = store(NETWORK), store(OTHER)
    expected = run(NETWORK), run(OTHER)
    for suffix in suffixes:
        first, second = one.with_suffix(suffix), two.with_suffix(suffix)
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    assert not converted.is_intact(one)
    assert not converted.is_intact(two)
    np.testing.assert_array_equal((run(NETWORK), run(OTHER)), expected)


def test_a_model_without_a_seal_is_not_believed() -> None:
    path = store(NETWORK)
    path.write_bytes(path.read_bytes().rpartition(b"\n<!-- ")[0])
    assert not converted.is_intact(path)


def test_an_intact_model_is_not_written_again() -> None:
    path = store(NETWORK)
    converted.store(path, lambda _: pytest.fail("written again"))


def test_leftovers_of_killed_conversions_are_removed(folder: Path) -> None:
    (folder / "tmpkilled").mkdir(parents=True)
    (folder / "tmpkilled" / "model.bin").write_bytes(bytes(1000))
    path = store(NETWORK)
    assert {file.name for file in folder.iterdir()} == {
        ".lock",
        path.name,
        path.with_suffix(".bin").name,
    }


def test_verify_removes_damaged_models_and_keeps_the_others() -> None:
    assert converted.verify() == (0, [])
    one, two = store(NETWORK), store(OTHER)
    assert converted.verify() == (2, [])
    one.with_suffix(".bin").write_bytes(b"")
    lost = converted.path_of("a bin file without its xml").with_suffix(".bin")
    lost.write_bytes(b"")
    assert converted.verify() == (1, sorted([one, lost.with_suffix(".xml")]))
    assert not one.exists()
    assert not lost.exists()
    assert converted.is_intact(two)


def test_verify_names_what_it_cannot_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    store(NETWORK).write_bytes(b"")
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(WeightsError, match=r"cannot clean .*compiled: .*Permission denied"):
        converted.verify()


def test_a_cache_that_another_process_keeps_locked_is_done_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(converted, "LOCK_TIMEOUT", 0.1)
    folder.mkdir()
    with FileLock(folder / ".lock"), caplog.at_level(logging.WARNING, "faceattr"):
        run()
    assert "small cannot be stored" in caplog.text
