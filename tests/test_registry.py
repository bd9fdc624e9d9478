from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from faceattr.errors import DuplicateNameError, PluginLoadError, UnknownNameError
from faceattr.registry import Registry


def make_registry(group: str = "faceattr.tests") -> Registry[dict[str, int]]:
    builtin = {"ordered": "collections:OrderedDict", "broken": "faceattr.types:Nothing"}
    return Registry(kind="toy", group=group, builtin=builtin, base=dict)


def test_names_are_listed_in_order() -> None:
    assert list(make_registry()) == ["broken", "ordered"]


def test_listing_names_imports_no_plugin() -> None:
    code = (
        "import sys; from faceattr.analyzers import analyzers; from faceattr.detectors import "
        "detectors; list(analyzers), list(detectors); "
        "sys.exit('faceattr.analyzers.emotion' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_class_is_imported_by_its_name() -> None:
    assert make_registry().get("ordered").__name__ == "OrderedDict"


def test_an_unknown_name_suggests_the_nearest() -> None:
    message = r"unknown toy 'orderd'; did you mean 'ordered'\? available: broken, ordered"
    with pytest.raises(UnknownNameError, match=message):
        make_registry().get("orderd")


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="unknown toy 'xyz'; available: broken, ordered"):
        make_registry().get("xyz")


def test_a_plugin_that_fails_to_import_is_named() -> None:
    with pytest.raises(PluginLoadError, match="toy 'broken' of faceattr failed to import"):
        make_registry().get("broken")


def test_a_class_can_be_registered_in_this_process() -> None:
    registry = make_registry()
    registry.register("plain", dict)
    assert registry.get("plain") is dict
    assert "plain" in registry


def test_a_registered_name_must_be_new() -> None:
    with pytest.raises(DuplicateNameError, match="toy 'ordered' exists already, from faceattr"):
        make_registry().register("ordered", dict)


def install(site: Path, package: str, target: str) -> None:
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[faceattr.tests.site]\nnew = {target}\n")


def test_other_packages_announce_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one", "collections:Counter")
    monkeypatch.syspath_prepend(tmp_path)
    registry = make_registry("faceattr.tests.site")
    assert registry.get("new").__name__ == "Counter"
    assert registry.provider("new") == "one 1.0"
    assert registry.provider("ordered") == "faceattr"


def offer(site: Path, source: str) -> Registry[dict[str, int]]:
    """Install a package whose plugin ``new`` is the name ``Plugin`` of a module."""
    (site / "new_plugin.py").write_text(source)
    install(site, "one", "new_plugin:Plugin")
    return make_registry("faceattr.tests.site")


@pytest.mark.parametrize(
    "source, message",
    [
        ("import nothing_like_it", "failed to import: No module named 'nothing_like_it'"),
        ("raise SystemExit('no licence')", "failed to import: no licence"),
        ("Plugin = 7", r"is 7; it must be a class that derives from builtins\.dict"),
        ("class Plugin: pass", "is <class 'new_plugin.Plugin'>; it must be a class that derives"),
        (
            "class Plugin(dict): api_version = 3",
            "was written for version 3 of the plugin API, and this faceattr has version 2; "
            "upgrade faceattr$",
        ),
        (
            "class Plugin(dict): contract = 1",
            "was written for version 1 .* has version 2; upgrade the plugin; 'From version 1'",
        ),
        (
            "class Plugin(dict): api_version = 'new'",
            "was written for version 'new' .* upgrade the plugin",
        ),
        (
            "from abc import ABC, abstractmethod\n"
            "class Plugin(dict, ABC):\n    @abstractmethod\n    def predict(self): ...",
            "does not define: predict",
        ),
    ],
    ids=["import", "exit", "value", "class", "newer", "older", "odd", "abstract"],
)
def test_a_plugin_that_cannot_be_used_says_why(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "new_plugin", raising=False)
    registry = offer(tmp_path, source)
    with pytest.raises(PluginLoadError, match=f"toy 'new' of one 1.0 {message}"):
        registry.get("new")
    assert "new" in registry  # it is listed without being imported
    assert registry.get("ordered").__name__ == "OrderedDict"


def test_a_plugin_that_declares_no_version_is_taken_for_a_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "new_plugin", raising=False)
    assert offer(tmp_path, "class Plugin(dict): pass").get("new").__name__ == "Plugin"


def test_names_are_matched_by_a_pattern() -> None:
    assert make_registry().matching("*d*") == ["ordered"]
    assert make_registry().matching("b?oken") == ["broken"]


def test_what_cannot_be_used_is_a_warning_and_the_rest_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert [name for name, _ in make_registry().load_all()] == ["ordered"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "toy 'broken' of faceattr failed to import" in record.getMessage()


def test_a_plugin_that_cannot_be_made_is_named() -> None:
    class Picky(dict[str, int]):
        def __init__(self, **options: int) -> None:
            raise TypeError("bad")

    registry = make_registry()
    registry.register("picky", Picky)
    message = f"toy 'picky' of {__name__} cannot be created: TypeError: bad"
    with pytest.raises(PluginLoadError, match=message):
        registry.create("picky")
    assert registry.create("ordered", a=1) == {"a": 1}


def test_what_is_registered_is_checked_too() -> None:
    with pytest.raises(PluginLoadError, match="toy 'list' is <class 'list'>; it must be a class"):
        make_registry().register("list", list)  # type: ignore[arg-type]


def test_two_packages_with_one_name_are_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "one", "collections:Counter")
    install(tmp_path, "two", "collections:ChainMap")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DuplicateNameError, match=r"'new' is claimed by (one|two) 1.0 and by"):
        make_registry("faceattr.tests.site").get("new")


def test_a_plugin_that_is_listed_twice_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "one", "collections:Counter")
    monkeypatch.syspath_prepend(tmp_path)
    registry = make_registry("faceattr.tests.site")
    (known,) = registry._entry_points["new"]
    registry._entry_points["new"].append(EntryPoint(known.name, known.value, known.group))
    assert registry.get("new").__name__ == "Counter"


@pytest.mark.parametrize("name", [None, 3, ["a"], {}, b"emotion"])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    registry = make_registry()
    with pytest.raises(UnknownNameError, match="is not a name"):
        registry.get(name)
    with pytest.raises(PluginLoadError, match="is not a name"):
        registry.register(name, dict)
