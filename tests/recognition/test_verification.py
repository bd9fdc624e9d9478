"""Two faces are of one person, or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recognition_people import OnePerPicture, look, painted

import faceattr
from faceattr.errors import NoFaceError, OptionError
from faceattr.recognition.verification import compare
from faceattr.types import Descriptor, Estimate, Face


def face(seed: int, number: int = 0) -> Face:
    descriptor = Descriptor(look(seed, number), private=True)
    return Face((0, 0, 1, 1), 0.9, attributes={"identity": descriptor})


def test_two_looks_at_one_person_are_the_same_and_two_people_are_not() -> None:
    match = compare(face(1, 0), face(1, 1))
    assert match.same
    assert match.probability > 0.9
    other = compare(face(1, 0), face(2, 1))
    assert not other.same
    assert other.probability < 0.1
    assert match.score > other.score + 2


def test_it_does_not_matter_which_comes_first() -> None:
    one, other = compare(face(1), face(2)), compare(face(2), face(1))
    assert one.score == pytest.approx(other.score, abs=1e-4)
    assert (one.first, one.second) == (other.second, other.first)


def test_the_probability_follows_the_odds() -> None:
    low, even = (compare(face(3), face(3, 1), odds=odds).probability for odds in (0.1, 1.0))
    assert even / (1 - even) == pytest.approx(10 * low / (1 - low), rel=1e-3)
    with pytest.raises(OptionError, match="odds is 0; it must be above 0"):
        compare(face(1), face(2), odds=0)


def test_a_match_in_json_holds_no_descriptors() -> None:
    described = compare(face(1), face(1, 1)).to_dict()
    assert described["same"] is True
    assert described["first"]["attributes"] == {}
    assert "vector" not in str(described)


def test_faces_without_a_descriptor_are_refused() -> None:
    plain = Face((0, 0, 1, 1), 0.9, attributes={"age": Estimate(30, "years")})
    with pytest.raises(OptionError, match="the face has no descriptor; read it with"):
        compare(plain, face(1))
    short = Face((0, 0, 1, 1), 0.9, attributes={"identity": Descriptor(np.ones(1, np.float32))})
    with pytest.raises(OptionError, match=r"the descriptor has 1 numbers; those of .* have 128"):
        compare(face(1), short)


def test_a_photograph_is_of_the_same_person_as_its_mirror_image(astronaut: Path) -> None:
    image = faceattr.load_image(astronaut)
    match = faceattr.verify(astronaut, np.ascontiguousarray(image[:, ::-1]))
    assert match.same
    assert match.first.bbox != match.second.bbox
    assert faceattr.verify(match.first, match.second) == match


def test_a_picture_of_nobody_is_named() -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(NoFaceError, match=r"array \(20, 20, 3\).*: no face was found"):
        faceattr.verify(painted(1), black, detector=OnePerPicture())
