from __future__ import annotations

import pytest

from faceattr.errors import OptionError
from faceattr.labels import LabelChoice, check_groups, narrow, regroup, to_groups
from faceattr.types import Attribute, Classification, Estimate

SCORES = {"angry": 0.1, "happy": 0.3, "sad": 0.2, "surprise": 0.2, "neutral": 0.2}
FACE: dict[str, Attribute] = {
    "emotion": Classification(SCORES),
    "gender": Classification({"woman": 0.4, "man": 0.6}),
    "age": Estimate(30, unit="years"),
}


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
    groups = to_groups({"good": ["happy"], "bad": ["angry", "sad"], "other": ["surprise"]})
    assert Classification(SCORES).label == "happy"
    assert regroup(SCORES, groups) == pytest.approx({"good": 3 / 8, "bad": 3 / 8, "other": 2 / 8})
    grouped = narrow(FACE["emotion"], to_groups("calm=sad+neutral,happy"))
    assert isinstance(grouped, Classification)
    assert grouped.label == "calm"
    assert grouped.confidence == pytest.approx(4 / 7)


def test_labels_that_are_left_sum_to_one_again() -> None:
    assert regroup(SCORES, to_groups("happy,angry")) == pytest.approx(
        {"happy": 3 / 4, "angry": 1 / 4}
    )


def test_groups_of_all_labels_keep_their_sums() -> None:
    groups = to_groups("good=happy+surprise,bad=angry+sad,neutral")
    assert regroup(SCORES, groups) == pytest.approx({"good": 0.5, "bad": 0.3, "neutral": 0.2})


def test_what_was_impossible_is_as_probable_as_the_rest() -> None:
    assert regroup({"a": 1, "b": 0, "c": 0}, to_groups("b,c")) == {"b": 0.5, "c": 0.5}


def test_attributes_without_the_labels_stay_as_they_are() -> None:
    groups = to_groups("happy,sad")
    assert narrow(FACE["gender"], groups) == FACE["gender"]
    assert narrow(FACE["age"], groups, min_confidence=0.9) == FACE["age"]


def test_an_unsure_classification_has_no_label_but_its_scores() -> None:
    gender = narrow(FACE["gender"], {}, min_confidence=0.7)
    assert isinstance(gender, Classification)
    assert (gender.label, gender.confidence) == (None, 0.6)
    assert str(gender) == "uncertain"
    assert gender.to_dict()["label"] is None
    sure = narrow(FACE["gender"], {}, min_confidence=0.6)
    assert isinstance(sure, Classification)
    assert sure.label == "man"


def test_the_stricter_confidence_holds() -> None:
    strict = Classification({"a": 0.6, "b": 0.4}, min_confidence=0.7)
    assert narrow(strict, {}, min_confidence=0.1) == strict


@pytest.mark.parametrize(
    ("labels", "attributes", "message"),
    [
        ("hapy,sad", FACE, "unknown label 'hapy'; did you mean 'happy'? available: angry,"),
        ("happy,man", FACE, "no attribute has all of happy, man: emotion has angry, happy"),
        ("happy", {"age": FACE["age"]}, "labels are for classifications, and age is none"),
        ("happy", {}, "labels are for classifications, and no action is none"),
    ],
)
def test_labels_that_no_attribute_has_are_an_error(
    labels: str, attributes: dict[str, Attribute], message: str
) -> None:
    with pytest.raises(OptionError) as raised:
        check_groups(to_groups(labels), attributes)
    assert message in str(raised.value)


def test_one_attribute_with_the_labels_is_enough() -> None:
    check_groups(to_groups("woman,man"), FACE)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "labels or a group of them are empty"),
        ([], "labels or a group of them are empty"),
        ({"good": []}, "labels or a group of them are empty"),
        ({"good": ["happy"], "calm": ["sad", "happy"]}, "label 'happy' is in two groups"),
        ({"good": ["happy", "happy"]}, "label 'happy' is in two groups"),
    ],
)
def test_groups_that_make_no_sense_are_an_error(labels: LabelChoice, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        to_groups(labels)
