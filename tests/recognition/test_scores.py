"""Scores mean the same for every group, and say how probable one person is."""

from __future__ import annotations

import numpy as np
import pytest
from recognition_people import strangers

from faceattr.recognition.scores import (
    GROUPS,
    Calibration,
    OwnCohort,
    own_cohort,
    score,
    shipped_cohort,
    unpack,
)

NUM_GROUPS = 14


def test_what_ships_are_statistics_of_groups() -> None:
    cohort = shipped_cohort()
    assert cohort.means.shape == (NUM_GROUPS, 128)
    assert cohort.covariances.shape == (NUM_GROUPS, 128, 128)
    np.testing.assert_array_equal(cohort.covariances, cohort.covariances.transpose(0, 2, 1))
    assert np.linalg.eigvalsh(cohort.covariances).min() > -1e-5
    # a mean of many faces is far shorter than a descriptor of one
    assert (np.linalg.norm(cohort.means, axis=1) < 0.99).all()


@pytest.mark.parametrize("group", range(NUM_GROUPS))
def test_strangers_of_every_group_have_low_scores(group: int) -> None:
    cohort, vectors = shipped_cohort(), strangers(group, 150)
    norms = cohort.norms(vectors)
    first, second = np.triu_indices(len(vectors), 1)
    scores = score((vectors @ vectors.T)[first, second], norms[first], norms[second])
    threshold = -(np.log(0.1) + GROUPS.offset) / GROUPS.slope
    assert (scores > threshold).mean() < 0.01
    cosines = (vectors @ vectors.T)[first, second]
    assert cosines.mean() > 0.7  # which other people of LFW do not have with each other


def test_norms_do_not_depend_on_what_is_normalized_together() -> None:
    cohort, vectors = shipped_cohort(), strangers(3, 9)
    for one in (cohort, OwnCohort(strangers(3, 64))):
        together = one.norms(vectors)
        alone = np.concatenate([one.norms(vectors[row : row + 1]) for row in range(9)])
        np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-5)


def test_a_score_is_the_mean_distance_from_both_norms_in_standard_deviations() -> None:
    first, second = np.array([0.5, 0.1], np.float32), np.array([0.7, 0.2], np.float32)
    assert float(score(np.float32(0.9), first, second)) == pytest.approx((4 + 1) / 2)


def test_the_norm_of_an_own_cohort_leaves_out_the_nearest_who_may_be_the_same_person() -> None:
    vectors = np.eye(128, dtype=np.float32)[:96]
    ((mean, std),) = own_cohort(vectors).norms(vectors[:1]).tolist()
    assert mean == 0  # of 1 / 32 of the others
    assert std == pytest.approx(1e-3)


def test_a_large_gallery_gives_a_cohort_of_2048() -> None:
    vectors = np.tile(np.eye(128, dtype=np.float32), (20, 1))
    assert own_cohort(vectors).vectors.shape == (2048, 128)


def test_evidence_is_a_logit() -> None:
    evidence = Calibration(2.0, -3.0).evidence(np.array([0.0, 1.5, 4.0]))
    assert evidence.tolist() == [-3.0, 0.0, 5.0]


def test_half_a_symmetric_matrix_is_the_whole() -> None:
    whole = np.array([[1, 2, 4], [2, 3, 5], [4, 5, 6]], np.float32)
    packed = whole[np.tril_indices(3)][None]
    np.testing.assert_array_equal(unpack(packed, 3)[0], whole)
