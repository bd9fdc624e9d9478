from __future__ import annotations

import numpy as np
import pytest

from faceattr.analyzers.trunks import AGE_GENDER, BOTH, EMOTION, SINGLE_TRUNKS, AnyTrunk
from faceattr.forms import Labels, Unit
from faceattr.training.fitting import Validated
from faceattr.training.problem import Problem, features_of

NUM_PICTURES = 100


def problem(output: Labels | Unit) -> Problem:
    """Return one whose targets are 0 and 1 by turns, without features."""
    dtype = int if isinstance(output, Labels) else float
    targets = np.arange(NUM_PICTURES).astype(dtype) % 2
    return Problem(output, targets, np.zeros(NUM_PICTURES, int), np.zeros((0, 2, 0), np.float32))


def answers_with_errors(of: Problem, wrong: int) -> Validated:
    """Return what a cross-validation has found in which so many answers are off by 1."""
    given = np.where(np.arange(NUM_PICTURES) < wrong, 1 - of.targets, of.targets).astype(int)
    labels = isinstance(of.output, Labels)
    answers = np.eye(2)[given] if labels else given[:, None].astype(float)
    return Validated(1.0, loss=wrong / NUM_PICTURES, answers=answers)


@pytest.mark.parametrize("output", [Labels(["a", "b"]), Unit("points")])
@pytest.mark.parametrize(
    ("wrong", "best"),
    [
        ({EMOTION: 20, AGE_GENDER: 30, BOTH: 15}, BOTH),  # the standard error of 20 is 4
        ({EMOTION: 20, AGE_GENDER: 30, BOTH: 17}, EMOTION),
        ({EMOTION: 30, AGE_GENDER: 20, BOTH: 20}, AGE_GENDER),
        ({EMOTION: 0, AGE_GENDER: 30, BOTH: 0}, EMOTION),
        ({BOTH: 20}, BOTH),
    ],
)
def test_two_networks_are_taken_only_if_they_are_better_by_a_standard_error(
    wrong: dict[AnyTrunk, int], best: AnyTrunk, output: Labels | Unit
) -> None:
    own = problem(output)
    tried = {trunk: answers_with_errors(own, count) for trunk, count in wrong.items()}
    assert own.choose_trunk(tried) == best


def test_features_of_both_are_those_of_their_parts_side_by_side() -> None:
    width = sum(trunk.num_features for trunk in SINGLE_TRUNKS)
    features = np.arange(2 * width, dtype=np.float32).reshape(1, 2, width)
    parts = [features_of(part, features) for part in BOTH.parts]
    np.testing.assert_array_equal(features_of(BOTH, features), np.concatenate(parts, axis=-1))
