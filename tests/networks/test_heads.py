from __future__ import annotations

import numpy as np
import pytest

from faceattr.networks.heads import SoftmaxHead, softmax

RANDOM = np.random.default_rng(0)
HEAD = SoftmaxHead(
    RANDOM.normal(size=(224, 7)).astype(np.float32), RANDOM.normal(size=7).astype(np.float32)
)
FEATURES = RANDOM.normal(size=(33, 224)).astype(np.float32)


def test_probabilities_are_those_of_a_dense_layer_and_a_softmax() -> None:
    logits = FEATURES.astype(np.float64) @ HEAD.kernel + HEAD.bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(HEAD(FEATURES), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 17])
def test_a_face_gets_the_same_bits_whoever_is_beside_it(size: int) -> None:
    together = HEAD(FEATURES)
    parts = [HEAD(FEATURES[start : start + size]) for start in range(0, len(FEATURES), size)]
    np.testing.assert_array_equal(np.concatenate(parts), together)


def test_large_logits_do_not_overflow() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]])
