"""Links of pages that are read in the repository, turned for the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = "https://github.com/faceattr/faceattr"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")  # neither in the page nor elsewhere


def turn_links(text: str, path: str, pages: Mapping[str, str], root: Path) -> str:
    """Return a page whose links lead to the site, or to the repository for what is only there.

    A link to what is nowhere stays as it is, so that a strict build names it.

    Args:
        text: Markdown of the page.
        path: Where the page lies in the repository, ``docs/train.md``.
        pages: What the site shows: path in the repository, and in the site's sources.
        root: Folder of the repository.
    """

    def turn(found: re.Match[str]) -> str:
        target, anchor = found[1], found[2] or ""
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if there in pages:
            return posixpath.relpath(pages[there], posixpath.dirname(pages[path]) or ".") + anchor
        if (root / there).exists():
            kind = "tree" if (root / there).is_dir() else "blob"
            return f"{REPOSITORY}/{kind}/main/{there}{anchor}"
        return found[0]

    return LINK.sub(turn, text)
