"""The analyzer of descriptors: known answers, the mirrored crop, and dlib's own file."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from dlib_files import dlib_file, random_layers
from numpy.typing import NDArray

from faceattr.alignment import crop_faces
from faceattr.analyzers import identity
from faceattr.analyzers.builtin import load_builtin
from faceattr.analyzers.identity import (
    DLIB_FACE,
    IdentityAnalyzer,
    IdentityDlibAnalyzer,
    load_original,
)
from faceattr.engines import create_engine
from faceattr.errors import WeightsError
from faceattr.pipeline import Pipeline
from faceattr.types import CropBatch, CropGeometry, Crops, Descriptor
from faceattr.weights import hash_file, import_file

NOISE = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3)).astype(np.uint8)


def read(analyzer: IdentityAnalyzer, crops: Crops) -> NDArray[np.float32]:
    engine = create_engine("openvino", precision="f32", threads=1)
    batch = CropBatch(crops, [CropGeometry()] * len(crops))
    descriptors = analyzer.load(engine)(batch)
    assert all(isinstance(one, Descriptor) for one in descriptors)
    return np.array([one.vector for one in descriptors if isinstance(one, Descriptor)])


def test_the_descriptor_of_a_photograph_is_known(astronaut: Path) -> None:
    (face,) = Pipeline(["identity"], precision="f32").analyze(astronaut)
    vector = face.descriptor("identity").vector
    known = [-0.0444, 0.0087, 0.0045, -0.0469, -0.1047, -0.0157, -0.0207, -0.0939]
    np.testing.assert_allclose(vector[:8], known, atol=0.005)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.usefixtures("tensorflow")
def test_engines_agree_on_what_ships() -> None:
    network = load_builtin("identity")
    first, second = (
        create_engine(engine, precision="f32").compile(network)(NOISE)
        for engine in ("openvino", "tensorflow")
    )
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_the_mirrored_crop_changes_nothing_if_both_are_taken() -> None:
    once = read(IdentityAnalyzer(), NOISE)
    both = read(IdentityAnalyzer(mirror=True), NOISE)
    assert (once * both).sum(axis=1).max() < 0.9999
    mirrored = read(IdentityAnalyzer(mirror=True), NOISE[:, :, ::-1])
    np.testing.assert_allclose(mirrored, both, atol=1e-5)


def test_crops_are_in_rgb(astronaut: Path) -> None:
    pipeline = Pipeline([])
    (face,) = pipeline.detect(astronaut)
    (crop,) = crop_faces(astronaut, [face], IdentityAnalyzer.crop)
    assert crop.shape == (150, 150, 3)
    assert crop[..., 0].mean() > crop[..., 2].mean() + 20  # red first: skin


def test_a_missing_file_of_dlib_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"dlib_face.*\(22\.5 MB\) is missing"):
        read(IdentityDlibAnalyzer(), NOISE)


def test_the_file_of_dlib_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    (tmp_path / DLIB_FACE.filename).write_bytes(dlib_file(random_layers()))
    with pytest.raises(WeightsError, match=r"but .* was published with 55533b28"):
        import_file(tmp_path / DLIB_FACE.filename, DLIB_FACE)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    import_file(tmp_path / DLIB_FACE.filename, DLIB_FACE, trust=True)
    vectors = read(IdentityDlibAnalyzer(), NOISE)
    network = load_original(tmp_path / DLIB_FACE.filename)
    raw = create_engine("openvino", precision="f32").compile(network)(NOISE)
    np.testing.assert_allclose(vectors, raw / np.linalg.norm(raw, axis=1)[:, None], atol=1e-5)


def test_an_intact_file_of_face_recognition_models_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models" / DLIB_FACE.filename
    path.parent.mkdir()
    path.write_bytes(dlib_file(random_layers()))
    spec = ModuleSpec("face_recognition_models", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    with pytest.raises(WeightsError, match="is missing"):  # it has another digest
        IdentityDlibAnalyzer().load_network()
    monkeypatch.setattr(identity, "DLIB_FACE", replace(DLIB_FACE, sha256=hash_file(path)))
    assert IdentityDlibAnalyzer().load_network().digest == hash_file(path)
