"""Modules import only from those that come before them in CONTRIBUTING's order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read_order() -> dict[str, int]:
    """Return the place of each module and folder of the package in the order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(errors →.*?)```", text, re.DOTALL)
    assert block is not None
    groups = block[1].split("→")
    return {name: place for place, group in enumerate(groups) for name in re.findall(r"\w+", group)}


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield the modules and folders of the package that run-time imports name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("faceattr."):
            yield str(node.module).split(".")[1]
        yield from imports_of(node)


def test_modules_import_only_from_those_before_them() -> None:
    order = read_order()
    rooms = [path for path in (ROOT / "faceattr").iterdir() if not path.name.startswith((".", "_"))]
    assert order.keys() == {path.stem for path in rooms} - {"assets", "py"}
    for room in rooms:
        for path in room.rglob("*.py") if room.is_dir() else [room]:
            for name in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
                before = name in ("assets", room.stem) or order[name] < order[room.stem]
                assert before, f"{path.relative_to(ROOT)} imports {name}, which comes after it"


def test_the_map_of_the_house_has_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = re.search(r"^## The rooms\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert rooms is not None
    on_the_map = set(re.findall(r"`([\w.]+)(?:/`|`)", re.sub(r"(?m)\|[^|\n]*\|$", "|", rooms[1])))
    there = {path.name for path in (ROOT / "faceattr").iterdir() if path.name[0] not in "._"}
    assert there - {"py.typed"} <= on_the_map
