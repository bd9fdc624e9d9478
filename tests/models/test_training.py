"""What the recipes of the built-in models have in common."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from faceattr.engines import create_engine
from faceattr.networks.architectures.compact import compact
from faceattr.networks.formats import npz
from faceattr.training.batches import BatchNormalization, VariedBatches
from faceattr.training.varying import motion_blurred, photographed
from models import exporting, training


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
