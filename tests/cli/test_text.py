from __future__ import annotations

import pytest

from faceattr.cli.text import counted, elide, pad, width_of


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("photo.jpg", 9, "photo.jpg"),
        ("photo.jpg", 8, "phot…jpg"),
        ("photo.jpg", 1, "…"),
        ("日本語.jpg", 9, "日本….jpg"),
        ("日本語.jpg", 8, "日本…jpg"),
        ("", 3, ""),
    ],
)
def test_the_middle_of_a_long_text_is_left_out(text: str, width: int, shown: str) -> None:
    assert elide(text, width) == shown
    assert width_of(shown) <= width


def test_letters_have_the_width_that_terminals_give_them() -> None:
    assert [width_of(text) for text in ("a", "é", "e\u0301", "日", "ｶ", "😀", "\u200b")] == [
        *(1, 1, 1, 2, 1, 2, 0)
    ]


def test_padding_counts_columns() -> None:
    assert (pad("日", 4), pad("日", 4, right=True), pad("long", 2)) == ("日  ", "  日", "long")


def test_nouns_are_counted() -> None:
    assert [counted(number, "face") for number in (0, 1, 1200)] == [
        "0 faces",
        "1 face",
        "1,200 faces",
    ]
