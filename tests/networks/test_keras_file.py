"""Files of Keras 3 are read as graphs; broken and hostile ones are refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from faceattr.engines import create_engine
from faceattr.errors import EngineError, FaceattrError, MissingDependencyError, WeightsError
from faceattr.networks.formats.keras_file import read_keras

# Keras's variables do not know how NumPy 2 asks for arrays
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a small file, by name."""
    path = tmp_path_factory.mktemp("keras") / "toy.keras"
    layers = keras.layers
    keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    ).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: dict[str, bytes], **others: bytes) -> Path:
    """Write an archive, with other content for some members: ``config=…``."""
    names = {"config": "config.json", "weights": "model.weights.h5"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {names[key]: others[key] for key in others}).items():
            archive.writestr(name, content)
    return path


def use(path: Path) -> None:
    network = read_keras(path)
    create_engine(precision="f32").build(network, "f32")(np.zeros((1, 8, 8, 3), np.float32))


def test_an_intact_file_is_used(tmp_path: Path, members: dict[str, bytes]) -> None:
    use(write(tmp_path / "a.keras", members))


CONFIGS: dict[str, Any] = {
    "a list": [],
    "null": None,
    "a number": 7,
    "no class": {"config": {}},
    "no config": {"class_name": "Sequential"},
    "a config that is a list": {"class_name": "Sequential", "config": []},
    "no layers": {"class_name": "Sequential", "config": {"layers": []}},
    "layers that are null": {"class_name": "Sequential", "config": {"layers": None}},
    "layers of numbers": {"class_name": "Functional", "config": {"layers": [1, 2]}},
    "a layer without config": {"class_name": "Sequential", "config": {"layers": [{}]}},
    "empty outputs": {"class_name": "Functional", "config": {"output_layers": []}},
    "odd outputs": {"class_name": "Functional", "config": {"output_layers": "all"}},
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_broken_config_is_an_error_of_ours(
    tmp_path: Path, members: dict[str, bytes], kind: str
) -> None:
    path = write(tmp_path / "a.keras", members, config=json.dumps(CONFIGS[kind]).encode())
    with pytest.raises((EngineError, WeightsError), match=r"a\.keras"):
        read_keras(path)


@pytest.mark.parametrize("config", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_a_config_that_is_not_json_is_an_error_of_ours(
    tmp_path: Path, members: dict[str, bytes], config: bytes
) -> None:
    with pytest.raises(WeightsError, match=r"a\.keras cannot be read"):
        read_keras(write(tmp_path / "a.keras", members, config=config))


def changed(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[bytes], bytes]:
    def apply(config: bytes) -> bytes:
        model = json.loads(config)
        change(model["config"]["layers"])
        return json.dumps(model).encode()

    return apply


CHANGES = {
    "no input": changed(lambda layers: layers.pop(0)),
    "only an input": changed(lambda layers: layers.__delitem__(slice(1, None))),
    "an input without a shape": changed(lambda layers: layers[0]["config"].pop("batch_shape")),
    "an input of words": changed(
        lambda layers: layers[0]["config"].update(batch_shape=[None, "a", "b", 3])
    ),
    "a negative input": changed(
        lambda layers: layers[0]["config"].update(batch_shape=[None, -8, 8, 3])
    ),
    "a kernel of words": changed(lambda layers: layers[1]["config"].update(kernel_size="large")),
    "a kernel larger than the image": changed(
        lambda layers: layers[1]["config"].update(kernel_size=[9, 9])
    ),
    "no filters": changed(lambda layers: layers[1]["config"].update(filters=None)),
    "an unknown layer": changed(lambda layers: layers[2].update(class_name="Mystery")),
    "a layer that is a number": changed(lambda layers: layers[2].update(class_name=7)),
    "the same name twice": changed(lambda layers: layers[2].update(config=layers[1]["config"])),
    "other units": changed(lambda layers: layers[3]["config"].update(units=5)),
    "many units": changed(lambda layers: layers[3]["config"].update(units=10**10)),
    "negative units": changed(lambda layers: layers[3]["config"].update(units=-1)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_layer_is_an_error_of_ours(
    tmp_path: Path, members: dict[str, bytes], kind: str
) -> None:
    config = CHANGES[kind](members["config.json"])
    path = write(tmp_path / "a.keras", members, config=config)
    with pytest.raises(FaceattrError):
        use(path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_broken_weights_are_an_error_of_ours(
    tmp_path: Path, members: dict[str, bytes], content: bytes
) -> None:
    path = write(tmp_path / "a.keras", members, weights=content)
    with pytest.raises(EngineError, match=r"Keras cannot load .*a\.keras"):
        use(path)


def test_weights_that_lie_in_another_file_are_refused(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    (tmp_path / "other.h5").write_bytes(members["model.weights.h5"])
    content = BytesIO()
    with h5py.File(content, "w") as file:
        file["layers"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "layers")
    path = write(tmp_path / "a.keras", members, weights=content.getvalue())
    with pytest.raises(WeightsError, match="which is not allowed"):
        use(path)


def test_a_file_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    zeros = bytes(80 * 1024 * 1024)
    for bomb in ({"config": zeros}, {"weights": zeros}):
        path = write(tmp_path / "a.keras", members, **bomb)
        assert path.stat().st_size < 200_000
        with pytest.raises(WeightsError, match=r"unpack to 8\d+, which is not credible"):
            read_keras(path)
    path = write(tmp_path / "a.keras", members, config=b" " * (11 * 1024 * 1024))
    with pytest.raises(WeightsError, match=r"its config\.json is larger than"):
        read_keras(path)


def test_without_keras_the_error_says_what_to_install(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    network = read_keras(write(tmp_path / "a.keras", members))
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependencyError, match="needs Keras: pip install tensorflow"):
        len(network.weights)
