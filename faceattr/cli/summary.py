"""The line with which a run over pictures ends."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from faceattr.cli.text import counted
from faceattr.results import ImageResult


@dataclass(slots=True)
class Tally:
    """What a run has done so far.

    Attributes:
        pictures: Results so far.
        faces: Faces on them.
        empty: Pictures without a face.
        failed: Pictures that met an error.
        copies: Annotated copies in each folder.
    """

    pictures: int = 0
    faces: int = 0
    empty: int = 0
    failed: int = 0
    copies: dict[Path, int] = field(default_factory=dict)

    def add(self, result: ImageResult) -> None:
        """Count a result."""
        self.pictures += 1
        self.faces += len(result.faces)
        self.failed += result.error is not None
        self.empty += result.error is None and not result.faces

    def add_copy(self, path: Path) -> None:
        """Count an annotated copy."""
        self.copies[path.parent] = self.copies.get(path.parent, 0) + 1

    def describe(self, seconds: float, *, written: Path | None = None) -> str:
        """Return it in words: ``13 pictures, 19 faces, 1 failed, 2.1 s; wrote faces.csv``.

        Args:
            seconds: Duration of the run.
            written: The file of the results, if there is one.
        """
        parts = [counted(self.pictures, "picture"), counted(self.faces, "face")]
        if self.empty:
            parts.append(f"{self.empty:,} without a face")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        files = [str(written)] if written else []
        files += [
            f"{counted(count, 'picture')} in {folder}{os.sep}"
            for folder, count in self.copies.items()
        ]
        wrote = f"; wrote {' and '.join(files)}" if files else ""
        return f"{', '.join(parts)}, {seconds:.1f} s{wrote}"
