"""What a published weights file is: its name, sources, digest, size and license."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class GoogleDrive:
    """A file shared on Google Drive."""

    file_id: str

    def __str__(self) -> str:
        return f"https://drive.google.com/uc?id={self.file_id}"


Source: TypeAlias = str | GoogleDrive
"""Where a file is published: a URL or a file on Google Drive.

If the URL ends in ``.bz2``, the file is decompressed while it is downloaded.
"""


@dataclass(frozen=True, slots=True)
class Weights:
    """A published weights file.

    Attributes:
        filename: Name of the local copy, unique among all weights.
        sources: Where the file is published, in the order to try.
        sha256: Digest of the decompressed file.
        num_bytes: Size of the decompressed file, accurate to 10 %.
        license: License of the file, and of its training data after a semicolon: ``"MIT; trained
            on …"``. It counts as open if it begins with the SPDX identifier of an open license.
        card: Path of the model card in the repository.
    """

    filename: str
    sources: tuple[Source, ...]
    sha256: str
    num_bytes: int
    license: str
    card: str

    def __str__(self) -> str:
        return f"{self.filename} ({self.num_bytes / 1e6:.3g} MB)"
