from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from faceattr.errors import DuplicateNameError, PluginLoadError, UnknownNameError
from faceattr.registry import Registry


def make_registry(group: str = "faceattr.tests") -> Registry[dict[str, int]]:
    builtin = {"ordered": "collections:OrderedDict", "broken": "faceattr.types:Nothing"}
    return Registry(kind="toy", group=group, builtin=builtin)


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
    with pytest.raises(DuplicateNameError, match="toy 'ordered' exists already"):
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
    assert registry.origin("new") == "one 1.0"
    assert registry.origin("ordered") == "faceattr"


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
