"""Who may use a server: API keys, rates, and the pages from which browsers call."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlsplit

from faceattr.serving.errors import RequestError

MAX_CLIENTS = 10_000  # whose rates are remembered
LOCAL_NAMES = ("localhost",)


class Keys:
    """API keys, of which only digests are kept.

    Args:
        keys: The keys; none if everybody may use the server.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, key: str) -> str | None:
        """Return a name for a key that is known, None for others, in the same time for all."""
        digest = _digest(key)
        matches = [hmac.compare_digest(digest, one) for one in self._digests]
        return f"key {matches.index(True) + 1}" if any(matches) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Rates:
    """Counts requests of each client, in buckets that fill up again steadily.

    Args:
        per_minute: Requests of one client; 0 for any number.
        clock: Returns seconds.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, client: str) -> None:
        """Count a request.

        Raises:
            RequestError: The client has sent too many.
        """
        if not self._most:
            return
        now = self._clock()
        left, then = self._buckets.pop(client, (float(self._most), now))
        left = min(left + (now - then) * self._per_second, float(self._most))
        self._buckets[client] = max(left - 1, 0.0) if left >= 1 else left, now
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            raise RequestError(
                429,
                "too_many_requests",
                f"more than {self._most} requests in a minute; try again later",
                retry_after=(1 - left) / self._per_second,
            )


class Callers:
    """The names by which a server may be called, and the pages from which browsers may call it.

    A page of a stranger can make a browser send requests here: under its own name (`Origin`), or
    under a name of its own that it lets stand for this machine's address (`Host`).

    Args:
        names: Names of the server, besides addresses and ``localhost``; None for any.
        origins: Pages besides the server's own.
    """

    def __init__(self, names: Collection[str] | None, origins: Collection[str]) -> None:
        self._names = None if names is None else {name.lower() for name in (*names, *LOCAL_NAMES)}
        self._origins = {origin.lower() for origin in origins}

    def check(self, host: str | None, origin: str | None) -> None:
        """Refuse a request by its headers Host and Origin.

        Raises:
            RequestError: It was sent from a page of a stranger.
        """
        name = _name_of(host or "")
        if self._names is not None and name not in self._names and not _is_address(name):
            raise RequestError(
                403,
                "unknown_host",
                f"this server is not called {name!r}; start it with --names {name or 'NAME'} if it "
                "is, or with API keys",
            )
        if origin is None or origin.lower() in self._origins:
            return
        if urlsplit(origin).netloc.lower() != (host or "").lower() or not host:
            raise RequestError(
                403,
                "foreign_origin",
                "this server does not answer pages of other servers; start it with --origins to "
                "allow one",
            )


def _name_of(host: str) -> str:
    """Return the header Host without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
