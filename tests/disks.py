"""Disks for tests: one that is full, and one without links."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """Let no file grow larger, which fails like a disk that is full; skip where that cannot be."""
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def skipping_without_links() -> Iterator[None]:
    """Skip the test if links cannot be made, which Windows keeps to few users."""
    try:
        yield
    except OSError:
        pytest.skip("this user may not make links here")
