from __future__ import annotations

import json
import logging
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from servers import (
    BROKEN,
    HELD,
    PATIENCE,
    Client,
    code_of,
    end_of,
    level_of,
    picture,
    serving,
    wait_until,
)
from websockets.exceptions import InvalidStatus

from faceattr.errors import OptionError
from faceattr.serving import running
from faceattr.serving.app import create_app
from faceattr.serving.options import Limits, ServerOptions

KEY, OTHER_KEY = "a-key-for-the-tests", "another-key-for-them"
ANALYZE = b"POST /v1/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


# Keys


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that asks for a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text(f"# of the tests\n{KEY}\n\n{OTHER_KEY}\n")
    with serving(keys=keys) as one:
        yield one


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-key-of-a-client"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"X-API-Key": "é"},
        {"X-API-Key": ""},
    ],
)
def test_a_request_without_a_key_is_refused(locked: Client, headers: dict[str, str]) -> None:
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    answer = locked.send(picture(1), **headers)
    assert code_of(answer) == (401, "no_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert code_of(locked.get("/metrics", headers=headers))[0] == 401
    assert code_of(locked.get("/v1/analyzers", headers=headers))[0] == 401
    assert code_of(locked.get("/openapi.json", headers=headers))[0] == 401
    assert code_of(locked.get("/nothing", headers=headers))[0] == 401


def test_a_request_with_a_key_is_answered(locked: Client) -> None:
    assert level_of(locked.send(picture(5), Authorization=f"Bearer {KEY}")) == 5
    assert level_of(locked.send(picture(6), **{"X-API-Key": OTHER_KEY})) == 6
    offer = locked.get("/v1/analyzers", headers={"X-API-Key": KEY}).json()
    assert offer["key_required"] is True


def test_a_load_balancer_needs_no_key(locked: Client) -> None:
    assert locked.get("/healthz").ok
    assert locked.get("/readyz").ok


def test_a_stream_may_send_its_key_in_a_header_or_first(locked: Client) -> None:
    with locked.stream(additional_headers={"X-API-Key": KEY}) as websocket:
        websocket.send(picture(1))
        assert "faces" in json.loads(websocket.recv(timeout=PATIENCE))
    with locked.stream() as websocket:
        websocket.send(json.dumps({"actions": ["light"], "key": KEY}))
        websocket.send(picture(1))
        assert "faces" in json.loads(websocket.recv(timeout=PATIENCE))


@pytest.mark.parametrize(
    "first", ['{"key": "wrong-key-of-a-client"}', "{}", "nonsense", b"\x89PNG"]
)
def test_a_stream_without_a_key_is_closed(locked: Client, first: str | bytes) -> None:
    with locked.stream() as websocket:
        websocket.send(first)
        assert end_of(websocket) == 1008
    with pytest.raises(InvalidStatus), locked.stream(additional_headers={"X-API-Key": "wrong"}):
        pass


def test_strangers_take_no_streams_from_those_with_a_key(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(KEY)
    with serving(keys=keys, limits=Limits(max_streams=1)) as one, one.stream() as stranger:
        with pytest.raises(InvalidStatus) as refused, one.stream():
            pass
        assert refused.value.response.status_code == 503
        with one.stream(additional_headers={"X-API-Key": KEY}) as known:
            known.send(picture(1))
            assert "faces" in json.loads(known.recv(timeout=PATIENCE))
            stranger.send(json.dumps({"key": KEY}))
            assert end_of(stranger) == 1013
        wait_until(lambda: not (one.service.streams or one.service.strangers))
        with one.stream() as late:
            late.send(json.dumps({"key": KEY}))
            late.send(picture(1))
            assert "faces" in json.loads(late.recv(timeout=PATIENCE))
            assert (len(one.service.streams), len(one.service.strangers)) == (1, 0)


@pytest.mark.parametrize("text", ["short\n", "# nothing\n", "", "with\ttab-and-more-letters"])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"key"):
        create_app(server=ServerOptions(keys=path))


def test_keys_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_API_KEYS", f"{KEY},{OTHER_KEY}")
    with serving() as one:
        assert code_of(one.send(picture(1)))[0] == 401
        assert one.send(picture(1), **{"X-API-Key": OTHER_KEY}).ok


def test_another_host_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"0.0.0.0 can be reached.*--keys.*--insecure"):
        create_app(server=ServerOptions(host="0.0.0.0"))
    create_app(server=ServerOptions(host="0.0.0.0", insecure=True))


# Rates


def test_too_many_requests_of_one_key_are_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{KEY}\n{OTHER_KEY}\n")
    with serving(keys=keys, limits=Limits(rate=2)) as one:
        statuses = [one.send(picture(1), **{"X-API-Key": KEY}).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = one.send(picture(1), **{"X-API-Key": KEY})
        assert code_of(refused) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert one.send(picture(1), **{"X-API-Key": OTHER_KEY}).ok
        assert one.get("/healthz").ok


def test_guessing_keys_is_slowed_down(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(KEY)
    with serving(keys=keys, limits=Limits(rate=2)) as one:
        guesses = [one.get("/v1/analyzers", headers={"X-API-Key": f"guess {n}"}) for n in range(4)]
        assert [answer.status_code for answer in guesses] == [401, 401, 429, 429]


# Browsers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
def test_a_strange_name_is_refused(client: Client, host: str) -> None:
    answer = client.send(picture(1), Host=host)
    assert answer.status_code in (400, 403)
    if host:
        assert code_of(answer) == (403, "unknown_host")


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1", "[::1]:8000"])
def test_the_own_names_are_answered(client: Client, host: str) -> None:
    assert client.send(picture(1), Host=host).ok


def test_the_owner_may_give_names() -> None:
    with serving(names="faces.example, other.example") as one:
        assert one.send(picture(1), Host="faces.example:1").ok
        assert code_of(one.send(picture(1), Host="x.example"))[0] == 403


ORIGINS = ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_a_stranger_is_refused(client: Client, origin: str) -> None:
    assert code_of(client.send(picture(1), Origin=origin)) == (403, "foreign_origin")
    assert code_of(client.get("/v1/analyzers", headers={"Origin": origin}))[0] == 403
    with pytest.raises(InvalidStatus) as refused, client.stream(origin=origin):
        pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["code"] == "foreign_origin"


def test_the_own_page_is_answered(client: Client) -> None:
    assert client.send(picture(1), Origin=client.url).ok
    with client.stream(origin=client.url) as websocket:
        websocket.send(picture(1))
        assert "faces" in json.loads(websocket.recv(timeout=PATIENCE))


def test_the_owner_may_allow_another_page() -> None:
    with serving(origins="https://shop.example") as one:
        asked = {
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "X-API-Key",
        }
        options = requests.options(one.url + "/v1/analyze", headers=asked, timeout=PATIENCE)
        assert options.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        answer = one.send(picture(1), Origin="https://shop.example")
        assert answer.ok
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert code_of(one.send(picture(1), Origin="https://evil.example"))[0] == 403


# Bodies


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    for data in (b"x" * 20_000_001, iter([b"x" * 1_000_000] * 21)):  # the second has no length
        answer = client.post("/v1/analyze", data=data, headers={"Content-Type": "image/png"})
        assert code_of(answer) == (413, "too_large")
        assert answer.headers["Connection"] == "close"
    assert client.send(picture(1)).ok


def test_a_refused_body_is_not_waited_for(client: Client) -> None:
    with client.raw() as connection:
        connection.sendall(ANALYZE + b"Content-Length: 999999999\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_stops_is_given_up() -> None:
    with serving(limits=Limits(body_timeout=0.2)) as one, one.raw() as connection:
        connection.sendall(ANALYZE + b"Content-Length: 100\r\n\r\nab")
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code": "body_timeout"' in answer
        assert one.service.pool.num_waiting == 0


def test_a_head_that_stops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.2)
    with serving() as one, one.raw() as silent, one.raw() as slow:
        slow.sendall(ANALYZE)
        assert read_all(silent) == read_all(slow) == b""
        assert one.send(picture(1)).ok


def test_the_head_of_a_second_request_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as one, one.raw() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b'"ok"}' not in answer:
            answer += connection.recv(65536)
        monkeypatch.setattr(running, "HEAD_SECONDS", 0.2)
        connection.sendall(ANALYZE)
        assert read_all(connection) == b""


def test_a_stream_is_not_taken_for_a_head_that_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.2)
    with serving() as one, one.stream() as websocket:
        time.sleep(0.4)
        websocket.send(picture(1))
        assert json.loads(websocket.recv(timeout=PATIENCE))["frame"] == 0


def test_bodies_hold_no_more_memory_than_allowed() -> None:
    with serving(limits=Limits(max_body=0.01)) as one:
        held = [one.raw() for _ in range(16)]
        try:
            for connection in held:
                connection.sendall(ANALYZE + b"Content-Length: 10000\r\n\r\n" + b"x" * 9_990)
            wait_until(lambda: one.service._bodies._left == 160)
            answer = one.send(b"x" * 1000)
            assert code_of(answer) == (503, "busy")
            assert answer.headers["Retry-After"] == "1"
        finally:
            for connection in held:
                connection.close()
        wait_until(lambda: one.service._bodies._left == 160_000)
        assert one.send(picture(1)).ok


def test_nonsense_is_no_request(client: Client) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00", b"GET /\r\n\r\n", b"x" * 100_000):
        with client.raw() as connection:
            connection.sendall(nonsense)
            assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    assert client.send(picture(1)).ok


# The queue


@pytest.fixture
def small() -> Iterator[Client]:
    """A client of a server with one worker and room for one more picture."""
    limits = Limits(queue=1, max_pictures=1, queue_timeout=PATIENCE, work_timeout=PATIENCE)
    with serving(workers=1, limits=limits) as one:
        yield one


def test_when_the_queue_is_full_requests_are_turned_away(small: Client) -> None:
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(small.send, picture(HELD))
        assert small.holdable.waiting.acquire(timeout=PATIENCE)
        second = threads.submit(small.send, picture(100))
        wait_until(lambda: small.service.pool.num_waiting == 1)
        refused = requests.post(
            small.url + "/v1/analyze", picture(1), headers={"Content-Type": "image/png"}, timeout=60
        )
        assert code_of(refused) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert requests.get(small.url + "/healthz", timeout=60).ok
        small.holdable.go.set()
        assert level_of(first.result()) == HELD
        assert level_of(second.result()) == 100
    assert small.send(picture(1)).ok


def test_a_place_is_free_again_only_when_its_work_ends() -> None:
    limits = Limits(queue=1, max_pictures=1, work_timeout=0.2, queue_timeout=0.2)
    with serving(workers=1, limits=limits) as one:
        assert code_of(one.send(picture(HELD))) == (504, "work_timeout")
        assert one.service.pool.num_running == 1
        waited = one.send(picture(1))
        assert code_of(waited) == (503, "queue_timeout")
        assert "Retry-After" in waited.headers
        assert one.service.pool.num_waiting == 0
        one.holdable.go.set()
        wait_until(lambda: one.service.pool.num_running == 0)
        assert one.send(picture(1)).ok


def test_a_picture_that_nobody_waits_for_is_not_analyzed(small: Client) -> None:
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(small.send, picture(HELD))
        assert small.holdable.waiting.acquire(timeout=PATIENCE)
        data = picture(99)
        with small.raw() as connection:
            head = ANALYZE + f"Content-Length: {len(data)}\r\n\r\n".encode()
            connection.sendall(head + data)
            wait_until(lambda: small.service.pool.num_waiting == 1)
        wait_until(lambda: small.service.pool.num_waiting == 0)
        small.holdable.go.set()
        assert first.result().ok
    assert 99 not in small.holdable.means


def test_pictures_of_a_request_have_places_together_or_not() -> None:
    limits = Limits(queue=2, max_pictures=2)
    with serving(workers=1, limits=limits) as one, ThreadPoolExecutor(2) as threads:
        first = threads.submit(one.send, picture(HELD))
        assert one.holdable.waiting.acquire(timeout=PATIENCE)
        second = threads.submit(one.send, picture(50))
        wait_until(lambda: one.service.pool.num_waiting == 1)
        files = [("a", ("a.png", picture(1))), ("b", ("b.png", picture(2)))]
        refused = requests.post(one.url + "/v1/analyze", files=files, timeout=PATIENCE)
        assert code_of(refused) == (503, "busy")
        one.holdable.go.set()
        assert first.result().ok
        assert second.result().ok


def test_many_clients_each_get_their_own_answer(client: Client) -> None:
    def ask(level: int) -> tuple[int, float]:
        answer = requests.post(
            client.url + "/v1/analyze?actions=brightness",
            picture(level),
            headers={"Content-Type": "image/png"},
            timeout=PATIENCE,
        )
        return level, level_of(answer)

    with ThreadPoolExecutor(12) as threads:
        for level, value in threads.map(ask, range(20, 220, 3)):
            assert value == level


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_connections_are_all_answered(client: Client, number: int) -> None:
    data = picture(120)
    request = ANALYZE + f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
    connections = [client.raw() for _ in range(number)]
    try:
        for connection in connections:
            connection.sendall(request)
        statuses = Counter(read_all(connection)[9:12] for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    assert statuses.keys() <= {b"200", b"503"}
    assert statuses[b"200"] >= 66
    assert client.send(picture(1)).ok


# Errors and the log


def test_an_analyzer_that_fails_is_no_business_of_the_client(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.send(picture(BROKEN))
    assert code_of(answer) == (500, "analysis_failed")
    assert "secret" not in answer.text
    assert "a secret of the analyzer" in caplog.text


def test_a_bug_is_answered_without_words_and_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(client.service.reader, "read", fail)
    answer = client.send(picture(1))
    assert code_of(answer) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["X-Request-ID"] in caplog.text


def test_the_log_says_neither_what_was_sent_nor_what_was_read(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "faceattr"):
        name = "the-face-of-somebody.png"
        answer = client.post(
            "/v1/analyze?actions=light",
            files={"a": (name, picture(77))},
            headers={"X-API-Key": KEY},
        )
        request_id = answer.headers["X-Request-ID"]
        wait_until(lambda: request_id in caplog.text)
    assert f"{request_id} POST /v1/analyze 200" in caplog.text
    for secret in (name, "dusk", "77", KEY, "actions"):
        assert secret not in caplog.text.replace(request_id, "")


def test_nothing_is_written_to_disk(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: opened.append("temporary"))
    monkeypatch.setattr("tempfile.SpooledTemporaryFile", lambda *_, **__: opened.append("spooled"))
    monkeypatch.chdir(tmp_path)
    large = picture(90, (1500, 1500)) + b"\0" * 3_000_000  # more than Starlette keeps in memory
    assert client.post("/v1/analyze", files={"a": ("a.png", large)}).ok
    assert list(tmp_path.iterdir()) == []
    assert opened == []


# https


def test_https_needs_both_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="ssl_keyfile"):
        ServerOptions(ssl_certfile=tmp_path / "cert.pem")
    with pytest.raises(OptionError, match="no such file"):
        ServerOptions(ssl_certfile=tmp_path / "cert.pem", ssl_keyfile=tmp_path / "key.pem")


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text("no certificate")
    app = create_app(server=ServerOptions(port=0, ssl_certfile=path, ssl_keyfile=path))
    with pytest.raises(OptionError, match="certificate or its key cannot be used"):
        running.serve(app, lambda address: pytest.fail(address))


def test_https_is_served() -> None:
    here = Path(__file__).parent
    certificate, key = here / "localhost.pem", here / "localhost.key"
    with serving(ssl_certfile=certificate, ssl_keyfile=key) as one:
        assert one.url.startswith("https://127.0.0.1:")
        assert one.get("/readyz", verify=certificate).json() == {"status": "ready"}
