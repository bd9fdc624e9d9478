from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceattr.reporting.markup import Html, element, escape, join, link_to


def test_text_and_values_are_escaped_and_html_is_not() -> None:
    inner = element("b", "1 < 2")
    assert element("p", inner, "<script>", title='say "hi" & go') == (
        '<p title="say &quot;hi&quot; &amp; go"><b>1 &lt; 2</b>&lt;script&gt;</p>'
    )
    assert join("<", Html("<br>")) == "&lt;<br>"


def test_attributes_can_be_switches_or_absent() -> None:
    assert element("input", hidden=True, checked=False, title=None) == "<input hidden>"
    assert element("div", class_="a", data_value=1.5) == '<div class="a" data-value="1.5"></div>'


def test_letters_that_turn_text_around_become_visible() -> None:
    assert escape("photo\u202egnp.exe\x00") == "photo\\u202egnp.exe\\x00"
    assert escape("bad\udce9.png") == "bad\\udce9.png"


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("a b.jpg", "a%20b.jpg"),
        ("c:d?.jpg", "c%3Ad%3F.jpg"),
        ("#100%.jpg", "%23100%25.jpg"),
        ("\"<script>'.jpg", "%22%3Cscript%3E%27.jpg"),
        ("写真.jpg", "%E5%86%99%E7%9C%9F.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%E9.jpg"),
    ],
)
def test_a_link_is_relative_and_percent_encoded(tmp_path: Path, name: str, link: str) -> None:
    try:
        (tmp_path / name).touch()
    except (OSError, ValueError):
        pytest.skip("no such name on this file system")
    assert link_to(tmp_path / name, str(tmp_path)) == link
    folder = tmp_path / "reports" / "2026"
    folder.mkdir(parents=True)
    assert link_to(str(tmp_path / name), str(folder)) == f"../../{link}"
    assert str(link_to(tmp_path / name, None)).startswith("file:///")


def test_only_files_and_web_addresses_have_links(tmp_path: Path) -> None:
    assert (
        link_to("https://example.org/a.jpg?b=1", str(tmp_path)) == "https://example.org/a.jpg?b=1"
    )
    for source in ("javascript:alert(1)", "javascript://x", "data:image/png;base64,AA", b"x", None):
        assert link_to(source, str(tmp_path)) is None
