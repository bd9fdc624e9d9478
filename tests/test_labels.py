from __future__ import annotations

import pytest

from faceattr.errors import OptionError
from faceattr.labels import LabelChoice, check_groups, narrow, narrow_labels, to_groups
from faceattr.types import Classification

SCORES = {"angry": 0.1, "happy": 0.3, "sad": 0.2, "surprise": 0.2, "neutral": 0.2}


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["happy", "sad"], {"happy": ("happy",), "sad": ("sad",)}),
        ("happy, sad", {"happy": ("happy",), "sad": ("sad",)}),
        ({"good": ["happy", "surprise"], "none": "neutral"}, None),
        ("good=happy + surprise, none = neutral", None),
    ],
)
def test_labels_and_groups_can_be_given_as_text(
    labels: LabelChoice, groups: dict[str, tuple[str, ...]] | None
) -> None:
    assert to_groups(labels) == (groups or {"good": ("happy", "surprise"), "none": ("neutral",)})


def test_groups_sum_before_the_best_is_chosen() -> None:
    assert Classification(SCORES).label == "happy"
    grouped = narrow(Classification(SCORES), to_groups("calm=sad+neutral,happy,angry,surprise"))
    assert grouped.label == "calm"
    assert grouped.confidence == pytest.approx(0.4)


def test_what_is_left_out_is_another_label() -> None:
    narrowed = narrow(Classification(SCORES), to_groups("happy,angry"))
    assert narrowed.scores == pytest.approx({"happy": 0.3, "angry": 0.1, "other": 0.6})
    assert narrowed.label == "other"


def test_a_group_called_other_takes_what_is_left_out() -> None:
    narrowed = narrow(Classification(SCORES), to_groups("good=happy,other=sad"))
    assert narrowed.scores == pytest.approx({"good": 0.3, "other": 0.7})
    assert narrow_labels(list(SCORES), to_groups("good=happy,other=sad")) == ("good", "other")


def test_groups_of_all_labels_keep_their_sums() -> None:
    groups = to_groups("good=happy+surprise,bad=angry+sad,neutral")
    narrowed = narrow(Classification(SCORES), groups)
    assert narrowed.scores == pytest.approx({"good": 0.5, "bad": 0.3, "neutral": 0.2})
    assert narrow_labels(list(SCORES), groups) == ("good", "bad", "neutral")


def test_classifications_without_the_labels_stay_as_they_are() -> None:
    gender = Classification({"woman": 0.4, "man": 0.6})
    assert narrow(gender, to_groups("happy,sad")) is gender
    assert narrow_labels(["woman", "man"], to_groups("happy,sad")) == ("woman", "man")
    assert narrow(gender, {}) is gender


KNOWN = {"emotion": list(SCORES), "gender": ["woman", "man"]}


@pytest.mark.parametrize(
    ("labels", "known", "message"),
    [
        ("hapy,sad", KNOWN, "unknown label 'hapy'; did you mean 'happy'? available: angry,"),
        ("happy,man", KNOWN, "no attribute has all of happy, man: emotion has angry, happy"),
        ("happy", {}, "labels are for classifications, and none is among the actions"),
    ],
)
def test_labels_that_no_attribute_has_are_an_error(
    labels: str, known: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(OptionError) as raised:
        check_groups(to_groups(labels), known)
    assert message in str(raised.value)


def test_one_attribute_with_the_labels_is_enough() -> None:
    check_groups(to_groups("woman,man"), KNOWN)
    check_groups({}, {})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "labels, or one of their groups, are empty"),
        ([], "labels, or one of their groups, are empty"),
        ({"good": []}, "labels, or one of their groups, are empty"),
        ({"good": ["happy"], "calm": ["sad", "happy"]}, "label 'happy' is given twice"),
        ({"good": ["happy", "happy"]}, "label 'happy' is given twice"),
    ],
)
def test_groups_that_make_no_sense_are_an_error(labels: LabelChoice, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        to_groups(labels)
