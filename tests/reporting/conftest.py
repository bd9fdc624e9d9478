"""Pages of reports, taken apart, and shown in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Page, browsing, find_browser


class Parsed(HTMLParser):
    """The elements of a page.

    Attributes:
        tags: Name and attributes of each element.
        text: All text outside of style and script.
    """

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.source = page.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self.text += data

    def values(self, tag: str, attribute: str) -> list[str]:
        """Return the values of an attribute of all elements of a name."""
        return [own[attribute] or "" for name, own in self.tags if name == tag and attribute in own]


@pytest.fixture(scope="session")
def browser_page() -> Iterator[Page]:
    """A page in a headless Chromium; the tests are skipped where there is none."""
    browser = find_browser()
    if browser is None:
        pytest.skip("needs Chromium")
    with browsing(browser) as page:
        yield page
