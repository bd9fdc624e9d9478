"""A browser that looks at the page; its tests are skipped where there is none.

`.ci/test_page` installs one. The browser is that of the system: none is ever downloaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import pytest
from servers import PATIENCE, Client, serving

from faceattr.images import load_image
from faceattr.types import BGRImage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ATTRIBUTES = ("emotion", "age", "gender")
FRAMES = 24  # of the film of the camera, which is shown again and again
SWAY = 6  # pixels by which its faces move

Opening: TypeAlias = "Callable[..., Page]"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def film(two_faces: BGRImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two faces that sway, as the browser takes it for its camera's."""
    path = tmp_path_factory.mktemp("camera") / "two.mjpeg"
    with path.open("wb") as file:
        for turn in np.linspace(0, 2 * np.pi, FRAMES, endpoint=False):
            frame = np.roll(two_faces, round(SWAY * np.sin(turn)), axis=1)
            file.write(cv2.imencode(".jpg", frame)[1].tobytes())
    return path


@pytest.fixture(scope="session")
def two_faces(astronaut: Path) -> BGRImage:
    """The astronaut beside her mirror image, 640×360 px."""
    half = load_image(astronaut)[:360, 60:380]
    return np.hstack([half, half[:, ::-1]])


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    """A browser whose camera shows two faces."""
    api = pytest.importorskip("playwright.sync_api", reason="needs faceattr[browser]")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser: {', '.join(NAMES)}")
    flags = [
        "--no-sandbox",  # or it does not run as root, as in a container
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
        "--host-resolver-rules=MAP faces.example 127.0.0.1",
    ]
    with api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=program, args=flags)
        yield one
        one.close()


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[Client]:
    """A server with the real networks."""
    with serving(actions=ATTRIBUTES, detector="yunet") as one:
        yield one


@pytest.fixture
def opened(browser: Browser, server: Client) -> Iterator[Opening]:
    """Opens the page, and checks afterwards that it was quiet and stayed at home.

    Arguments of the function: the address, which is the server's, and the path there; parts of the
    messages in the console that the test expects; other servers that the page may ask; and options
    of the browser's context, such as the width of the window.
    """
    ends: list[Callable[[], None]] = []

    def open_page(
        url: str = server.url,
        *,
        path: str = "/",
        expected: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
        **options: Any,
    ) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws", "http", 1)))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("filechooser", lambda _: None)  # so that none opens before a test waits for it

        def end() -> None:
            context.close()
            home = (*(f"{one}/" for one in (url, *also)), "blob:", "data:")
            strange = [one for one in asked if not one.startswith(home)]
            assert strange == []
            assert [one for one in said if not any(part in one for part in expected)] == []

        ends.append(end)
        page.goto(url + path)
        return page

    yield open_page
    for end in ends:
        end()
