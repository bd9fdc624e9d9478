from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import faceattr
from faceattr.analyzers import analyzers
from faceattr.analyzers.trained import trained_analyzer
from faceattr.analyzers.trunks import BOTH, EMOTION, SINGLE_TRUNKS, TRUNKS, BuiltinTrunk
from faceattr.engines import create_engine
from faceattr.errors import UnknownNameError, WeightsError
from faceattr.forms import Labels, Unit
from faceattr.networks.formats import trained
from faceattr.networks.formats.trained import TrainedHead
from faceattr.testing import check_analyzer


def random_head(trunk: str = "emotion", output: Labels | Unit | None = None) -> TrainedHead:
    output = output or Labels(["calm", "lively"])
    known = TRUNKS[trunk]
    kernel = np.random.default_rng(0).normal(scale=0.1, size=(known.num_features, 2))
    return TrainedHead(
        "mood",
        output,
        trunk,
        known.identity,
        kernel.astype(np.float32),
        np.zeros(2, np.float32),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mood.faceattr"
    path.write_bytes(trained.save(random_head()))
    return path


@pytest.mark.parametrize("trunk", list(TRUNKS))
@pytest.mark.parametrize("output", [Labels(["calm", "lively"]), Unit("points")])
def test_trained_analyzers_keep_the_rules(trunk: str, output: Labels | Unit) -> None:
    check_analyzer(trained_analyzer(random_head(trunk, output))())


def test_a_file_stands_where_a_name_can(file: Path, astronaut: Path) -> None:
    (face,) = faceattr.analyze(astronaut, f"emotion,{file}")
    assert list(face.attributes) == ["emotion", "mood"]
    assert set(face.classification("mood").scores) == {"calm", "lively"}
    assert faceattr.create_analyzer(str(file)).attribute == "mood"
    assert analyzers.provider(str(file)) == f"the file {file}"


def test_a_file_that_was_written_anew_is_read_anew(file: Path, astronaut: Path) -> None:
    (before,) = faceattr.analyze(astronaut, str(file))
    other = replace(random_head(), bias=np.array([50, 0], np.float32))
    file.unlink()
    file.write_bytes(trained.save(other))
    (after,) = faceattr.analyze(astronaut, str(file))
    assert before.classification("mood").confidence < 0.999
    assert after.classification("mood").scores["calm"] == pytest.approx(1)


def test_an_analyzer_with_layers_of_its_own_keeps_the_rules(astronaut: Path) -> None:
    own = {
        name: [array * np.float32(0.5) for array in arrays]
        for name, arrays in EMOTION.layers.items()
    }
    analyzer = trained_analyzer(replace(random_head(), layers=own))()
    check_analyzer(analyzer)
    (face,) = faceattr.analyze(astronaut, ["emotion", analyzer], features=True)
    assert face.features.keys() == {"emotion", "mood_features"}
    assert not np.allclose(face.features["emotion"], face.features["mood_features"])
    copy = pickle.loads(pickle.dumps(analyzer))
    (again,) = faceattr.analyze(astronaut, [copy])
    assert again.classification("mood").label == face.classification("mood").label


def test_layers_that_the_trunk_has_not_are_refused() -> None:
    own = dict(list(EMOTION.layers.items())[1:])
    with pytest.raises(WeightsError, match="has other layers than the trunk 'emotion'"):
        trained_analyzer(replace(random_head(), layers=own))


def test_settings_tell_files_of_one_name_apart(file: Path) -> None:
    before, again = (faceattr.Pipeline(str(file)).settings["actions"] for _ in range(2))
    file.unlink()
    file.write_bytes(trained.save(replace(random_head(), bias=np.array([50, 0], np.float32))))
    assert before == again != faceattr.Pipeline(str(file)).settings["actions"]


def test_heads_on_one_trunk_cost_one_pass(
    file: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = faceattr.CropBatch.features

    def count(batch: faceattr.CropBatch, trunk: faceattr.Trunk) -> faceattr.Features:
        before = len(batch.known_features)
        features = original(batch, trunk)
        calls.append(len(batch.known_features) - before)
        return features

    monkeypatch.setattr(faceattr.CropBatch, "features", count)
    faceattr.Pipeline(["emotion", str(file)]).analyze(astronaut)
    assert calls == [1, 0]  # the second head finds the features of the first


def test_an_analyzer_travels_without_its_file(file: Path, astronaut: Path) -> None:
    analyzer = faceattr.create_analyzer(str(file))
    (expected,) = faceattr.analyze(astronaut, [analyzer])
    file.unlink()
    copied = pickle.loads(pickle.dumps(analyzer))
    (face,) = faceattr.analyze(astronaut, [copied])
    assert face.attributes == expected.attributes


def test_a_head_of_another_trunk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mood.faceattr"
    path.write_bytes(trained.save(replace(random_head(), trunk_identity="0" * 64)))
    with pytest.raises(WeightsError, match=r"mood\.faceattr was trained on a trunk 'emotion' that"):
        faceattr.create_analyzer(str(path))
    path.write_bytes(trained.save(replace(random_head(), trunk="resnet")))
    with pytest.raises(
        WeightsError, match=r"'resnet'.*there are emotion, age_gender, identity, both"
    ):
        faceattr.create_analyzer(str(path))


def test_a_head_of_another_width_is_refused() -> None:
    narrow = replace(random_head(), kernel=np.zeros((3, 2), np.float32))
    with pytest.raises(WeightsError, match="takes 3 features, but the trunk 'emotion' gives 224"):
        trained_analyzer(narrow)


def test_a_missing_file_and_a_missing_name_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        faceattr.create_analyzer(str(tmp_path / "mood.faceattr"))
    with pytest.raises(UnknownNameError, match="unknown analyzer 'mood'"):
        faceattr.create_analyzer("mood")


def test_the_trunks_are_those_of_the_built_in_analyzers(astronaut: Path) -> None:
    pipeline = faceattr.Pipeline(["emotion", "age"], features=True)
    (face,) = pipeline.analyze(astronaut)
    assert {name: len(face.features[name]) for name in face.features} == {
        trunk.name: trunk.num_features for trunk in SINGLE_TRUNKS if not trunk.private
    }


def test_a_head_on_both_trunks_reads_the_features_of_each(astronaut: Path) -> None:
    head = random_head("both")
    pipeline = faceattr.Pipeline(
        ["emotion", "age", trained_analyzer(head)()], features=True, precision="f32"
    )
    (face,) = pipeline.analyze(astronaut)
    assert face.features.keys() == {"emotion", "age_gender"}
    described = trained_analyzer(head).__doc__ or ""
    assert "trained on the trunks emotion and age_gender by" in described
    features = np.concatenate([face.features["emotion"], face.features["age_gender"]])
    logits = features @ head.kernel
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    scores = face.classification("mood").scores
    np.testing.assert_allclose(list(scores.values()), expected, atol=1e-4)


def test_each_of_both_trunks_runs_once_for_all_heads(
    astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    emotion, age_gender = (one.load(create_engine()) for one in BOTH.parts)

    def counted(trunk: faceattr.Trunk) -> faceattr.Trunk:
        def run(crops: faceattr.Crops) -> faceattr.Features:
            calls.append(trunk.name)
            return trunk.run(crops)

        return faceattr.Trunk(trunk.name, run)

    trunks = {"emotion": counted(emotion), "age_gender": counted(age_gender)}
    monkeypatch.setattr(BuiltinTrunk, "load", lambda trunk, engine: trunks[trunk.name])
    heads = [
        trained_analyzer(replace(random_head(trunk), attribute=trunk))()
        for trunk in ("both", "emotion", "age_gender")
    ]
    (face,) = faceattr.Pipeline(heads).analyze(astronaut)
    assert list(face.attributes) == ["both", "emotion", "age_gender"]
    assert sorted(calls) == ["age_gender", "emotion"]


def test_layers_below_a_head_on_both_trunks_are_refused() -> None:
    with pytest.raises(WeightsError, match="has other layers than the trunk 'both'"):
        trained_analyzer(replace(random_head("both"), layers={}))
