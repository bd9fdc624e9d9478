"""A server on a thread, on a free port, with stand-ins that a test can hold up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import requests
from conftest import Brightness, EveryCorner, Light
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from faceattr.options import PipelineOptions
from faceattr.serving import running
from faceattr.serving.app import create_app
from faceattr.serving.options import Limits, ServerOptions
from faceattr.types import Crops, Estimate

PATIENCE = 60.0  # seconds, on a busy machine
HELD = 7  # mean of a picture at which `Holdable` waits
BROKEN = 13  # and one at which it fails


class Holdable(Brightness):
    """Mean of the crop; a dark picture waits until it is let go, another one fails."""

    attribute = "held"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.means: list[int] = []

    def predict(self, crops: Crops) -> Sequence[Estimate]:
        self.means.append(round(float(crops[0].mean())))
        if self.means[-1] == HELD:
            self.waiting.release()
            assert self.go.wait(PATIENCE)
        if self.means[-1] == BROKEN:
            raise ValueError("a secret of the analyzer")
        return super().predict(crops)


class Client:
    """Talks to a running server."""

    def __init__(self, url: str, server: running.Server, holdable: Holdable) -> None:
        self.url = url
        self.service = server.service
        self.holdable = holdable
        self.let_load = threading.Event()
        self._server = server
        self._session = requests.Session()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **options: Any) -> requests.Response:
        return self._session.get(self.url + path, timeout=PATIENCE, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self._session.post(self.url + path, timeout=PATIENCE, **options)

    def send(self, picture: bytes, path: str = "/v1/analyze", **headers: str) -> requests.Response:
        """Post a picture as it is."""
        return self.post(path, data=picture, headers={"Content-Type": "image/png"} | headers)

    @contextmanager
    def stream(self, **options: Any) -> Iterator[ClientConnection]:
        address = self.url.replace("http", "ws", 1) + "/v1/stream"
        with connect(address, open_timeout=PATIENCE, max_size=None, **options) as websocket:
            yield websocket

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def tell_to_end(self) -> None:
        self._server.should_exit = True

    def close(self) -> None:
        self._session.close()


@contextmanager
def serving(
    *,
    actions: Any = None,
    detector: Any = None,
    limits: Limits | None = None,
    options: dict[str, Any] | None = None,
    waits: bool = True,
    **server: Any,
) -> Iterator[Client]:
    """Yield a client of a server that has just loaded; end the server afterwards.

    Args:
        actions: What to load; by default, stand-ins.
        detector: What finds faces; by default, a stand-in that finds two.
        limits: As in `create_app`.
        options: Others of `PipelineOptions`.
        waits: Whether to wait until everything is loaded; else it waits for `Client.let_load`.
        server: As in `ServerOptions`.
    """
    holdable = Holdable()
    load = PipelineOptions(
        actions=actions or [Brightness(), Light(), holdable],
        detector=detector or EveryCorner(),
        threads=1,
        **(options or {}),
    )
    app = create_app(load, ServerOptions(**({"port": 0, "workers": 2} | server)), limits)
    one = running.Server(app)
    listener = running.bind(one.service.options)
    address = running.address_of(one.service.options, listener)
    client = Client(address, one, holdable)
    if waits:
        client.let_load.set()
    one.service.add_loader(lambda: assert_set(client.let_load))
    loaded = threading.Event()
    one.service.when_loaded = loaded.set
    thread = threading.Thread(target=one.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        if waits:
            assert_set(loaded)
            assert one.service.error is None
        yield client
    finally:
        client.let_load.set()
        holdable.go.set()
        client.close()
        client.tell_to_end()
        thread.join()


def assert_set(event: threading.Event) -> None:
    """Wait for an event."""
    assert event.wait(PATIENCE)


def picture(level: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a PNG of one level of gray, (height, width) pixels."""
    return encode(np.full((*size, 3), level, np.uint8))


def encode(image: Any, suffix: str = ".png") -> bytes:
    """Return an image in a format."""
    ok, data = cv2.imencode(suffix, image)
    assert ok
    return data.tobytes()


def level_of(answer: requests.Response) -> float:
    """Return the brightness of the first face of the first picture of an answer."""
    assert answer.status_code == 200, answer.text
    value = answer.json()["pictures"][0]["faces"][0]["attributes"]["brightness"]["value"]
    return float(value)


def code_of(answer: requests.Response) -> tuple[int, str]:
    """Return the status and the code of an error, whose form is checked."""
    described = answer.json()
    assert described.keys() == {"error", "code", "request_id"}, described
    assert described["request_id"] == answer.headers["X-Request-ID"]
    assert "Traceback" not in described["error"]
    return answer.status_code, described["code"]


def received(websocket: ClientConnection) -> dict[str, Any]:
    """Return the next message of a stream."""
    message: dict[str, Any] = json.loads(websocket.recv(timeout=PATIENCE))
    return message


def end_of(websocket: ClientConnection) -> int | None:
    """Return the code with which the server closes a stream, None if it just went."""
    try:
        while True:
            websocket.recv(timeout=PATIENCE)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
