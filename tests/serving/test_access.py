from __future__ import annotations

import pytest

from faceattr.serving import access
from faceattr.serving.access import Callers, Keys, Rates
from faceattr.serving.errors import RequestError

ANY = "https://page.example"


def test_a_rate_is_a_bucket_that_fills_up_again() -> None:
    now = [0.0]
    rates = Rates(60, clock=lambda: now[0])
    for _ in range(60):
        rates.count("a")
    with pytest.raises(RequestError) as refused:
        rates.count("a")
    assert refused.value.retry_after == pytest.approx(1)
    rates.count("b")
    now[0] = 1.0
    rates.count("a")
    with pytest.raises(RequestError):
        rates.count("a")
    now[0] = 1000.0
    for _ in range(60):
        rates.count("a")
    with pytest.raises(RequestError):
        rates.count("a")


def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_CLIENTS", 3)
    rates = Rates(60)
    for number in range(10):
        rates.count(str(number))
    assert list(rates._buckets) == ["7", "8", "9"]


def test_no_rate_is_no_limit() -> None:
    rates = Rates(0)
    for _ in range(1000):
        rates.count("a")
    assert not rates._buckets


def test_keys_are_kept_as_digests() -> None:
    keys = Keys(["first-key-of-all", "second-key-of-all"])
    assert keys.find("second-key-of-all") == "key 2"
    assert keys.find("third-key-of-all") is None
    assert keys.find("\udcff") is None
    assert "second-key-of-all" not in repr(vars(keys))
    assert not Keys([])


@pytest.mark.parametrize(
    "host, origin",
    [
        ("127.0.0.1:8000", None),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("LocalHost:8000", "http://localhost:8000"),
        ("[::1]", "https://[::1]"),
        ("faces.example", None),
        ("10.0.0.7", ANY),
    ],
)
def test_who_may_call(host: str, origin: str | None) -> None:
    Callers(["faces.example"], [ANY]).check(host, origin)


@pytest.mark.parametrize(
    "host, origin, code",
    [
        ("evil.example", None, "unknown_host"),
        ("evil.example", "http://evil.example", "unknown_host"),
        ("127.0.0.1.evil.example", None, "unknown_host"),
        ("[", None, "unknown_host"),
        (None, None, "unknown_host"),
        ("localhost", "http://localhost:9999", "foreign_origin"),
        ("localhost", "null", "foreign_origin"),
        ("localhost", "", "foreign_origin"),
        ("localhost", "https://page.example.evil.example", "foreign_origin"),
        ("localhost", "file://", "foreign_origin"),
    ],
)
def test_who_may_not_call(host: str | None, origin: str | None, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        Callers(["faces.example"], [ANY]).check(host, origin)
    assert (refused.value.status, refused.value.code) == (403, code)


def test_with_keys_any_name_will_do() -> None:
    Callers(None, []).check("anything.example", "https://anything.example")
    with pytest.raises(RequestError):
        Callers(None, []).check("anything.example", ANY)
