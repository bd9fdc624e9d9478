"""What the recipes of the built-in models have in common."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from faceattr.engines import create_engine
from faceattr.networks import graph
from faceattr.networks.architectures.compact import compact
from faceattr.networks.formats import npz
from faceattr.networks.shapes import multiply_adds
from faceattr.training.batches import BatchNormalization, VariedBatches
from faceattr.training.varying import motion_blurred, photographed
from models import answers, crops, exporting, teacher, training
from models.age_gender import train as age_gender
from models.emotion import train as emotion
from models.figures import ASSETS
from models.training import Teaching


def test_each_set_has_its_share_of_the_batches() -> None:
    groups = [np.zeros(30, int), np.zeros(10, int)]
    shares = training.shares(groups, [0.6, 0.4], balance=0)
    assert shares[:30].sum() == pytest.approx(0.6)
    assert shares[30:].sum() == pytest.approx(0.4)


@pytest.mark.parametrize("balance, rare", [(0, 0.1), (0.5, 0.25), (1, 0.5)])
def test_rare_groups_are_drawn_more_often(balance: float, rare: float) -> None:
    groups = np.array([0] * 90 + [1] * 10)
    shares = training.shares([groups], [1.0], balance=balance)
    assert shares[groups == 1].sum() == pytest.approx(rare)


def test_batches_draw_pictures_by_their_shares() -> None:
    batches = VariedBatches(
        np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1),
        np.eye(4, dtype=np.float32),
        lambda image, _: image,
        batch_size=8,
        seed=0,
        shares=np.array([0.5, 0, 0.5, 0]),
        epoch_size=16,
    )
    assert len(batches) == 2
    images, targets = batches[0]
    assert set(images.ravel().tolist()) == {0, 2}
    assert np.asarray(targets).argmax(axis=1).tolist() == images.ravel().tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photographed_picture_keeps_its_form(channels: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 48, channels), np.uint8)
    changed = 0
    for _ in range(40):
        photo = photographed(image, rng)
        assert photo.shape == image.shape
        assert photo.dtype == np.uint8
        changed += not np.array_equal(photo, image)
    assert 10 < changed < 30


def test_motion_blur_keeps_the_light() -> None:
    image = np.full((32, 32, 1), 200, np.uint8)
    blurred = motion_blurred(image, np.random.default_rng(0))
    assert np.abs(blurred.astype(int) - 200).max() <= 1


def test_a_training_may_start_from_the_network_of_the_wheel() -> None:
    asset = Path(str(resources.files("faceattr.assets").joinpath("emotion.npz")))
    model = compact(normalization=BatchNormalization)
    training.load_weights(model, asset)
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)
    scores = create_engine(precision="f32").compile(npz.load(asset))(crops)
    np.testing.assert_allclose(
        model.predict(crops.astype(np.float32), verbose=0), scores, atol=1e-4
    )


def test_a_stronger_prior_makes_frequent_labels_more_probable() -> None:
    model = compact()
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    prior = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    before = model.predict(crops, verbose=0)
    exporting.adjust_prior(model, "scores_logits", prior, strength=1)
    expected = before * prior / (before * prior).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(crops, verbose=0), expected, rtol=1e-4)


def test_a_teacher_starts_from_dlibs_weights() -> None:
    model = teacher.teacher({"age": 101, "gender": 2})
    dlib = npz.load(ASSETS / "identity.npz").weights
    for name in ("stem", "stage3_2_b"):
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], dlib[name][0])
    assert {name: one.shape[-1] for name, one in model.output.items()} == {"age": 101, "gender": 2}
    network = graph.from_keras(teacher.teacher({"emotion": 7}))
    assert multiply_adds(network.layers) == 156_694_272


def test_crops_of_another_form_are_for_a_teacher(tmp_path: Path) -> None:
    options = training.training_options(
        None, epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0
    ).parse_args(["--run", str(tmp_path), "--last-block", "stage1_0"])
    for shape, name in (((48, 48, 1), "compact"), ((48, 48, 3), "teacher")):
        pictures = np.zeros((1, 2, *shape), np.uint8)
        assert training.network(compact, emotion.HEADS, pictures, options).name == name


def test_what_teachers_say_is_mixed_into_the_targets() -> None:
    targets, said = np.array([[1, 0]], np.float32), np.array([[0.2, 0.8]], np.float32)
    mixed = np.asarray(training.taught(targets, said, share=0.5))
    np.testing.assert_allclose(mixed, np.array([[0.6, 0.4]]), rtol=1e-6)


def test_each_set_needs_its_answers_and_its_share(tmp_path: Path) -> None:
    parser = training.training_options(
        None, epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0
    )
    run = ["--run", str(tmp_path)]
    assert training.teaching(parser.parse_args(run), 2) == [Teaching(None, 0.5)] * 2
    with pytest.raises(SystemExit, match="--taught needs one for each of the 2 sets, not 1"):
        training.teaching(parser.parse_args([*run, "--taught", "one.npz"]), 2)
    with pytest.raises(SystemExit, match="--teacher-share needs one for each of the 3 sets, not 2"):
        training.teaching(parser.parse_args([*run, "--teacher-share", "0.4", "0"]), 3)


def test_nothing_is_learned_of_genders_that_nobody_says(tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    np.savez(path, crops=np.zeros((2, 2, 8, 8, 3), np.uint8), age=[20, 30])
    assert not dict(age_gender.load_faces(path, Teaching(None, 0.5)).targets)["gender"].any()
    said = np.zeros((2, 103), np.float32)
    said[:, [40, 101]] = 1
    targets = dict(age_gender.load_faces(path, Teaching(said, 0.5)).targets)
    np.testing.assert_array_equal(targets["gender"], [[1, 0], [1, 0]])
    assert targets["age"][:, 40] == pytest.approx(0.5, abs=0.01)


def test_answers_are_the_mean_over_the_mirror_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, 2, 48, 48, 1), np.uint8)
    np.savez(tmp_path / "crops.npz", crops=pictures)
    asset = ASSETS / "emotion.npz"
    said = answers.ask(asset, tmp_path / "crops.npz")
    run = create_engine("openvino").compile(npz.load(asset))
    both = (run(pictures[:, 1]) + run(np.ascontiguousarray(pictures[:, 1, :, ::-1]))) / 2
    np.testing.assert_allclose(said, both, atol=1e-3)


def test_fer2013_is_two_equal_crops_of_each_picture(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    np.savez(tmp_path / "fer2013.npz", images=images, split=[0, 1, 0])
    cut = crops.load_crops(tmp_path / "fer2013.npz")
    assert cut.shape == (2, 2, 48, 48, 1)
    np.testing.assert_array_equal(cut[1, 0, ..., 0], images[2])
    np.testing.assert_array_equal(cut[:, 0], cut[:, 1])
