"""Pictures on the server's page, in a browser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import pytest
from browsing import drop, paste, place_of, scaled, wait_until_read
from servers import Client, serving

from faceattr.results import ImageResult, write_csv
from faceattr.types import BGRImage, Face

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Opening: TypeAlias = "Callable[..., Page]"

ASTRONAUT_FACE = (225, 115)  # x and y in pixels
KEY = "a-key-of-the-tests"


@pytest.fixture(scope="module")
def pair(two_faces: BGRImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two faces."""
    path = tmp_path_factory.mktemp("pictures") / "pair, =1.png"
    cv2.imwrite(str(path), two_faces)
    return path


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture without a face."""
    path = tmp_path_factory.mktemp("pictures") / "wall.png"
    cv2.imwrite(str(path), np.full((300, 400, 3), 120, np.uint8))
    return path


def read(server: Client, path: Path) -> dict[str, Any]:
    """Return what the server answers for a picture."""
    answer = server.post("/v1/analyze", files={"pictures": (path.name, path.read_bytes())})
    picture: dict[str, Any] = answer.json()["pictures"][0]
    return picture


def downloaded(page: Page, button: str) -> str:
    """Return the text of the file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes().decode()


def shares(card: Locator) -> dict[str, int]:
    """Return the percentages beside the bars of a face, by label."""
    rows = card.locator(".bars li").all()
    return {
        row.locator(".label").inner_text(): int(row.locator(".share").inner_text().rstrip("%"))
        for row in rows
    }


def test_a_dropped_picture_shows_its_face_where_it_is(
    opened: Opening, server: Client, astronaut: Path
) -> None:
    page = opened()
    drop(page, astronaut)
    shown = place_of(page.locator(".view img"))
    assert shown.width == pytest.approx(shown.height, abs=1)
    box = place_of(page.locator("button.box"))
    (face,) = read(server, astronaut)["faces"]
    assert box == pytest.approx(scaled(face["bbox"], (512, 512), shown), abs=1.5)
    x, y = ASTRONAUT_FACE
    assert box.x1 < shown.x1 + shown.width * x / 512 < box.x2
    assert box.y1 < shown.y1 + shown.height * y / 512 < box.y2


def test_a_face_is_told_in_full(opened: Opening, server: Client, astronaut: Path) -> None:
    page = opened()
    drop(page, astronaut)
    (face,) = read(server, astronaut)["faces"]
    attributes = face["attributes"]
    emotion, age = attributes["emotion"], attributes["age"]
    assert page.locator("button.box .label").inner_text() == str(Face.from_dict(face).emotion)
    name = page.locator("button.box").get_attribute("aria-label") or ""
    years = f"{age['value']:.0f} ± {age['std']:.0f} years"
    assert name.startswith(f"Face 1 of 1: {emotion['label']} ")
    assert years in name
    card = page.locator(".card")
    assert card.locator(".reading h4").all_inner_texts()[1].split("\n") == ["age", years]
    shown = shares(card)
    scores = emotion["scores"] | attributes["gender"]["scores"]
    assert list(shown) == list(scores)
    assert shown == pytest.approx({label: 100 * one for label, one in scores.items()}, abs=0.51)
    track = place_of(card.locator(".rail").first)
    fills = card.locator(".fill").all()
    for fill, score in zip(fills, scores.values(), strict=True):
        assert place_of(fill).width == pytest.approx(score * track.width, abs=1)
    scale, value = place_of(card.locator(".scale")), place_of(card.locator(".scale .value"))
    middle = (value.x1 + value.x2) / 2 - scale.x1
    assert middle == pytest.approx(scale.width * age["value"] / 100, abs=1)


def test_boxes_stay_on_their_faces_when_the_window_changes(
    opened: Opening, server: Client, pair: Path
) -> None:
    page = opened()
    drop(page, pair)
    faces = read(server, pair)["faces"]
    assert len(faces) == 2
    for width in (1280, 700, 360):
        page.set_viewport_size({"width": width, "height": 800})
        shown = place_of(page.locator(".view img"))
        for index, face in enumerate(faces):
            place = place_of(page.locator("button.box").nth(index))
            assert place == pytest.approx(scaled(face["bbox"], (640, 360), shown), abs=1.5)


def test_pictures_can_be_pasted_and_chosen_as_well(
    opened: Opening, astronaut: Path, pair: Path
) -> None:
    page = opened()
    paste(page, astronaut)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files(pair)
    wait_until_read(page, 2)
    assert page.locator("#summary").inner_text() == "2 pictures · 3 faces"
    assert page.locator(".result h2").all_inner_texts() == [pair.name, "astronaut.png"]


def test_results_can_be_kept_as_the_command_writes_them(
    opened: Opening, server: Client, astronaut: Path, pair: Path, wall: Path, tmp_path: Path
) -> None:
    text = tmp_path / "-notes.txt"
    text.write_text("no picture")
    page = opened(expected=("422",))
    drop(page, pair, astronaut, wall, text)
    answers = [read(server, path) for path in (pair, astronaut, wall)]
    described = json.loads(downloaded(page, "JSON"))
    assert described[:3] == [
        {
            "source": answer["name"],
            "width": answer["width"],
            "height": answer["height"],
            "faces": answer["faces"],
        }
        for answer in answers
    ]
    assert described[3].keys() == {"source", "error"}
    results = [
        ImageResult(one["name"], faces=[Face.from_dict(face) for face in one["faces"]])
        for one in answers
    ]
    expected = io.StringIO(newline="")
    write_csv(results, expected, columns=server.service.reader.pipeline.columns)
    rows = rows_of(downloaded(page, "CSV"))
    assert rows[-1][0] == "'-notes.txt"
    assert "not" in str(rows[-1][-1])
    for row, own in zip(rows[:-1], rows_of(expected.getvalue()), strict=True):
        assert row == [pytest.approx(one, abs=0.011) if type(one) is float else one for one in own]


def rows_of(text: str) -> list[list[str | float]]:
    """Return the cells of a table, numbers as numbers."""
    return [[as_number(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def as_number(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


def test_an_analyzer_that_is_off_is_neither_shown_nor_asked_for(
    opened: Opening, astronaut: Path
) -> None:
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("switch", name="age").uncheck()
    drop(page, astronaut)
    names = page.locator(".card .reading h4 span")
    assert names.all_inner_texts() == ["emotion", "gender"]
    page.get_by_role("switch", name="emotion").uncheck()
    assert names.all_inner_texts() == ["gender"]
    page.get_by_role("switch", name="age").check()
    page.locator(".scale").wait_for()
    assert names.all_inner_texts() == ["age", "gender"]
    questions = [url.partition("actions=")[2] for url in asked if "/v1/analyze?" in url]
    assert questions == ["emotion%2Cgender", "age%2Cgender"]
    assert json.loads(downloaded(page, "JSON"))[0]["faces"][0]["attributes"].keys() == {
        "age",
        "gender",
    }


def test_the_page_can_be_used_by_keyboard_alone(opened: Opening, pair: Path) -> None:
    page = opened()
    page.on("filechooser", lambda chooser: chooser.set_files(pair))
    page.locator("#actions:not([hidden])").wait_for()
    press = page.keyboard.press
    press("Tab")
    assert focused(page) == "Skip to the pictures"
    press("Enter")
    for switch in ("emotion", "age", "gender"):
        press("Tab")
        assert focused(page) == switch
    press("Space")
    press("Tab")
    assert focused(page) == "Choose pictures"
    press("Enter")
    wait_until_read(page, 1)
    for name in ("Use the camera", "Download JSON", "Download CSV", "Remove all"):
        press("Tab")
        assert focused(page) == name
    press("Tab")
    assert focused(page) == f"Remove {pair.name}"
    press("Tab")
    assert focused(page).startswith("Face 1 of 2: happy")
    assert "gender" not in page.locator(".card h4 span").all_inner_texts()
    press("ArrowRight")
    assert focused(page).startswith("Face 2 of 2: happy")
    lit = page.locator(".card.lit h3").all_inner_texts()
    assert lit == ["Face 2"]
    press("Shift+Tab")
    press("Enter")
    assert focused(page) == "Choose pictures"
    assert page.locator(".result").count() == 0
    page.get_by_role("tab", name="Pictures").focus()
    press("ArrowRight")
    assert focused(page) == "Live"
    assert page.locator("#start").is_visible()


def focused(page: Page) -> str:
    """Return the name of the element that has the keyboard."""
    name: str = page.evaluate(
        """() => {
          const one = document.activeElement;
          return one.ariaLabel ?? one.labels?.[0]?.innerText ?? one.innerText;
        }"""
    )
    return name.strip()


def test_screen_readers_are_told_what_happens(opened: Opening, pair: Path) -> None:
    page = opened()
    drop(page, pair)
    page.get_by_text("Read: 2 faces found").wait_for(state="attached")
    assert page.locator("#status").get_attribute("role") == "status"
    snapshot = page.locator("#main").aria_snapshot()
    assert "tabpanel" in snapshot
    assert 'switch "emotion" [checked]' in snapshot
    assert f'group "2 faces on {pair.name}; arrow keys go from face to face"' in snapshot
    assert f'list "Faces on {pair.name}"' in snapshot
    unnamed = page.locator("button, input:visible, img, select").filter(has_not_text="x")
    for element in unnamed.all():
        assert element.evaluate(
            "(one) => one.innerText || one.ariaLabel || one.labels?.length || one.alt !== undefined"
        )


def test_a_picture_without_a_face_says_so(opened: Opening, wall: Path) -> None:
    page = opened()
    drop(page, wall)
    assert page.get_by_text("No face was found.").is_visible()
    assert page.locator("button.box").count() == 0


def test_what_is_no_picture_is_refused_in_words(opened: Opening, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    page = opened(expected=("422",))
    drop(page, path)
    words = page.locator(".says [role=alert]").inner_text()
    assert words.endswith(".")
    assert "not" in words
    assert page.get_by_role("button", name="Try again").is_visible()


def test_a_picture_that_is_too_large_is_not_sent(opened: Opening, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(bytes(21_000_000))
    page = opened()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files(path)
    page.get_by_text("The picture has 21.0 MB; this server takes 20.").wait_for()
    assert "POST" not in sent


def test_a_busy_server_is_asked_again(opened: Opening, astronaut: Path) -> None:
    page = opened(expected=("503",))
    busy = {"error": "the queue is full", "code": "busy", "request_id": "1"}
    page.route(
        "**/v1/analyze*",
        lambda route: route.fulfill(status=503, json=busy, headers={"Retry-After": "0.05"}),
        times=2,
    )
    drop(page, astronaut)
    assert page.locator("button.box").count() == 1


def test_a_server_that_is_gone_is_named_and_can_be_tried_again(
    opened: Opening, astronaut: Path
) -> None:
    page = opened(expected=("ERR_FAILED",))
    page.locator("#actions:not([hidden])").wait_for()
    page.route("**/v1/analyze*", lambda route: route.abort(), times=1)
    drop(page, astronaut)
    page.get_by_text("The server does not answer.").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.locator("button.box").wait_for()


def test_a_page_waits_for_a_server_that_loads(opened: Opening, server: Client) -> None:
    page = opened(expected=("503", "ERR_FAILED"))
    loading = {"error": "the server is loading", "code": "loading", "request_id": "1"}
    page.route("**/v1/analyzers", lambda route: route.fulfill(status=503, json=loading), times=1)
    page.reload()
    page.get_by_text("The server is loading its models.").wait_for()
    page.locator("#actions:not([hidden])").wait_for()
    assert page.locator("#notice").is_hidden()
    page.route("**/v1/analyzers", lambda route: route.abort(), times=1)
    page.reload()
    page.get_by_text("The server does not answer.").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.locator("#actions:not([hidden])").wait_for()


def test_the_api_key_is_asked_for_and_kept_in_the_tab(
    opened: Opening, astronaut: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    with serving(keys=keys) as locked:
        page = opened(locked.url, expected=("401",))
        field = page.get_by_label("API key", exact=True)
        field.fill("a-key-of-a-stranger")
        page.keyboard.press("Enter")
        page.get_by_text("This server does not know that key.").wait_for()
        assert page.locator("#actions").is_hidden()
        field.fill(KEY)
        page.get_by_role("button", name="Use this key").click()
        page.locator("#actions:not([hidden])").wait_for()
        assert page.locator("#key").is_hidden()
        page.reload()
        page.locator("#actions:not([hidden])").wait_for()
        drop(page, astronaut)
        assert page.locator("button.box").count() == 2  # by the stand-in
        page.context.close()
