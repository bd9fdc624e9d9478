"""The public interface, held still: a change here is a change for users."""

from __future__ import annotations

import subprocess
import sys

import faceattr


def test_every_public_name_is_there() -> None:
    assert [name for name in faceattr.__all__ if not hasattr(faceattr, name)] == []
    assert sorted(faceattr.__all__) == faceattr.__all__
    assert [name for name in dir(faceattr) if not name.startswith("__")] == faceattr.__all__


def test_nothing_becomes_public_by_accident() -> None:
    modules = {name for name, value in vars(faceattr).items() if type(value).__name__ == "module"}
    public = {name for name in vars(faceattr) if not name.startswith("_")}
    assert public - modules - {"annotations", "TYPE_CHECKING", "Any"} <= set(faceattr.__all__)


def test_every_public_function_and_class_is_explained() -> None:
    public = {name: getattr(faceattr, name) for name in faceattr.__all__}
    explained = {name: value for name, value in public.items() if callable(value)}
    aliases = {"Attribute", "BGRImage", "Crops", "Features", "Finder", "Reader"}  # of types
    assert [name for name in explained if name not in aliases and not explained[name].__doc__] == []


def test_the_front_door_imports_nothing_heavy() -> None:
    heavy = ["tensorflow", "keras", "openvino", "scipy", "matplotlib", "pandas", "requests", "rich"]
    code = f"import sys, faceattr; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
