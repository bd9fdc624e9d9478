"""Limits on what a file unpacks to, so that a small one cannot fill the memory."""

from __future__ import annotations

from zipfile import ZipFile

from faceattr.errors import WeightsError

MAX_EXPANSION = 20  # unpacked bytes per byte of file; weights hardly compress
MIN_EXPANSION = 64 * 1024 * 1024  # unpacked bytes that any file may have


def check_unpacked_size(archive: ZipFile, num_bytes: int) -> None:
    """Refuse an archive that unpacks to far more than its own size.

    Python reads no more of a member than the size stated here.

    Args:
        archive: The archive.
        num_bytes: Size of its file.

    Raises:
        WeightsError: It is a zip bomb.
    """
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(MAX_EXPANSION * num_bytes, MIN_EXPANSION):
        raise WeightsError(f"its {num_bytes} bytes unpack to {unpacked}, which is not credible")
