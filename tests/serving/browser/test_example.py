"""Pages of one's own, on their own server: the example that streams, the request of the guide."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from browsing import guide_blocks, in_hand
from servers import serving

from faceattr.types import BGRImage

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opening: TypeAlias = "Callable[..., Page]"

EXAMPLES = Path(__file__).parents[3] / "examples"
YELLOW = """() => {
  const canvas = document.getElementById("picture");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let place = 0; place < data.length; place += 4) {
    count += data[place] === 0xf0 && data[place + 1] === 0xe4 && data[place + 2] === 0x42;
  }
  return count;
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def own_site() -> Iterator[str]:
    """The address of a site with the examples."""
    with ThreadingHTTPServer(("localhost", 0), partial(Quiet, directory=str(EXAMPLES))) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://localhost:{site.server_port}"
        site.shutdown()
        thread.join()


def test_the_example_streams_and_draws(opened: Opening, own_site: str, two_faces: BGRImage) -> None:
    with serving(actions=("emotion", "age"), detector="yunet", origins=own_site) as server:
        page = opened(
            own_site, path=f"/browser_stream.html?server={server.url}", also=(server.url,)
        )
        page.get_by_role("button", name="Start the camera").click()
        page.locator("#faces li", has_text=re.compile(r"#2 happy \d+% \d+ years")).wait_for()
        assert page.locator("#faces li").count() == 2
        page.locator("#status", has_text=re.compile(r"frame \d+ was read in \d+ ms")).wait_for()
        assert page.evaluate(YELLOW) > 200
        page.context.close()


def test_the_request_that_the_guide_shows_is_answered(
    opened: Opening, own_site: str, astronaut: Path
) -> None:
    with serving(actions=("emotion", "age"), detector="yunet", origins=own_site) as server:
        page = opened(own_site, path="/browser_stream.html", also=(server.url,))
        (block,) = guide_blocks("js", server.url)
        files = in_hand(page, [astronaut])
        labels = page.evaluate(
            f"async (transfer) => {{ const [file] = transfer.files; {block} }}", files
        )
        assert labels == ["happy"]
        page.context.close()


def test_the_example_says_why_it_gets_no_answers(opened: Opening, own_site: str) -> None:
    with serving() as server:  # which does not know the page
        page = opened(
            own_site,
            path=f"/browser_stream.html?server={server.url}",
            also=(server.url,),
            expected=("403",),
        )
        page.get_by_role("button", name="Start the camera").click()
        page.locator("#status", has_text="The stream has ended.").wait_for()
        page.context.close()
