from __future__ import annotations

from pathlib import Path

import pytest
from servers import code_of, serving

from faceattr.serving import app
from faceattr.serving.page import page_router


def test_files_of_the_page_are_served_with_a_strict_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>faces</title>")
    (folder / "parts" / "page.js").write_text("'use strict'")
    (folder / ".hidden").write_text("no")
    (tmp_path / "secret.txt").write_text("no")
    monkeypatch.setattr(app, "page_router", lambda: page_router(folder))
    monkeypatch.setattr(app, "FOLDER", folder)
    with serving() as one:
        page = one.get("/")
        assert page.text == "<!doctype html><title>faces</title>"
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        script = one.get("/parts/page.js")
        assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
        tagged = one.get("/", headers={"If-None-Match": page.headers["ETag"]})
        assert (tagged.status_code, tagged.content) == (304, b"")
        for path in ("/.hidden", "/../secret.txt", "/%2e%2e/secret.txt", "/parts", "/index.htm"):
            assert code_of(one.get(path)) == (404, "not_found")
    keys = tmp_path / "keys.txt"
    keys.write_text("a-key-for-the-page")
    with serving(keys=keys) as one:
        assert one.get("/").ok
        assert one.get("/parts/page.js").ok
        assert code_of(one.get("/parts")) == (401, "no_key")
    with serving(page=False) as one:
        assert code_of(one.get("/")) == (404, "not_found")
