"""Follow the section "From an empty folder" of a page: write its files, run its commands.

    python .ci/follow_page.py PAGE FOLDER

The folder contains photo.jpg and an environment .venv with faceattr, so the first block of commands
of the page, which makes the environment, is left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SECTION = re.compile(r"^## From an empty folder\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"(?:([^\n]+)\n\n)?```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`(\w+\.(?:py|toml))`")


def main(page: str, folder: str) -> None:
    """Follow the page; stop at the first command that fails."""
    section = SECTION.search(Path(page).read_text(encoding="utf-8"))
    assert section is not None
    for before, kind, text in BLOCK.findall(section[1])[1:]:
        names = FILE.findall(before)
        if kind == "console":
            print(text, end="", flush=True)
            subprocess.run(["bash", "-euc", text], cwd=folder, check=True)
        elif names:
            Path(folder, names[-1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
