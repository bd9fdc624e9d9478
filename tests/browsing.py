"""What people do on the server's page, where things are on it, and what its guide shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import JSHandle, Locator, Page

GUIDE = Path(__file__).parents[1] / "docs" / "serve.md"
TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const { name, data } of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
  }
  return transfer;
}"""
PASTE = """(transfer) => document.dispatchEvent(
  new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }))"""


class Place(NamedTuple):
    """Corners of an element in pixels of the window."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1


def place_of(locator: Locator) -> Place:
    """Return where an element is."""
    box = locator.bounding_box()
    assert box is not None
    return Place(box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])


def scaled(bbox: Sequence[float], size: tuple[int, int], into: Place) -> Place:
    """Return a box of a picture of (width, height) where the picture is shown."""
    across, down = into.width / size[0], into.height / size[1]
    x1, y1, x2, y2 = bbox
    return Place(
        into.x1 + x1 * across, into.y1 + y1 * down, into.x1 + x2 * across, into.y1 + y2 * down
    )


def in_hand(page: Page, files: Sequence[Path]) -> JSHandle:
    """Return files as a browser hands them over that are dropped or pasted."""
    described = [
        {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in files
    ]
    return page.evaluate_handle(TRANSFER, described)


def drop(page: Page, *files: Path) -> None:
    """Drop files on the page, and wait until they are read."""
    page.dispatch_event("#drop", "drop", {"dataTransfer": in_hand(page, files)})
    wait_until_read(page, len(files))


def paste(page: Page, *files: Path) -> None:
    """Paste files into the page, and wait until they are read."""
    page.evaluate(PASTE, in_hand(page, files))
    wait_until_read(page, len(files))


def wait_until_read(page: Page, count: int) -> None:
    """Wait until so many pictures are there, and none is on its way."""
    page.locator(".result").nth(count - 1).wait_for()
    page.locator(".result[aria-busy=true]").first.wait_for(state="detached")


def start_camera(page: Page) -> None:
    """Open the live view, and wait until frames are answered."""
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start the camera").click()
    page.locator("#stage[data-state=running]").wait_for()


def style_of(locator: Locator, name: str) -> str:
    """Return a property of an element's style, as the browser computes it."""
    value: Any = locator.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    return str(value)


def guide_blocks(language: str, url: str) -> list[str]:
    """Return the blocks of docs/serve.md in a language, with the address of a server in them."""
    blocks = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    address = url.partition("://")[2]
    return [block.replace("127.0.0.1:8000", address) for block in blocks]
