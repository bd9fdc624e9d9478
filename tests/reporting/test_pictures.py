from __future__ import annotations

import base64
import html
import re
import tracemalloc
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import Page
from conftest import Brightness, EveryCorner, Light
from reporting.conftest import Parsed

import faceattr
from faceattr.errors import ImageError, OptionError, SinkError
from faceattr.forms import Output
from faceattr.images import load_image
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline
from faceattr.reporting.page import THUMBNAIL
from faceattr.reporting.pictures import PictureReport
from faceattr.results import ImageResult
from faceattr.types import Classification, Estimate, Face

LEVELS = (250, 20, 120)


def gray(level: int, size: int = 40) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three gray pictures with names that could break a page, and one that cannot be read."""
    folder = tmp_path / "al bum"
    folder.mkdir()
    for name, level in zip(("1 <b>&'x.png", "2 写真.png", "3#%.png"), LEVELS, strict=True):
        (folder / name).write_bytes(cv2.imencode(".png", gray(level))[1].tobytes())
    (folder / "4.png").write_text("no picture")
    return folder


def write(album: Path, to: Path, *, faces: int = 2, thumbnails: int = 2000) -> Parsed:
    faceattr.report(
        album, to, [Light(), Brightness()], detector=EveryCorner(faces), thumbnails=thumbnails
    )
    return Parsed(to)


def test_a_page_has_counts_charts_faces_and_a_table(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html")
    assert "6 faces in 4 pictures" in page.text
    assert "without a face0" in page.text
    assert "failed1" in page.text
    charts = page.values("svg", "aria-label")
    assert charts[:2] == [
        "light: day 67%, dusk 33%, night 0%",
        "brightness in levels, from 20 to 250, median 120",
    ]
    assert "median 120 levels; half of the faces from 45 to 218" in page.text
    assert len(page.values("img", "src")) == 6
    assert page.text.count("levels") >= 6
    assert "4.png: not a picture that OpenCV can read" in page.text


def test_a_face_has_a_thumbnail_a_caption_and_words(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html", faces=1)
    data = base64.b64decode(page.values("img", "src")[0].removeprefix("data:image/jpeg;base64,"))
    thumbnail = load_image(data)
    assert thumbnail.shape == (THUMBNAIL, THUMBNAIL, 3)
    assert abs(float(thumbnail.mean()) - LEVELS[0]) < 3
    assert "median 120 levels" in page.text
    assert "half of the faces" not in page.text  # of three
    assert page.values("img", "alt")[0] == "day 98%, 250 levels; face 1 of 1 <b>&'x.png"


def test_names_are_escaped_and_links_lead_to_the_pictures(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html")
    assert "<b>&" not in page.source
    assert "1 <b>&'x.png" in page.text
    assert Counter(page.values("a", "href")) == {
        "al%20bum/1%20%3Cb%3E%26%27x.png": 4,  # two faces, on the sheet and in the table
        "al%20bum/2%20%E5%86%99%E7%9C%9F.png": 4,
        "al%20bum/3%23%25.png": 4,
    }


def test_nothing_is_loaded_and_only_the_one_script_may_run(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html")
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page.source)
    assert html.unescape(policy).startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not any(name in own for _, own in page.tags for name in ("style", "onclick", "onload"))
    addresses = [*page.values("img", "src"), *page.values("link", "href")]
    assert all(one.startswith("data:") for one in addresses)
    assert page.values("script", "src") == []


def test_pictures_without_a_face_are_listed(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html", faces=0)
    assert "0 faces in 4 pictures" in page.text
    assert "3 pictures without a face" in page.text
    assert "2 写真.png" in page.text
    assert page.values("svg", "role") == []


def test_the_sheet_has_a_limit_and_says_so(album: Path, tmp_path: Path) -> None:
    page = write(album, tmp_path / "report.html", thumbnails=3)
    assert len(page.values("img", "src")) == 3
    assert "The sheet shows the first 3 of 6 faces" in page.text
    assert page.source.count("<tr>") == 1 + 6
    without = write(album, tmp_path / "other.html", thumbnails=0)
    assert without.values("img", "src") == []
    assert "This page holds no picture of a face" in without.text
    assert "This page holds pictures of faces" in page.text
    with pytest.raises(OptionError, match="thumbnails is -1; it must be at least 0"):
        write(album, tmp_path / "third.html", thumbnails=-1)


def test_a_page_replaces_nothing_unless_told_to(album: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        write(album, path)
    assert path.read_text() == "mine"
    faceattr.report(album, path, (), detector=EveryCorner(1), overwrite=True)
    assert "3 faces in 4 pictures" in Parsed(path).text
    with pytest.raises(SinkError, match=r"the name of a report ends in \.html or \.htm"):
        write(album, tmp_path / "report.txt")
    page = album / "1.html"
    page.write_bytes((album / "3#%.png").read_bytes())
    with pytest.raises(SinkError, match="this is an input of the run"):
        faceattr.report([page], page, (), detector=EveryCorner(1), overwrite=True)
    with pytest.raises(ImageError, match="no pictures there"):
        faceattr.report(tmp_path / "none*", tmp_path / "x.html")


def test_images_need_no_names(tmp_path: Path) -> None:
    images = [gray(200), gray(30)]
    path = faceattr.report(images, tmp_path / "x.html", [Light()], detector=EveryCorner(1))
    page = Parsed(path)
    assert "2 faces in 2 pictures" in page.text
    assert page.values("a", "href") == []
    assert "<array (40, 40, 3) uint8>" in page.text
    with pytest.raises(OptionError, match=r"is not several images; use report\(\[image\], …\)"):
        faceattr.report(images[0], tmp_path / "y.html")


def test_an_error_leaves_a_page_of_what_was_done(album: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    pipeline = Pipeline([Light()], detector=EveryCorner(1))

    def interrupt(path: Path, images: list[np.ndarray]) -> None:
        with PictureReport(path, pipeline.outputs, total=40) as report:
            for result in pipeline.analyze_each(images):
                report.add(result)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt(path, [gray(200)])
    assert "the run was stopped after 1 of 40 pictures" in Parsed(path).text
    nothing = tmp_path / "nothing.html"
    with pytest.raises(KeyboardInterrupt):
        interrupt(nothing, [])
    assert not nothing.exists()


def test_a_page_is_written_in_full_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    monkeypatch.setattr("faceattr.reporting.pictures.privacy", lambda **_: 1 / 0)
    with (
        pytest.raises(ZeroDivisionError),
        PictureReport(path, {}, outputs=Outputs(overwrite=True)) as report,
    ):
        report.add(ImageResult("a.png", gray(1), faces=[Face((0, 0, 9, 9), 0.5)]))
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_is_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceattr.reporting.page.IN_MEMORY", 10_000)
    pipeline = Pipeline([Light(), Brightness()], detector=EveryCorner(4))
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    (result,) = pipeline.analyze_each([image])
    peaks, sizes = [], []
    for count in (20, 150):
        path = tmp_path / f"{count}.html"
        report = PictureReport(path, pipeline.outputs, thumbnails=9999)
        report.add(result)  # what is imported and remembered is there now
        tracemalloc.start()
        for _ in range(count):
            report.add(result)
        report.close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(path.stat().st_size)
    assert sizes[1] > sizes[0] + 1_500_000
    assert peaks[1] < peaks[0] + 300_000


def test_uncertain_faces_are_counted_as_such(tmp_path: Path) -> None:
    pipeline = Pipeline([Light()], detector=EveryCorner(1), min_confidence=0.9)
    with PictureReport(tmp_path / "x.html", pipeline.outputs) as report:
        for result in pipeline.analyze_each([gray(255), gray(200)]):
            report.add(result)
    (chart,) = [one for one in Parsed(tmp_path / "x.html").values("svg", "aria-label") if one]
    assert chart == "light: day 50%, dusk 0%, night 0%, uncertain 50%"


def face(happy: float, age: float) -> Face:
    mood = Classification({"happy": happy, "sad": 1 - happy})
    return Face((0, 0, 20, 20), 0.9, attributes={"mood": mood, "age": Estimate(age, "years")})


@pytest.fixture
def sortable(tmp_path: Path) -> Path:
    """A page of three faces."""
    path = tmp_path / "sort.html"
    forms: dict[str, Output] = {
        "mood": faceattr.Labels(["happy", "sad"]),
        "age": faceattr.Unit("years"),
    }
    faces = [face(0.5, 9), face(0.9, 100), face(0.1, 31)]
    with PictureReport(path, forms, settings={"detector": "</style><script>x</script>"}) as report:
        for number, one in enumerate(faces):
            report.add(ImageResult(f"{number}.png", gray(99), 40, 40, [one]))
    return path


ORDER = "[...document.querySelectorAll('#sheet img')].map(one => one.alt.match(/(\\d).png/)[1])"
ROWS = "[...document.querySelectorAll('tbody tr')].map(row => row.cells[0].textContent[0])"


def test_the_sheet_is_sorted_by_each_attribute(sortable: Path, browser_page: Page) -> None:
    browser_page.messages.clear()
    browser_page.open(sortable)
    choices = browser_page.run(
        "[...document.querySelectorAll('option')].map(one => [one.text, one.value])"
    )
    expected = {
        "as the pictures come": "012",
        "most happy first": "102",
        "most sad first": "201",
        "lowest age first": "021",
        "highest age first": "120",
    }
    assert expected.keys() <= {text for text, _ in choices}
    for text, value in choices:
        browser_page.run(
            f"document.querySelector('select').value = '{value}';"
            "document.querySelector('select').dispatchEvent(new Event('change'))"
        )
        order = "".join(browser_page.run(ORDER))
        assert order == expected.get(text, "012")
    assert browser_page.messages == []


def test_the_table_is_sorted_by_keyboard(sortable: Path, browser_page: Page) -> None:
    browser_page.messages.clear()
    browser_page.open(sortable)
    browser_page.run("document.querySelectorAll('th button')[5].focus()")  # age
    orders = []
    for _ in range(2):
        browser_page.press("Enter")
        orders.append("".join(browser_page.run(ROWS)))
    assert orders == ["021", "120"]
    assert browser_page.run("document.querySelectorAll('th')[5].ariaSort") == "descending"
    assert browser_page.run("document.querySelectorAll('[aria-sort]').length") == 1
    assert browser_page.messages == []


def test_the_page_asks_the_network_for_nothing(sortable: Path, browser_page: Page) -> None:
    browser_page.requests.clear()
    browser_page.open(sortable)
    assert browser_page.run("document.images.length") == 3
    assert browser_page.run("[...document.images].every(one => one.naturalWidth == 96)")
    outside = [one for one in browser_page.requests if not one.startswith("data:")]
    assert outside == [sortable.as_uri()]


def test_no_other_script_can_run(sortable: Path, browser_page: Page) -> None:
    text = sortable.read_text().replace("<main>", "<main><script>window.hacked = 1</script>")
    (sortable.parent / "hacked.html").write_text(text)
    browser_page.open(sortable.parent / "hacked.html")
    assert browser_page.run("window.hacked") is None
    assert any("Content Security Policy" in one for one in browser_page.messages)
    browser_page.messages.clear()


def test_without_scripts_the_page_is_plain(sortable: Path, browser_page: Page) -> None:
    browser_page.set_up(scripts=False)
    try:
        browser_page.open(sortable)
    finally:
        browser_page.set_up()
    source = sortable.read_text()
    assert re.search(r'<div class="tools"[^>]* hidden>', source)
    assert source.count("<li data-keys") == 3


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_the_page_fits_its_window(sortable: Path, browser_page: Page, width: int) -> None:
    browser_page.set_up(width=width)
    browser_page.open(sortable)
    try:
        assert browser_page.run("document.documentElement.scrollWidth") <= width
    finally:
        browser_page.set_up()


def test_the_page_is_dark_where_the_system_is(sortable: Path, browser_page: Page) -> None:
    levels = []
    for dark in (False, True):
        browser_page.set_up(dark=dark)
        browser_page.open(sortable)
        levels.append(float(np.median(load_image(browser_page.screenshot(height=400)))))
    browser_page.set_up()
    assert levels[0] > 230
    assert levels[1] < 40
