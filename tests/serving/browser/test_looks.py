"""How the server's page looks: dark, light and narrow; and that it is made of its own files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from browsing import drop, place_of, start_camera, style_of

from faceattr.palette import LABEL_COLORS, color_of, contrast, ink_on, track_color

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opening: TypeAlias = "Callable[..., Page]"

LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
LEAST_TARGET = 44  # pixels, WCAG 2.2, 2.5.5
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_what_is_behind_it(
    opened: Opening, theme: str, astronaut: Path
) -> None:
    page = opened(color_scheme=theme)
    drop(page, astronaut)
    paper = color(style_of(page.locator("body"), "backgroundColor"))
    assert (contrast(paper, "#ffffff") < 2) is (theme == "light")
    for selector in ("body", ".meta", "h2", ".reading h4", ".bars .label", "footer", ".quiet"):
        ink = color(style_of(page.locator(selector).first, "color"))
        assert contrast(ink, paper) >= LEAST_CONTRAST, selector
    button = page.locator("button.primary:visible").first
    plate = color(style_of(button, "backgroundColor"))
    assert contrast(color(style_of(button, "color")), plate) >= LEAST_CONTRAST
    label = page.locator("button.box .label")
    plate = color(style_of(label, "backgroundColor"))
    assert contrast(color(style_of(label, "color")), plate) >= LEAST_CONTRAST


def color(text: str) -> str:
    """Return a color of the browser's as faceattr writes it."""
    red, green, blue = map(int, re.findall(r"\d+", text)[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_a_phone_shows_everything_in_its_width(opened: Opening, astronaut: Path) -> None:
    page = opened(**PHONE)
    drop(page, astronaut)
    widest = "document.documentElement.scrollWidth"
    assert page.evaluate(widest) == 360
    for element in page.locator("button:visible:not(.box), label.switch:visible").all():
        assert place_of(element).height >= LEAST_TARGET, element.inner_text()
    picture, card = place_of(page.locator(".view")), place_of(page.locator(".card"))
    assert card.y1 >= picture.y2
    start_camera(page)
    page.locator(".track .bars").first.wait_for()
    assert page.evaluate(widest) == 360
    assert place_of(page.locator("#stage")).width > 300


def test_a_page_that_shall_keep_still_keeps_still(opened: Opening, astronaut: Path) -> None:
    page = opened(reduced_motion="reduce")
    drop(page, astronaut)
    assert style_of(page.locator(".switch input").first, "transitionDuration") == "0s"


def test_the_page_has_the_colors_of_the_command(opened: Opening) -> None:
    page = opened()
    groups = [list(LABEL_COLORS), ["left", "happy", "right"], ["a", "b"], [*"abcdefghijklm"]]
    script = """async (groups) => {
      const { colorOf, inkOn, trackColor } = await import("/palette.js");
      const colors = groups.map((labels) => labels.map((label) => colorOf(label, labels)));
      const ids = [...Array(9).keys()].map((index) => trackColor(index + 1));
      return [colors, ids, colors.flat().map(inkOn)];
    }"""
    colors = [[color_of(label, labels) for label in labels] for labels in groups]
    tracks = [track_color(number) for number in range(1, 10)]
    inks = [ink_on(one) for group in colors for one in group]
    assert page.evaluate(script, groups) == [colors, tracks, inks]
