"""Check that the built site can be read without loading anything from elsewhere.

    python .ci/check_site.py FOLDER

Links to other sites are links, which load nothing; scripts, styles, fonts and pictures must be the
site's own.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
LOADED_BY_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
ATTRIBUTES = ("src", "srcset", "poster", "data")
RELATIONS = {"canonical", "next", "prev", "alternate"}  # of links that browsers do not load
ASKS_GITHUB = 'data-md-component="source"'  # by which the theme's script fetches stars
DRAWS = 'class="mermaid"'  # with a script that the theme's own would fetch


class Loads(HTMLParser):
    """Collects the addresses that a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See the base class."""
        values = {name: value or "" for name, value in attrs}
        self.addresses += [values[name] for name in ATTRIBUTES if name in values]
        if tag == "link" and not set(values.get("rel", "").split()) <= RELATIONS:
            self.addresses.append(values.get("href", ""))


def main(folder: str) -> int:
    """Name everything that pages and styles load from elsewhere, and return an exit status."""
    found: list[str] = []
    pages = sorted(Path(folder).rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loads = Loads()
        loads.feed(text)
        found += [f"{page}: {one}" for one in loads.addresses if ELSEWHERE.match(one)]
        found += [f"{page}: {mark}" for mark in (ASKS_GITHUB, DRAWS) if mark in text]
    for style in sorted(Path(folder).rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        found += [f"{style}: {one}" for one in LOADED_BY_STYLES.findall(text)]
    print("\n".join([*found, f"{len(pages)} pages, {len(found)} things loaded from elsewhere"]))
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
