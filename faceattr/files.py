"""Files of our own that are written in one step."""

from __future__ import annotations

import io
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_whole(path: Path, content: bytes | memoryview, *, private: bool = False) -> None:
    """Write a file in one step: readers see the old one or the new one, never a part.

    Args:
        path: Of the file, in a folder that is there.
        content: All of it.
        private: Whether nobody else on the machine may read it.

    Raises:
        OSError: It cannot be written; nothing of it is left.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb", opener=_open_private if private else None) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # Ctrl-C too leaves no half a file
        with suppress(OSError):
            part.unlink()
        raise


def npz_content(**arrays: NDArray[Any] | str) -> memoryview:
    """Return what `numpy.savez` writes.

    Not straight to a file, as NumPy 1's archives complain a second time, when they are thrown away,
    of a disk that was full.
    """
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getbuffer()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
