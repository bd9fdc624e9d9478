"""Does what a page says under "From an empty folder": writes its files, runs its commands.

    python .ci/follow_page.py PAGE FOLDER

The folder has an environment .venv, in which faceattr is installed, and photo.jpg; so the page's
first commands, which make the environment, are left out.
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
    """Follow the page, and stop where it fails."""
    section = SECTION.search(Path(page).read_text())
    assert section is not None
    for before, kind, text in BLOCK.findall(section[1])[1:]:
        names = FILE.findall(before)
        if kind == "console":
            print(text, end="", flush=True)
            subprocess.run(["bash", "-euc", text], cwd=folder, check=True)
        elif names:
            Path(folder, names[-1]).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
