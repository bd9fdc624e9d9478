"""A server for the tests of a module, which is ended quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import Client, serving

from faceattr.serving import running


@pytest.fixture(autouse=True, scope="session")
def _end_at_once() -> None:
    """Let servers wait less for requests that are on their way when they end."""
    running.DRAIN_SECONDS = 0.05


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a server with stand-ins, its limits as they are by default."""
    with serving(detectors="haar") as one:
        yield one
