"""The files of the page: what they ask for is there, and nothing is from elsewhere."""

from __future__ import annotations

import re

from servers import Client

from faceattr.serving.page import FOLDER

NAMES = sorted(path.name for path in FOLDER.iterdir())


def test_every_file_that_the_page_asks_for_is_there() -> None:
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    asked = set(re.findall(r'(?:src|href)="([^#"]+)"', html))
    for name in NAMES:
        if name.endswith(".js"):
            text = (FOLDER / name).read_text(encoding="utf-8")
            asked |= {f"{one}.js" for one in re.findall(r'from "\./(\w+)\.js"', text)}
            assert len(re.findall(r"^import ", text, re.MULTILINE)) == text.count(' from "./')
    assert asked | {"index.html"} == set(NAMES)


def test_nothing_is_loaded_from_elsewhere_or_made_of_text() -> None:
    for name in NAMES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        places = set(re.findall(r"(?:https?:)?//[a-z][\w.-]+", text.replace("// ", "")))
        assert places <= {"http://www.w3.org", "http://localhost"}, name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|\beval\b|document\.write", text)


def test_the_page_has_no_code_or_style_of_its_own() -> None:
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", html)
    assert re.findall(r"<script([^>]*)>", html) == [' type="module" src="app.js"']


def test_every_element_that_the_scripts_look_for_is_there() -> None:
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\sid="([\w-]+)"', html)
    assert len(ids) == len(set(ids))
    for path in FOLDER.glob("*.js"):
        for name in re.findall(r'byId\("([\w-]+)"\)', path.read_text(encoding="utf-8")):
            assert name in ids, f"{path.name} looks for {name}"
    for name in re.findall(r'(?:aria-controls|aria-labelledby|for)="([\w-]+)"', html):
        assert name in ids


def test_each_file_is_served_with_its_type(client: Client) -> None:
    kinds = {
        "css": "text/css",
        "html": "text/html",
        "js": "text/javascript",
        "svg": "image/svg+xml",
    }
    for name in NAMES:
        answer = client.get("/" if name == "index.html" else f"/{name}")
        assert answer.content == (FOLDER / name).read_bytes()
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind == kinds[name.rpartition(".")[2]]
