from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faceattr.drawing.labels import (
    FAINT,
    MOST_BARS,
    PLATE,
    Bar,
    Label,
    Word,
    face_color,
    forms_of,
    legend_of,
    number_of,
    status_line,
)
from faceattr.palette import (
    FACE_COLOR,
    UNCERTAIN_COLOR,
    WHITE,
    color_of,
    contrast,
    track_color,
)
from faceattr.types import Attribute, Classification, Estimate, Face

EMOTION = Classification({"angry": 0.1, "happy": 0.9})
GENDER = Classification({"woman": 0.97, "man": 0.03})
ATTRIBUTES: dict[str, Attribute] = {
    "emotion": EMOTION,
    "age": Estimate(30.4, unit="years"),
    "gender": GENDER,
}
FACE = Face((0, 0, 10, 10), 1.0, attributes=ATTRIBUTES)
TRACKED = replace(FACE, track_id=3, frozen={"age": 2.1})


def texts(label: Label) -> list[Sequence[str]]:
    return [[word.text for word in line] for line in label]


def test_forms_have_less_and_less_text() -> None:
    assert [texts(form) for form in forms_of(FACE)] == [
        [["happy 90%"], ["30 years"], ["woman 97%"]],
        [["happy 90%"]],
        [["happy"]],
    ]


def test_bars_show_the_scores_of_the_first_classification_in_their_order() -> None:
    fullest, *others = forms_of(TRACKED, bars=True)
    assert others == forms_of(TRACKED)
    assert fullest[:3] == others[0]
    assert fullest[3:] == (
        (Word("angry", bar=Bar(0.1, color_of("angry"))),),
        (Word("happy", bar=Bar(0.9, color_of("happy"))),),
    )


def test_bars_are_those_of_the_likeliest_labels() -> None:
    many = Classification({f"label {index}": (0.0, 0.2)[index % 2] for index in range(10)})
    (fullest, *_) = forms_of(replace(FACE, attributes={"mood": many}), bars=True)
    bars = {line[0].text: line[0].bar.share for line in fullest if line[0].bar is not None}
    assert len(bars) == MOST_BARS
    assert [name for name, share in bars.items() if share] == [
        f"label {n}" for n in (1, 3, 5, 7, 9)
    ]
    assert sorted(bars) == list(bars)


def test_without_a_classification_there_are_no_bars() -> None:
    aged = replace(FACE, attributes={"age": ATTRIBUTES["age"]})
    assert forms_of(aged, bars=True) == [forms_of(aged)[0], *forms_of(aged)]
    assert len(forms_of(replace(TRACKED, attributes={}), bars=True)) == 4


def test_a_track_has_its_number_and_countdowns() -> None:
    assert [texts(form) for form in forms_of(TRACKED)] == [
        [["#3", "happy 90%"], ["30 years", "3s"], ["woman 97%"]],
        [["#3", "happy 90%"]],
        [["#3", "happy"]],
    ]


def test_an_uncertain_or_numeric_first_attribute_is_never_cut_short() -> None:
    unsure = replace(FACE, uncertain=frozenset({"emotion"}))
    assert texts(forms_of(unsure)[2]) == [["uncertain"]]
    aged = replace(FACE, attributes={"age": ATTRIBUTES["age"]})
    assert texts(forms_of(aged)[2]) == [["30 years"]]


def test_a_face_of_which_nothing_is_known_has_at_most_a_number() -> None:
    assert forms_of(replace(FACE, attributes={})) == []
    assert [texts(form) for form in forms_of(replace(TRACKED, attributes={}))] == [[["#3"]]] * 3


def test_numbers_are_those_of_tracks_or_of_tables() -> None:
    assert texts(number_of(FACE, 7)) == [["7"]]
    assert texts(number_of(TRACKED, 7)) == [["#3"]]
    assert texts(legend_of(FACE, 7)) == [["7", "happy 90%", "30 years", "woman 97%"]]


def test_faces_have_the_color_of_their_track_or_first_label() -> None:
    assert face_color(TRACKED) == track_color(3)
    assert face_color(FACE) == color_of("happy")
    others: dict[str, Attribute] = {"age": ATTRIBUTES["age"], "gender": GENDER}
    assert face_color(replace(FACE, attributes=others)) == color_of("woman")
    assert face_color(replace(FACE, uncertain=frozenset({"emotion"}))) == UNCERTAIN_COLOR
    assert face_color(replace(FACE, attributes={"age": ATTRIBUTES["age"]})) == FACE_COLOR
    assert face_color(replace(FACE, attributes={})) == FACE_COLOR


def test_the_first_label_lies_on_its_color_and_the_others_on_a_dark_plate() -> None:
    emotion, age, gender = forms_of(FACE)[0]
    assert emotion[0].plate == color_of("happy")
    assert {age[0].plate, gender[0].plate} == {PLATE}


def test_all_text_has_enough_contrast() -> None:
    for face in (FACE, TRACKED, replace(FACE, uncertain=frozenset({"emotion"}))):
        for label in (*forms_of(face), number_of(face, 1), legend_of(face, 1)):
            for word in (word for line in label for word in line):
                assert contrast(word.ink, word.plate) >= 4.5
    assert contrast(WHITE, PLATE) > contrast(FAINT, PLATE) >= 4.5


def test_long_labels_are_cut_off() -> None:
    face = replace(FACE, attributes={"mood": Classification({"a" * 1000: 1.0})})
    for form in (*forms_of(face), legend_of(face, 1)):
        assert texts(form)[0][-1] == "a" * 39 + "…"


def test_control_characters_are_shown_not_obeyed() -> None:
    face = replace(FACE, attributes={"mood": Classification({"a\x1b\u202e": 1.0})})
    assert texts(forms_of(face)[1]) == [[r"a\x1b\u202e 100%"]]
    assert texts(forms_of(face)[2]) == [[r"a\x1b\u202e"]]
    assert texts(status_line("\x1b")) == [[r"\x1b"]]
