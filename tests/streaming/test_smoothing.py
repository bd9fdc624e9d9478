from __future__ import annotations

import math

import numpy as np
import pytest

from faceattr.streaming.smoothing import Averages
from faceattr.types import Attribute, Classification, Descriptor, Estimate


def average(*answers: tuple[Attribute, float, float], half_life: float = math.inf) -> Attribute:
    """Mean of answers with a quality and a time each."""
    averages = Averages({"x": half_life})
    for answer, quality, now in answers:
        averages.add(1, "x", answer, quality=quality, now=now)
    return averages.of(1)["x"]


def years(value: float, std: float | None = None) -> Estimate:
    return Estimate(value, "years", std)


def test_the_first_answer_stands_as_it_is() -> None:
    assert average((years(30), 0.1, 0.0)) == years(30)


def test_answers_are_averaged_by_quality() -> None:
    mean = average((years(30, 4.0), 0.2, 0.0), (years(40, 8.0), 0.6, 1.0))
    assert mean == years(pytest.approx(37.5), pytest.approx(7.0))  # type: ignore[arg-type]


def test_scores_are_averaged_by_quality_and_confidence() -> None:
    sure = Classification({"happy": 0.9, "sad": 0.1})
    unsure = Classification({"happy": 0.4, "sad": 0.6})
    mean = average((sure, 0.5, 0.0), (unsure, 0.5, 0.0))
    assert isinstance(mean, Classification)
    assert mean.scores == pytest.approx({"happy": 0.7, "sad": 0.3})


def test_an_answer_counts_half_after_its_half_life() -> None:
    answers = [(years(0), 1.0, 0.0), (years(30), 1.0, 2.0)]
    assert average(*answers, half_life=2.0) == years(20)


def test_without_a_half_life_the_last_answer_counts() -> None:
    assert average((years(0), 1.0, 0.0), (years(30), 0.1, 0.0), half_life=0) == years(30)


def test_an_average_of_nothing_sure_is_possible() -> None:
    nothing = Classification({"happy": 0.0})
    assert average((nothing, 0.5, 0.0), (nothing, 0.5, 1e9), half_life=1.0) == nothing


def test_an_answer_of_another_form_takes_the_place_of_the_old_one() -> None:
    assert average((Classification({"old": 1.0}), 1, 0), (years(70), 1, 0)) == years(70)


def test_tracks_are_kept_apart_and_forgotten_when_they_end() -> None:
    averages = Averages({"age": 1.0})
    averages.add(1, "age", years(30), quality=1.0, now=0.0)
    averages.add(2, "age", years(60), quality=1.0, now=0.0)
    averages.keep([2, 3])
    assert averages.of(1) == {}
    assert averages.of(2) == {"age": years(60)}


def test_the_mean_of_descriptors_is_a_unit_vector() -> None:
    one, other = Descriptor(np.array([1, 0], np.float32)), Descriptor(np.array([0, 1], np.float32))
    mean = average((one, 0.5, 0.0), (other, 0.5, 0.0))
    assert isinstance(mean, Descriptor)
    np.testing.assert_allclose(mean.vector, [0.5**0.5, 0.5**0.5], atol=1e-6)
