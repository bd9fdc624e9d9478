from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from training.conftest import face_variant

import faceattr
from faceattr.alignment import resize_crops
from faceattr.analyzers.trained import trained_analyzer
from faceattr.analyzers.trunks import EMOTION
from faceattr.errors import MissingDependencyError, OptionError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.networks.formats import trained
from faceattr.testing import check_analyzer
from faceattr.training import fitting, full
from faceattr.training import training as module
from faceattr.training.contest import Contest, compete
from faceattr.training.fitting import Head
from faceattr.training.folds import assign_folds, three_parts
from faceattr.training.full import Plan, Tuned, Watched, train_layers
from faceattr.training.tables import tables_of
from faceattr.types import BGRImage

SHORT = Plan(epochs=3, batch_size=4, epoch_size=(8, 8), learning_rate=1e-4)


@pytest.fixture
def crops(labelled: LabelledSet) -> NDArray[np.uint8]:
    """The crops as the emotion trunk takes them."""
    images = [faceattr.load_image(picture) for picture in labelled.pictures]
    return resize_crops(images, EMOTION.crop).crops


def tune(
    crops: NDArray[np.uint8], steps: full.Steps = lambda steps, most: steps, **changes: Any
) -> Tuned:
    classes = np.arange(40) % 2
    start = Head(np.zeros((EMOTION.num_features, 2)), np.zeros(2))
    watched = Watched(crops[30:], classes[30:], fitting.class_loss)
    return train_layers(
        EMOTION,
        start,
        crops[:30],
        classes[:30],
        watched,
        plan=replace(SHORT, **changes),
        mirror=False,
        progress=steps,
    )


@pytest.mark.slow
def test_layers_get_better_on_pictures_that_are_only_watched(crops: NDArray[np.uint8]) -> None:
    pytest.importorskip("keras")
    tuned = tune(crops, learning_rate=1e-3)
    assert (tuned.epochs, tuned.best) == (3, 3)
    assert tuned.layers.keys() == EMOTION.layers.keys()
    kernel = tuned.layers["conv2d"][0]
    np.testing.assert_array_equal(kernel, kernel.astype(np.float16))
    assert not np.array_equal(kernel, EMOTION.layers["conv2d"][0])


@pytest.mark.slow
def test_a_training_that_was_interrupted_goes_on(crops: NDArray[np.uint8], cache: Path) -> None:
    pytest.importorskip("keras")

    def interrupt(steps: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
        for epoch, index in steps:
            if epoch == 2:
                raise KeyboardInterrupt
            yield epoch, index

    seen: list[tuple[int, int]] = []

    def watch(steps: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
        assert most == 2
        for step in steps:
            seen.append(step)
            yield step

    with pytest.raises(KeyboardInterrupt):
        tune(crops, interrupt)
    assert len(list(cache.rglob("training/*.npz"))) == 1
    assert tune(crops, watch).epochs == 3
    assert seen == [(2, 0), (2, 1)]
    assert not list(cache.rglob("training/*.npz"))


@pytest.mark.slow
def test_time_is_bounded(crops: NDArray[np.uint8]) -> None:
    pytest.importorskip("keras")
    tuned = tune(crops, minutes=1e-9)
    assert tuned.epochs == 1


def train_fully(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch, *, is_better: bool, **options: Any
) -> faceattr.Training:
    def decide(*arguments: Any, **options: Any) -> Contest:
        return replace(compete(*arguments, **options), is_better=is_better)

    monkeypatch.setattr(module, "compete", decide)
    monkeypatch.setattr(module, "Plan", partial(Plan, epochs=1, batch_size=4, epoch_size=(8, 8)))
    return faceattr.train(labelled, "mask", trunk="emotion", mirror=False, full=True, **options)


@pytest.mark.slow
def test_all_layers_are_kept_if_they_are_better(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("keras")
    training = train_fully(labelled, monkeypatch, is_better=True, priors="bare=3,masked=1")
    assert training.full is not None
    assert training.full.kept
    assert training.full.report.rows == 8
    assert training.head.layers is not None
    assert "on pictures kept for that" in training.head.notes["quality"]
    path = training.save(tmp_path / "mask.faceattr")
    assert path.stat().st_size < 5_000_000
    check_analyzer(faceattr.create_analyzer(str(path)))
    titles = [table.title for table in tables_of(training)]
    assert "all layers, 1 epoch, on 8 pictures apart: all layers are kept" in titles
    assert trained_analyzer(path).__doc__.startswith(  # type: ignore[union-attr]
        "mask (bare, masked), all layers trained, starting from emotion"
    )


@pytest.mark.slow
def test_the_head_alone_is_kept_if_it_is_better(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras")
    training = train_fully(labelled, monkeypatch, is_better=False)
    assert training.full is not None
    assert not training.full.kept
    assert training.full.head == 1
    assert training.head.layers is None
    alone = faceattr.train(labelled, "mask", trunk="emotion", mirror=False).head
    np.testing.assert_array_equal(training.head.kernel, alone.kernel)
    assert len(trained.save(training.head)) < 20_000


@pytest.mark.slow
def test_numbers_are_learned_by_all_layers_too(
    face: BGRImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras")
    crops = [face_variant(face, seed, mask=False) for seed in range(40)]
    light = [float(crop.mean()) for crop in crops]
    data = LabelledSet("light", crops, {"truth": light}, are_crops=True)
    training = train_fully(data, monkeypatch, is_better=True, unit="levels")
    assert training.full is not None
    assert training.head.bounds is not None
    check_analyzer(training.analyzer)
    answers = faceattr.Pipeline([training.analyzer]).analyze_crops(crops)
    values = [answer["mask"].value for answer in answers]  # type: ignore[union-attr]
    assert np.corrcoef(values, light)[0, 1] > 0.5


def test_without_keras_the_extra_is_named(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'faceattr\[train\]'"):
        faceattr.train(labelled, "mask", full=True)


def test_all_layers_of_the_network_of_identity_are_not_trained(labelled: LabelledSet) -> None:
    pytest.importorskip("keras")
    with pytest.raises(OptionError, match="all layers of the trunk 'identity' cannot be trained"):
        faceattr.train(labelled, "mask", trunk="identity", full=True)


def test_groups_stay_in_one_of_three_parts() -> None:
    classes, groups = np.arange(60) % 2, [row // 6 for row in range(60)]
    parts = three_parts(classes, groups, assign_folds(classes, groups))
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    people = [{groups[row] for row in part.tolist()} for part in parts]
    assert sum(map(len, people)) == 10
    two = [row // 30 for row in range(60)]
    with pytest.raises(OptionError, match="at least three groups"):
        three_parts(classes, two, assign_folds(classes, two))
