from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests
from conftest import Brightness, EveryCorner
from servers import HELD, PATIENCE, Client, code_of, end_of, picture, received, serving, wait_until
from websockets.sync.client import connect

import faceattr.serving
from faceattr.cli import run
from faceattr.errors import FaceattrError, OptionError
from faceattr.options import PipelineOptions
from faceattr.serving import running
from faceattr.serving.app import create_app
from faceattr.serving.options import ServerOptions

NEEDS_SIGNALS = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `faceattr serve` in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "faceattr", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def address_in(stream: IO[str] | None) -> str:
    """Return the address that the command says when it is ready."""
    assert stream is not None
    line = stream.readline()
    found = re.match(r"faceattr: (http://127\.0\.0\.1:\d+) is ready after", line)
    assert found, line
    return found[1]


@NEEDS_SIGNALS
def test_no_request_is_lost_when_the_command_is_told_to_end(astronaut: Path) -> None:
    data = astronaut.read_bytes()
    outcomes: Counter[str] = Counter()
    first = threading.Semaphore(0)

    def ask(address: str) -> None:
        with requests.Session() as session:
            while True:
                try:
                    answer = session.post(
                        address + "/v1/analyze",
                        data,
                        headers={"Content-Type": "image/png"},
                        timeout=PATIENCE,
                    )
                except requests.ConnectionError as error:
                    refused = "Connection refused" in str(error)
                    outcomes["refused" if refused else repr(error)] += 1
                    return
                outcomes[str(answer.status_code)] += 1
                first.release()

    with command("-a", "emotion", "--workers", "2") as process:
        address = address_in(process.stderr)
        threads = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        with connect(address.replace("http", "ws") + "/v1/stream") as websocket:
            websocket.send(data)
            assert received(websocket)["frame"] == 0
            for thread in threads:
                thread.start()
            for _ in range(8):
                assert first.acquire(timeout=PATIENCE)
            process.send_signal(signal.SIGTERM)
            assert end_of(websocket) == 1001
        for thread in threads:
            thread.join(PATIENCE)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert outcomes["refused"] == 4
    assert outcomes.keys() == {"200", "refused"}


def test_work_that_has_begun_is_answered_and_the_connection_closed() -> None:
    with serving(workers=1) as one:
        answers: list[requests.Response] = []
        threads = [
            threading.Thread(target=lambda: answers.append(one.send(picture(HELD))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: one.service.pool.num_waiting == 2)
        with one.stream() as websocket:
            websocket.send(picture(1))
            ending = threading.Thread(target=_end, args=(one,))
            ending.start()
            assert end_of(websocket) == 1001
        one.holdable.go.set()
        for thread in [*threads, ending]:
            thread.join()
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.headers["Connection"] for answer in answers] == ["close"] * 3


def _end(client: Client) -> None:
    """Tell a server to end, and wait until it does not listen any more."""
    client.tell_to_end()
    wait_until(lambda: client.service.is_ending)


def test_requests_wait_until_everything_is_loaded() -> None:
    with serving(waits=False) as one:
        assert one.get("/healthz").ok
        for answer in (one.get("/readyz"), one.send(picture(1))):
            assert answer.status_code == 503
            assert code_of(answer)[1] in ("not_ready", "loading")
            assert int(answer.headers["Retry-After"]) >= 1
        one.let_load.set()
        wait_until(lambda: one.get("/readyz").ok)
        assert one.send(picture(1)).ok


def test_what_cannot_be_loaded_ends_the_server() -> None:
    options = PipelineOptions(actions=[Brightness()], detector=EveryCorner())
    app = create_app(options, ServerOptions(port=0))

    def fail() -> None:
        raise FaceattrError("the weights are missing; download them")

    app.state.service.add_loader(fail)
    with pytest.raises(FaceattrError, match="the weights are missing"):
        running.serve(app, lambda address: pytest.fail(f"{address} is not ready"))


def test_the_command_says_in_a_line_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", "--port", port]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(rf"faceattr: cannot listen at 127.0.0.1, port {port}: .*--port.*\n", said)


def test_the_command_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "faceattr.serving.app")
    monkeypatch.delattr(faceattr.serving, "app")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert run(["serve"]) == 1
    assert "pip install 'faceattr[serve]'" in capsys.readouterr().err


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OptionError, match=r"cannot listen at 192\.0\.2\.1"):
        running.bind(ServerOptions(host="192.0.2.1", port=0))
