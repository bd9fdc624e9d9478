"""Check the Python snippets of the README and the pages with ``mypy --strict``.

    python .ci/check_snippets.py [PAGE …]

Each snippet is a module. It may use what earlier snippets of its page import or define, and it is
imported by other snippets under the name of the file that the page gives it.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/**/*.md", "examples/*/README.md")
BLOCK = re.compile(r"(?:([^\n]+)\n\n)?```python\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`(\w+)\.py`")


class Snippet(NamedTuple):
    """A Python snippet of a page: its name as a module, its first line on the page, its code."""

    module: str
    line: int
    code: str

    @property
    def tree(self) -> ast.Module:
        """The parsed code."""
        return ast.parse(self.code)


def main(names: Sequence[str]) -> int:
    """Check the pages and return mypy's exit status."""
    pages = [Path(name).resolve() for name in names] or [
        page for pattern in PAGES for page in sorted(ROOT.glob(pattern))
    ]
    page_of: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        for page in pages:
            earlier: list[Snippet] = []
            for snippet in snippets(page):
                # On the line of the page that it starts on, so that mypy names lines of the page.
                header = "; ".join(imports_from(earlier, snippet))
                padding = "\n" * (snippet.line - 1)
                path = Path(folder, f"{snippet.module}.py")
                path.write_text(header + padding + snippet.code, encoding="utf-8")
                page_of[path.name] = os.path.relpath(page)
                earlier.append(snippet)
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
        command += ["--config-file", str(ROOT / "pyproject.toml"), *sorted(page_of)]
        environment = {**os.environ, "MYPYPATH": folder}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    output = done.stdout + done.stderr
    print(re.sub(r"^(\w+\.py)", lambda match: page_of.get(match[1], match[1]), output, flags=re.M))
    print(f"{len(page_of)} snippets on {len(pages)} pages")
    return done.returncode


def snippets(page: Path) -> Iterator[Snippet]:
    """Yield the snippets of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    stem = re.sub(r"\W", "_", f"{page.parent.name}_{page.stem}")
    for number, block in enumerate(BLOCK.finditer(text)):
        files = FILE.findall(block[1] or "")
        module = files[-1] if files else f"{stem}_{number}"
        yield Snippet(module, text.count("\n", 0, block.start(2)) + 1, block[2])


def imports_from(earlier: Sequence[Snippet], snippet: Snippet) -> Iterator[str]:
    """Yield the imports of what a snippet uses and earlier snippets have imported or defined."""
    names = [node for node in ast.walk(snippet.tree) if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {name for statement in ast.walk(snippet.tree) for name in bound_by(statement)}
    for name in sorted(used - own - set(dir(builtins))):
        for before in reversed(earlier):
            statement = next((one for one in before.tree.body if name in bound_by(one)), None)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                yield ast.unparse(statement)
            elif statement is not None:
                yield f"from {before.module} import {name}"
            else:
                continue
            break


def bound_by(statement: ast.AST) -> set[str]:
    """Return the names that a statement imports, defines or assigns."""
    match statement:
        case ast.Import(names) | ast.ImportFrom(names=names):
            return {(alias.asname or alias.name).split(".")[0] for alias in names}
        case ast.FunctionDef(name) | ast.ClassDef(name):
            return {name}
        case ast.arg(arg):
            return {arg}
        case ast.Assign(targets):
            nodes = [node for target in targets for node in ast.walk(target)]
            return {node.id for node in nodes if isinstance(node, ast.Name)}
    return set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
