from __future__ import annotations

import numpy as np

from faceattr.fonts import UNASSIGNED, render


def test_the_shipped_font_has_european_hebrew_and_arabic_letters() -> None:
    for text in ("ÄÖÜß°éñçłőŞğ", "αβγΩ", "жыёЇ", "שלום", "سعيد", "–—…×€"):
        for letter in text:
            assert render(letter, 20).alpha.max() > 0.5
            assert not np.array_equal(render(letter, 20).alpha, render(UNASSIGNED, 20).alpha)


def test_letters_that_no_font_has_become_their_code() -> None:
    np.testing.assert_array_equal(
        render(f"é {UNASSIGNED}", 20).alpha, render(r"é \uffffd", 20).alpha
    )


def test_letters_are_as_high_as_asked() -> None:
    for height in (8, 20, 50):
        letters = render("H", height)
        assert abs(letters.alpha.shape[0] - height) <= 1
        assert abs(letters.top + height) <= 1
