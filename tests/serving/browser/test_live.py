"""The live view of the server's page, in a browser whose camera shows two faces."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from browsing import place_of, scaled, start_camera, style_of, wait_until_read
from servers import Client, encode, serving, wait_until

from faceattr.palette import to_bgr, track_color
from faceattr.streaming.sinks.tables import FACE_COLUMNS
from faceattr.types import BGRImage

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute

Opening: TypeAlias = "Callable[..., Page]"

SWAY = 12  # pixels of the camera's 640 by which a face may have moved since its box was found
REFUSE = """(name) => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
}"""
HOLD_CAMERA = """() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    window.camera = await open(wanted);
    await new Promise((resolve) => (window.letGo = resolve));
    return window.camera;
  };
  window.giveCamera = async () => {
    while (!window.letGo) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = window.camera.getVideoTracks()[0].readyState;
    window.letGo();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return before;
  };
}"""
COLORS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1);
  const colors = new Set();
  for (let place = 0; place < data.length; place += 4) {
    if (data[place + 3] === 255) colors.add(data.slice(place, place + 3).join());
  }
  return [...colors];
}"""


def downloaded(page: Page, button: str) -> str:
    """Return the text of the file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes().decode()


def test_two_faces_are_followed_where_they_are(
    opened: Opening, server: Client, two_faces: BGRImage
) -> None:
    page = opened()
    start_camera(page)
    page.locator("#live-boxes .box").nth(1).wait_for()
    page.locator(".track").nth(1).wait_for()
    answer = server.send(encode(two_faces)).json()["pictures"][0]
    stage = place_of(page.locator("#video"))
    # the view is a mirror, so the face that is on the left of the picture is on the right
    expected = sorted(
        scaled([640 - x2, y1, 640 - x1, y2], (640, 360), stage)
        for x1, y1, x2, y2 in (face["bbox"] for face in answer["faces"])
    )
    shown = sorted(map(place_of, page.locator("#live-boxes .box").all()))
    tolerance = SWAY * stage.width / 640
    for place, own in zip(shown, expected, strict=True):
        assert place == pytest.approx(own, abs=tolerance)
    numbers = page.locator("#live-boxes .number").all_inner_texts()
    assert sorted(numbers) == ["#1", "#2"]
    assert all("happy" in text for text in page.locator("#live-boxes .label").all_inner_texts())
    for number in (1, 2):
        box = page.locator("#live-boxes .box", has_text=f"#{number}")
        blue, green, red = to_bgr(track_color(number))
        assert style_of(box, "borderTopColor") == f"rgb({red}, {green}, {blue})"


def test_each_track_has_its_readings_and_its_last_minute(opened: Opening) -> None:
    page = opened()
    start_camera(page)
    tracks = page.locator(".track")
    tracks.nth(1).locator(".scale").wait_for()  # age takes a moment
    tracks.nth(1).locator(".lane").nth(2).wait_for()
    assert tracks.locator("h3").all_inner_texts() == ["Face #1", "Face #2"]
    first = tracks.first
    assert first.locator(".reading h4 span").all_inner_texts() == ["emotion", "age", "gender"]
    assert first.locator(".bars li").count() == 9
    lanes = first.locator(".lane")
    assert lanes.locator("p:first-child").all_inner_texts() == ["emotion", "age", "gender"]
    lanes.first.locator("p:last-child", has_text="happy").wait_for()
    lanes.nth(1).locator("p:last-child", has_text=" years").wait_for()
    assert lanes.first.locator("canvas").evaluate(COLORS) == ["240,228,66"]  # happy
    page.locator("#fps", has_not_text="–").wait_for()
    assert float(page.locator("#fps").inner_text()) > 0
    assert page.locator("#delay").inner_text().endswith(" ms")
    assert page.locator("#count").inner_text() == "2"
    page.get_by_text("2 faces. Number 1: happy").wait_for(state="attached")


def test_a_switch_changes_what_the_server_reads_while_tracks_go_on(opened: Opening) -> None:
    page = opened()
    sent: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framesent", lambda data: sent.append(data) if isinstance(data, str) else None
        ),
    )
    start_camera(page)
    page.locator(".track .bars").first.wait_for()
    page.get_by_role("switch", name="emotion").uncheck()
    readings = page.locator(".track .reading h4 span")
    readings.filter(has_text="emotion").first.wait_for(state="detached")
    readings.filter(has_text="gender").first.wait_for()
    assert page.locator(".track h3").first.inner_text() == "Face #1"
    assert [json.loads(text) for text in sent] == [
        {"actions": ["emotion", "age", "gender"]},
        {"actions": ["age", "gender"]},
    ]


def test_what_was_read_can_be_kept_after_the_camera_is_stopped(
    opened: Opening, server: Client
) -> None:
    page = opened()
    start_camera(page)
    page.locator(".track .scale").nth(1).wait_for()
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("document.getElementById('video').srcObject") is None
    frames = [json.loads(line) for line in downloaded(page, "JSON lines").splitlines()]
    assert [one["frame"] for one in frames] == sorted({one["frame"] for one in frames})
    assert frames[-1].keys() == {"frame", "timestamp", "width", "height", "faces"}
    assert (frames[-1]["width"], frames[-1]["height"]) == (640, 360)
    assert {face["track_id"] for face in frames[-1]["faces"]} == {1, 2}
    head, *rows = csv.reader(io.StringIO(downloaded(page, "CSV"), newline=""))
    assert head == [*FACE_COLUMNS, *server.service.reader.pipeline.columns]
    assert len(rows) == sum(len(one["faces"]) for one in frames)
    page.get_by_role("button", name="Start the camera").click()
    page.locator("#stage[data-state=running]").wait_for()


def test_at_most_two_frames_are_on_their_way(opened: Opening) -> None:
    page = opened()
    flying: list[int] = []

    def hold(route: WebSocketRoute) -> None:  # a server that never answers
        route.on_message(lambda data: flying.append(len(data)) if isinstance(data, bytes) else None)

    page.route_web_socket("**/v1/stream", hold)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start the camera").click()
    page.locator("#controls").wait_for()
    wait_until(lambda: bool(page.evaluate("true")) and len(flying) == 2)
    page.wait_for_timeout(500)
    assert len(flying) == 2


def test_a_lost_connection_is_opened_again(opened: Opening) -> None:
    page = opened()
    routes: list[WebSocketRoute] = []

    def pass_on(route: WebSocketRoute) -> None:
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket("**/v1/stream", pass_on)
    start_camera(page)
    page.locator(".track").first.wait_for()
    routes[0].close(code=1001, reason="the server ends")
    page.get_by_text("Connecting again").wait_for()
    page.locator("#stage[data-state=running]").wait_for()
    assert len(routes) == 2
    page.locator(".track").first.wait_for()


def test_leaving_the_live_view_turns_the_camera_off(opened: Opening) -> None:
    page = opened()
    start_camera(page)
    page.get_by_role("tab", name="Pictures").click()
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_camera_that_comes_after_the_view_was_left_is_turned_off(opened: Opening) -> None:
    page = opened()
    page.locator("#actions:not([hidden])").wait_for()
    page.evaluate(HOLD_CAMERA)
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_text("Starting the camera").wait_for()
    page.get_by_role("tab", name="Pictures").click()
    assert page.evaluate("giveCamera()") == "live"
    assert page.evaluate("camera.getVideoTracks()[0].readyState") == "ended"
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_picture_of_the_camera_is_read_like_any_other(opened: Opening) -> None:
    page = opened()
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#stage[data-state=running]").wait_for()
    page.get_by_role("button", name="Take a picture").click()
    wait_until_read(page, 1)
    assert page.locator("button.box").count() == 2
    assert page.locator(".result h2").inner_text().startswith("camera-")


@pytest.mark.parametrize(
    "name, words",
    [
        ("NotAllowedError", "does not let this page use the camera"),
        ("NotFoundError", "has no camera"),
        ("NotReadableError", "Another program may be using it"),
        ("AbortError", "The camera cannot be used: no."),
    ],
)
def test_why_there_is_no_picture_is_said_in_words(opened: Opening, name: str, words: str) -> None:
    page = opened()
    page.evaluate(REFUSE, name)
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#curtain-text", has_text=words).wait_for()
    assert page.get_by_role("button", name="Try again").is_visible()
    assert page.get_by_text(words).count() == 2  # the second for screen readers


def test_a_page_that_gets_no_camera_says_where_it_would(opened: Opening) -> None:
    with serving(names="faces.example") as server:
        page = opened(f"http://faces.example:{server.port}", expected=("Opener-Policy",))
        page.get_by_role("button", name="Use the camera").click()
        page.locator("#curtain-text", has_text=f"open http://localhost:{server.port};").wait_for()
        assert "--ssl-certfile" in page.locator("#curtain-text").inner_text()
        page.context.close()


def test_a_stream_with_a_key_that_is_refused_asks_for_another(
    opened: Opening, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-tests\n")
    with serving(keys=keys) as locked:
        page = opened(locked.url, expected=("401",))
        page.get_by_label("API key", exact=True).fill("a-key-of-the-tests")
        page.get_by_role("button", name="Use this key").click()
        start_camera(page)
        page.get_by_role("button", name="Stop").click()
        page.evaluate("sessionStorage.clear()")
        page.reload()
        page.get_by_label("API key", exact=True).wait_for()
        page.context.close()
