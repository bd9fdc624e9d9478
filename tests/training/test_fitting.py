from __future__ import annotations

import numpy as np
import pytest

from faceattr.training import fitting
from faceattr.training.fitting import Floats, Samples
from faceattr.training.folds import assign_folds


def blobs(count: int, spread: float) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int_]]]:
    """Return features of three classes around three corners, and the classes."""
    rng = np.random.default_rng(0)
    classes = np.arange(count) % 3
    return 100 + 10 * np.eye(3)[classes] + rng.normal(0, spread, (count, 3)), classes


def samples(features: Floats, classes: np.ndarray[tuple[int], np.dtype[np.int_]]) -> Samples:
    return Samples(features, features, assign_folds(classes, range(len(classes))))


def test_a_head_answers_on_features_that_are_not_standardised() -> None:
    features, classes = blobs(90, spread=1)
    head = fitting.fit_head(features, classes, fitting.fit_classes(3), penalty=1.0)
    assert (head(features).argmax(axis=1) == classes).all()


def test_the_gradient_leads_to_the_minimum() -> None:
    features, classes = blobs(60, spread=8)
    fit = fitting.fit_classes(3)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    weights = fit(standard, classes, 5.0, None)

    def cost(changed: Floats) -> float:
        logits = standard @ changed[:-1] + changed[-1]
        return 60 * fitting.class_loss(logits, classes) + 2.5 * float((changed[:-1] ** 2).sum())

    rng = np.random.default_rng(1)
    for _ in range(20):
        assert cost(weights + rng.normal(0, 0.05, weights.shape)) > cost(weights)


def test_noise_takes_a_stronger_penalty_than_what_is_clear() -> None:
    fit = fitting.fit_classes(3)
    clear, classes = blobs(150, spread=1)
    noise = np.random.default_rng(0).normal(size=(150, 40))
    found = [
        fitting.validate(samples(one, classes), classes, fit, fitting.class_loss).penalty
        for one in (clear, noise)
    ]
    assert found[0] < found[1] == fitting.PENALTIES[0]


def test_answers_are_those_of_a_head_that_has_not_seen_the_picture() -> None:
    rng = np.random.default_rng(0)
    features, classes = rng.normal(size=(60, 200)), np.arange(60) % 2
    found = fitting.validate(
        samples(features, classes), classes, fitting.fit_classes(2), fitting.class_loss, penalty=1.0
    )
    own = fitting.fit_head(features, classes, fitting.fit_classes(2), 1.0)(features)
    assert (own.argmax(axis=1) == classes).mean() == 1  # it knows these by heart,
    assert (found.answers.argmax(axis=1) == classes).mean() < 0.75  # and nothing about others


def test_with_many_pictures_the_penalty_is_chosen_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MAX_CHOICE_ROWS", 50)
    features, classes = blobs(150, spread=3)
    seen: list[int] = []
    original = fitting.fit_classes(3)

    def fit(rows: Floats, *others: object) -> Floats:
        seen.append(len(rows))
        return original(rows, *others)  # type: ignore[arg-type]

    found = fitting.validate(samples(features, classes), classes, fit, fitting.class_loss)
    assert len(found.answers) == 150
    assert max(seen[:-5]) <= 50
    assert min(seen[-5:]) >= 110


def test_a_temperature_calibrates_answers_that_are_too_sure() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    chances = fitting.probabilities(logits)
    classes = np.array([rng.choice(3, p=row) for row in chances])
    assert fitting.find_temperature(logits * 3, classes) == pytest.approx(3, rel=0.1)


def test_priors_move_answers_to_frequent_classes() -> None:
    moved = fitting.with_priors(np.log([0.5, 0.5]), np.array([0.5, 0.5]), np.array([0.9, 0.1]))
    np.testing.assert_allclose(fitting.probabilities(moved), [0.9, 0.1], rtol=1e-6)


def test_ridge_finds_a_line() -> None:
    features = np.random.default_rng(0).normal(size=(100, 4))
    values = features @ [1.0, -2.0, 0.0, 3.0] + 40
    head = fitting.fit_head(features, values, fitting.fit_values, penalty=1e-6)
    np.testing.assert_allclose(head(features)[:, 0], values, atol=1e-4)


def test_a_constant_feature_does_no_harm() -> None:
    features, classes = blobs(60, spread=1)
    features[:, 0] = 7
    head = fitting.fit_head(features, classes, fitting.fit_classes(3), penalty=1.0)
    assert np.isfinite(head.kernel).all()


def test_few_pictures_give_the_same_answers_in_fewer_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    features, classes = rng.normal(size=(30, 50)), np.arange(30) % 2
    given = samples(features, classes), classes, fitting.fit_classes(2), fitting.class_loss
    few = fitting.validate(*given, penalty=10.0)
    monkeypatch.setattr(fitting, "_basis", lambda rows: np.eye(rows.shape[1]))
    np.testing.assert_allclose(
        few.answers, fitting.validate(*given, penalty=10.0).answers, atol=0.01
    )
